//! What is said of a result, and where it is kept.

use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::show::progress::Style;

/// What is said of a result, and where it is kept.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// The directory under which the result is saved.
    #[arg(
        long,
        env = "LOADGEN_RESULTS",
        value_name = "DIR",
        default_value = "results"
    )]
    pub results: PathBuf,
    /// Print result.json to standard output; the table goes to standard error.
    #[arg(long, env = "LOADGEN_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// Show no progress.
    #[arg(long, env = "LOADGEN_NO_PROGRESS", value_parser = BoolishValueParser::new())]
    pub no_progress: bool,
    /// Show neither progress nor table, only what goes wrong.
    #[arg(long, short, env = "LOADGEN_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
}

impl OutputArgs {
    /// How progress is shown.
    pub fn style(&self) -> Style {
        Style::of_stderr(!self.no_progress && !self.quiet)
    }
}
