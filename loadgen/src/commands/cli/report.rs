//! The options of `loadgen report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `loadgen report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// The result: its directory, or its result.json. Several, with --format text or markdown.
    #[arg(required = true, value_name = "RESULT")]
    pub results: Vec<PathBuf>,
    /// How it is reported.
    #[arg(
        long,
        env = "LOADGEN_FORMAT",
        value_name = "FORMAT",
        default_value = "html"
    )]
    pub format: ReportFormat,
    /// Where the report goes [default: report.html in the directory, of a page; else standard
    /// output]; - is standard output.
    #[arg(long, short, env = "LOADGEN_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// What a report is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// The page of a run, a search or a density measurement.
    Html,
    /// As it was printed when it was measured.
    Text,
    /// A table of runs, each a row.
    Markdown,
}
