//! Options of `loadgen calibrate`.

use std::time::Duration;

use clap::Args;

use super::{OutputArgs, ScenarioArgs, TargetArgs};
use crate::result::calibration::LEAST_RUNS;

/// Number of pods in each run without a scenario.
const PODS: u64 = 1000;

/// Options of `loadgen calibrate`.
#[derive(Debug, Clone, Args)]
pub struct CalibrateArgs {
    /// Time for the runs, in minutes.
    #[arg(long, env = "LOADGEN_MINUTES", value_name = "MINUTES", default_value = "1",
          value_parser = minutes)]
    pub minutes: f64,
    /// Number of runs, instead of a time.
    #[arg(long, env = "LOADGEN_RUNS", value_name = "N", conflicts_with = "minutes",
          value_parser = clap::value_parser!(u32).range(i64::from(LEAST_RUNS)..=1000))]
    pub runs: Option<u32>,
    /// Make no blocks of a gate.
    #[arg(long, env = "LOADGEN_NO_GATE")]
    pub no_gate: bool,
    /// Scenario of each run [default: 1,000 pods of the scenario `churn`].
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Server to load.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Form and place of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl CalibrateArgs {
    /// Returns the scenario of each run.
    pub fn scenario(&self) -> ScenarioArgs {
        let mut scenario = self.scenario.clone();
        let overrides = &mut scenario.overrides;
        if scenario.scenario.is_none() && overrides.rate.is_none() {
            overrides.pods.get_or_insert(PODS);
        }
        scenario
    }

    /// Returns the time for the runs.
    pub fn time(&self) -> Duration {
        Duration::from_secs_f64(self.minutes * 60.0)
    }
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(minutes) if minutes > 0.0 && minutes <= 1440.0 => Ok(minutes),
        _ => Err("more than 0 and at most 1440, in minutes".to_owned()),
    }
}
