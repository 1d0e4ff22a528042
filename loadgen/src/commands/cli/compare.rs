//! Options of `loadgen compare`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

/// Options of `loadgen compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// Result A, to compare with: its directory, or its result.json.
    pub a: PathBuf,
    /// Result B, to compare: its directory, or its result.json.
    pub b: PathBuf,
    /// Smallest difference that counts, in percent.
    #[arg(long, env = "LOADGEN_MIN_EFFECT", value_name = "PERCENT", default_value = "5",
          value_parser = percent)]
    pub min_effect: f64,
    /// Compare results that are not comparable; the output says so at the top.
    #[arg(long, env = "LOADGEN_ANYWAY", value_parser = BoolishValueParser::new())]
    pub anyway: bool,
    /// Print a table in Markdown.
    #[arg(long, env = "LOADGEN_MARKDOWN", conflicts_with = "json",
          value_parser = BoolishValueParser::new())]
    pub markdown: bool,
    /// Print JSON.
    #[arg(long, env = "LOADGEN_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

/// Parses a percentage above 0 and up to 100, with or without a percent sign.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("more than 0 and at most 100, in percent".to_owned()),
    }
}
