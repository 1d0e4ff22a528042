//! The options of `loadgen report`.

use std::path::PathBuf;

use clap::Args;

/// `loadgen report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The directory of the result.
    pub dir: PathBuf,
    /// Where the page goes [default: report.html in the directory]; - is standard output.
    #[arg(long, short, env = "LOADGEN_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}
