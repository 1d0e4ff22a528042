//! Options of `loadgen run`.

use std::path::PathBuf;

use clap::Args;

use super::{MetricsArgs, OutputArgs, ScenarioArgs, TargetArgs};
use crate::result::baseline::BaselineName;
use crate::result::slo::Slo;

/// Options of `loadgen run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Scenario to run.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Threshold for the run, as in pod.p99<20ms; a missed threshold gives exit code 3.
    /// Available are any operation's mean, p50, p90, p99, p999, max, rate (per second) or
    /// errors; may be repeated. With --repeat every run must meet it.
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
    /// Number of runs, each with a newly started server and the same pods. They are saved as
    /// results/runs-TIME-SEED/, with their median and spread.
    #[arg(long, env = "LOADGEN_REPEAT", value_name = "N", default_value_t = 1,
          conflicts_with = "record", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Known variation of this machine from run to run, as measured by `loadgen calibrate`:
    /// its calibration.json. The result carries it, so that `loadgen compare` can judge
    /// single runs.
    #[arg(long, env = "LOADGEN_CALIBRATION", value_name = "FILE")]
    pub calibration: Option<PathBuf>,
    /// Keep a copy of the result under this name, in the directory for results, for `loadgen
    /// compare --baseline`; it takes the place of an earlier one.
    #[arg(long, env = "LOADGEN_SAVE_BASELINE", value_name = "NAME")]
    pub save_baseline: Option<BaselineName>,
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
