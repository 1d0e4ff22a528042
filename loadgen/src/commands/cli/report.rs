//! Options of `loadgen report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options of `loadgen report`.
#[derive(Debug, Clone, Args)]
pub struct ReportArgs {
    /// Result: its directory, or its result.json. Several, with --format text,
    /// markdown or json.
    #[arg(required = true, value_name = "RESULT")]
    pub results: Vec<PathBuf>,
    /// Format of the report.
    #[arg(
        long,
        env = "LOADGEN_FORMAT",
        value_name = "FORMAT",
        default_value = "html"
    )]
    pub format: ReportFormat,
    /// File for the report [default: report.html in the directory for a page, else
    /// standard output]; - is standard output.
    #[arg(long, short, env = "LOADGEN_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Format of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Page of a run, a search, a density or overhead measurement, or a gate.
    Html,
    /// Text as printed after the measurement.
    Text,
    /// Tables in Markdown; one table with a row for each run.
    Markdown,
    /// Document of the result; a list of several.
    Json,
}
