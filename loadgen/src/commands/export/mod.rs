//! `loadgen export`: figures of saved results in the formats of other tools.
//!
//! ```text
//! measure      the figures of a result, with unit, bounds and direction; `csv` of them
//! json         Bencher Metric Format, and the custom format of github-action-benchmark
//! openmetrics  OpenMetrics text
//! junit        the verdicts of a result as test cases
//! ```

mod json;
mod junit;
pub mod measure;
mod openmetrics;

use std::io;

use super::any_result;
use super::cli::{ExportArgs, ExportFormat};
use super::exit::Verdict;
use super::print;
use crate::result::LoadError;
use crate::result::directory::SaveError;

/// Failure to export results.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The result cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The format cannot be written.
    #[error("write the format")]
    Write(#[from] io::Error),
    /// The file cannot be written.
    #[error(transparent)]
    Save(#[from] SaveError),
}

/// Writes saved results in the format of another tool.
///
/// # Errors
/// If a result cannot be read, cannot be exported, or the output cannot be written.
pub fn run(args: &ExportArgs) -> Result<Verdict, ExportError> {
    print::to::<ExportError>(args.output.as_deref(), &text(args)?)?;
    Ok(Verdict::Good)
}

fn text(args: &ExportArgs) -> Result<String, ExportError> {
    let (mut measures, mut suites) = (Vec::new(), Vec::new());
    for path in &args.results {
        let result = any_result::load(path)?;
        measures.extend(measure::of(&result));
        suites.extend(junit::of(&result));
    }
    Ok(match args.format {
        ExportFormat::Csv => measure::csv(&measures)?,
        ExportFormat::Bmf => json::bmf(&measures),
        ExportFormat::GithubActionBenchmark => json::github_action_benchmark(&measures, false),
        ExportFormat::GithubActionBenchmarkBigger => json::github_action_benchmark(&measures, true),
        ExportFormat::Openmetrics => openmetrics::text(&measures).map_err(io::Error::other)?,
        ExportFormat::Junit => junit::text(&suites),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn exported(name: &str, format: ExportFormat) -> Result<String, ExportError> {
        let results = concat!(env!("CARGO_MANIFEST_DIR"), "/../results");
        text(&ExportArgs {
            results: vec![Path::new(results).join(name)],
            format,
            output: None,
        })
    }

    #[test]
    fn each_kind_of_result_has_figures() {
        for (name, figure) in [
            ("presets/node", "pod,latency-p50,ns"),
            ("search", "highest rate that meets,throughput,pods/s"),
            ("cost", "sandboxer,memory-per-pod,B"),
            ("overhead", "overhead,containerd,pod,latency-p50,ns"),
        ] {
            let csv = exported(name, ExportFormat::Csv).unwrap();
            assert!(csv.contains(figure), "{csv}");
        }
    }
}
