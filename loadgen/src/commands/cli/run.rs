//! Options of `loadgen run`.

use std::path::PathBuf;

use clap::Args;

use super::{MetricsArgs, OutputArgs, ScenarioArgs, TargetArgs};
use crate::result::slo::Slo;

/// Options of `loadgen run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Scenario to run.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Threshold for the run, as in pod.p99<20ms; a missed threshold gives exit code 3.
    /// Available are any operation's mean, p50, p90, p99, p999, max, rate (per second) or
    /// errors; may be repeated.
    #[arg(
        long,
        env = "LOADGEN_SLO",
        value_name = "THRESHOLD",
        value_delimiter = ','
    )]
    pub slo: Vec<Slo>,
    /// Write a trace of the run to this file, for `loadgen replay`.
    #[arg(long, env = "LOADGEN_RECORD", value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Server to load.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Form and place of the result.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Destinations of metrics during the run.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}
