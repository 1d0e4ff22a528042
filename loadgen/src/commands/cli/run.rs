//! The options of `loadgen run`.

use std::path::PathBuf;

use clap::Args;

use super::{MetricsArgs, OutputArgs, ScenarioArgs, TargetArgs};
use crate::result::slo::Slo;

/// `loadgen run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// What is run.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Hold the run to this, as in pod.p99<20ms, or exit with code 3: any operation's mean, p50,
    /// p90, p99, p999, max, rate (per second) or errors; may be repeated.
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
    /// On what.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What comes of it.
    #[command(flatten)]
    pub output: OutputArgs,
    /// Who is told how it goes on.
    #[command(flatten)]
    pub metrics: MetricsArgs,
}
