//! Options of `loadgen trend`.

use std::path::PathBuf;

use clap::builder::BoolishValueParser;
use clap::{Args, ValueEnum};

use super::compare::percent;

/// Options of `loadgen trend`.
#[derive(Debug, Clone, Args)]
pub struct TrendArgs {
    /// Points of the series: each the directory of a result, or a directory of results. A single
    /// directory without a result has a point in each of its directories.
    #[arg(required = true, value_name = "DIR")]
    pub points: Vec<PathBuf>,
    /// Smallest change that counts, in percent.
    #[arg(long, env = "LOADGEN_MIN_EFFECT", value_name = "PERCENT", default_value = "3",
          value_parser = percent)]
    pub min_effect: f64,
    /// Highest probability that a change is found if nothing has changed.
    #[arg(long, env = "LOADGEN_ALPHA", value_name = "P", default_value = "0.01",
          value_parser = alpha)]
    pub alpha: f64,
    /// Test all figures, not only those that decide a comparison.
    #[arg(long, env = "LOADGEN_ALL", value_parser = BoolishValueParser::new())]
    pub all: bool,
    /// Exit with code 3 if a figure became worse.
    #[arg(long, env = "LOADGEN_FAIL_ON_CHANGE", value_parser = BoolishValueParser::new())]
    pub fail_on_change: bool,
    /// Format of the output.
    #[arg(
        long,
        env = "LOADGEN_FORMAT",
        value_name = "FORMAT",
        default_value = "text"
    )]
    pub format: TrendFormat,
    /// File for the output [default: standard output]; - is standard output.
    #[arg(long, short, env = "LOADGEN_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Format of a trend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrendFormat {
    /// Table for a terminal.
    Text,
    /// Table in Markdown.
    Markdown,
    /// Document with all values.
    Json,
    /// Page with a line for each figure.
    Html,
}

fn alpha(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(alpha) if (0.002..=0.2).contains(&alpha) => Ok(alpha),
        _ => Err("0.002 to 0.2".to_owned()),
    }
}
