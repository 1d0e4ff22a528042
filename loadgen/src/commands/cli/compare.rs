//! The options of `loadgen compare`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

/// `loadgen compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// What is compared with: the directory of a result, or its result.json.
    pub a: PathBuf,
    /// What is compared.
    pub b: PathBuf,
    /// What is slower or faster by less, in percent, is the same.
    #[arg(long, env = "LOADGEN_MIN_EFFECT", value_name = "PERCENT", default_value = "5",
          value_parser = percent)]
    pub min_effect: f64,
    /// Compare what is not comparable, and say so.
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

/// More than nothing, and not more than the double.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("more than 0 and at most 100, in percent".to_owned()),
    }
}
