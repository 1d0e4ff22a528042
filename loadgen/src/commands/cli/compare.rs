//! Options of `loadgen compare`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

/// Options of `loadgen compare`.
#[derive(Debug, Clone, Args)]
pub struct CompareArgs {
    /// Result A, to compare with: the directory of a run or of repeated runs, or its
    /// result.json.
    #[arg(value_name = "A", required_unless_present_all = ["several_a", "several_b"])]
    pub a: Option<PathBuf>,
    /// Result B, to compare, like A.
    #[arg(value_name = "B", required_unless_present_all = ["several_a", "several_b"])]
    pub b: Option<PathBuf>,
    /// Results that make up A together, instead of one.
    #[arg(id = "several_a", long = "a", env = "LOADGEN_A", value_name = "RESULT", num_args = 1..,
          value_delimiter = ',', requires = "several_b", conflicts_with_all = ["a", "b"])]
    pub several_a: Vec<PathBuf>,
    /// Results that make up B together, instead of one.
    #[arg(id = "several_b", long = "b", env = "LOADGEN_B", value_name = "RESULT", num_args = 1..,
          value_delimiter = ',', requires = "several_a", conflicts_with_all = ["a", "b"])]
    pub several_b: Vec<PathBuf>,
    /// Smallest difference of CPU time that counts, in percent.
    #[arg(long, env = "LOADGEN_MIN_EFFECT", value_name = "PERCENT", default_value = "5",
          value_parser = percent)]
    pub min_effect: f64,
    /// Smallest difference of latencies and rates that counts, in percent.
    #[arg(long, env = "LOADGEN_MIN_LATENCY_EFFECT", value_name = "PERCENT", default_value = "10",
          value_parser = percent)]
    pub min_latency_effect: f64,
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

impl CompareArgs {
    /// Returns the paths of both sides.
    pub fn sides(&self) -> (Vec<PathBuf>, Vec<PathBuf>) {
        let side = |one: &Option<PathBuf>, several: &Vec<PathBuf>| match one {
            Some(one) => vec![one.clone()],
            None => several.clone(),
        };
        (
            side(&self.a, &self.several_a),
            side(&self.b, &self.several_b),
        )
    }
}

/// Parses a percentage above 0 and up to 100, with or without a percent sign.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('%').trim().parse::<f64>() {
        Ok(percent) if percent > 0.0 && percent <= 100.0 => Ok(percent),
        _ => Err("more than 0 and at most 100, in percent".to_owned()),
    }
}
