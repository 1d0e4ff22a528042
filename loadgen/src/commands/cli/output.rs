//! Options for the output and the directory of a result.

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::show::progress::Style;

/// Form and place of the result.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Directory for saved results.
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
    /// Further file for result.json; - is standard output, as with --json.
    #[arg(long, short, env = "LOADGEN_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Show no progress.
    #[arg(long, env = "LOADGEN_NO_PROGRESS", value_parser = BoolishValueParser::new())]
    pub no_progress: bool,
    /// Show neither progress nor table, only problems.
    #[arg(long, short, env = "LOADGEN_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
}

/// Returns whether the name of a file stands for standard output.
pub fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

impl OutputArgs {
    /// Returns whether the document goes to standard output.
    pub fn is_json(&self) -> bool {
        self.json || self.output.as_deref().is_some_and(is_stdout)
    }

    /// Returns the style of progress output.
    pub fn style(&self) -> Style {
        Style::of_stderr(!self.no_progress && !self.quiet)
    }
}
