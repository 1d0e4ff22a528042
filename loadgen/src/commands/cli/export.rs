//! Options of `loadgen export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Options of `loadgen export`.
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Results of any command: their directories, or their result.json.
    #[arg(required = true, value_name = "RESULT")]
    pub results: Vec<PathBuf>,
    /// Format of the output.
    #[arg(long, env = "LOADGEN_FORMAT", value_name = "FORMAT")]
    pub format: ExportFormat,
    /// File for the output [default: standard output]; - is standard output.
    #[arg(long, short, env = "LOADGEN_OUTPUT", value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// Format of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// Bencher Metric Format, for `bencher run --adapter json`.
    Bmf,
    /// Figures of which less is better, for github-action-benchmark with the tool
    /// customSmallerIsBetter.
    GithubActionBenchmark,
    /// Figures of which more is better, for github-action-benchmark with the tool
    /// customBiggerIsBetter.
    GithubActionBenchmarkBigger,
    /// Errors, validity and verdicts as test cases of JUnit.
    Junit,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// OpenMetrics text, for the textfile collector of node_exporter.
    Openmetrics,
}
