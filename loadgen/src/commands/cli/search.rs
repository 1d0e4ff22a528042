//! Options of `loadgen search`.

use clap::Args;

use super::{OutputArgs, OverrideArgs, ScenarioArgs, ScenarioChoiceError, TargetArgs};
use crate::result::slo::Slo;
use crate::workload::scenario::{Scenario, text};

/// Lowest rate to try, in pods per second.
const LEAST_RATE: f64 = 0.01;

/// Options of `loadgen search`.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// Scenario to offer [default: the scenario `steady`]; the search replaces its
    /// rate.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Threshold for a rate, as in pod.p99<50ms; may be repeated.
    #[arg(
        long,
        env = "LOADGEN_SLO",
        value_name = "THRESHOLD",
        value_delimiter = ',',
        default_value = "pod.p99<50ms"
    )]
    pub slo: Vec<Slo>,
    /// First rate to try, in pods per second, or with a unit such as 10/s or 5/m.
    #[arg(long, env = "LOADGEN_FROM", value_name = "RATE", default_value = "50",
          value_parser = rate)]
    pub from: f64,
    /// Highest rate to try, as --from.
    #[arg(long, env = "LOADGEN_UP_TO", value_name = "RATE", default_value = "20000",
          value_parser = rate)]
    pub up_to: f64,
    /// Factor from one rate to the next while all thresholds are met.
    #[arg(long, env = "LOADGEN_FACTOR", value_name = "RATIO", default_value_t = 2.0,
          value_parser = factor)]
    pub factor: f64,
    /// Precision of the result, in percent of the rate.
    #[arg(long, env = "LOADGEN_PRECISION", value_name = "PERCENT", default_value_t = 3.0,
          value_parser = percent)]
    pub precision: f64,
    /// Server to load.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Form and place of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl SearchArgs {
    /// Returns the scenario at a rate.
    ///
    /// # Errors
    /// As [`ScenarioArgs::resolve`].
    pub fn at(&self, default: &str, rate: f64) -> Result<Scenario, ScenarioChoiceError> {
        let overrides = OverrideArgs {
            rate: Some(rate),
            ..self.scenario.overrides.clone()
        };
        let args = ScenarioArgs {
            scenario: self.scenario.scenario.clone(),
            overrides,
        };
        args.resolve(default)
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text::rate(text)? {
        rate if rate >= LEAST_RATE => Ok(rate),
        _ => Err(format!("below {LEAST_RATE} per second")),
    }
}

fn factor(text: &str) -> Result<f64, String> {
    within(text, 1.05, 100.0)
}

fn percent(text: &str) -> Result<f64, String> {
    within(text, 0.1, 100.0)
}

fn within(text: &str, least: f64, most: f64) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        Ok(_) => Err(format!("not from {least} to {most}")),
        Err(error) => Err(error.to_string()),
    }
}
