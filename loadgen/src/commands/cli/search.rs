//! The options of `loadgen search`.

use clap::Args;

use super::{OutputArgs, OverrideArgs, ScenarioArgs, ScenarioChoiceError, TargetArgs};
use crate::result::slo::Slo;
use crate::workload::scenario::Scenario;

/// `loadgen search`.
#[derive(Debug, Clone, Args)]
pub struct SearchArgs {
    /// What is offered [default: the scenario `steady`]; its rate is what is searched for.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// What a rate must meet, as in pod.p99<50ms; may be repeated.
    #[arg(
        long,
        env = "LOADGEN_SLO",
        value_name = "THRESHOLD",
        value_delimiter = ',',
        default_value = "pod.p99<50ms"
    )]
    pub slo: Vec<Slo>,
    /// The first rate, in pods per second.
    #[arg(long, env = "LOADGEN_FROM", value_name = "PODS/S", default_value_t = 50.0,
          value_parser = rate)]
    pub from: f64,
    /// The highest rate that is tried.
    #[arg(long, env = "LOADGEN_UP_TO", value_name = "PODS/S", default_value_t = 20_000.0,
          value_parser = rate)]
    pub up_to: f64,
    /// By what a rate is multiplied as long as all are met.
    #[arg(long, env = "LOADGEN_FACTOR", value_name = "RATIO", default_value_t = 2.0,
          value_parser = factor)]
    pub factor: f64,
    /// How close the answer is to be, in percent of the rate.
    #[arg(long, env = "LOADGEN_PRECISION", value_name = "PERCENT", default_value_t = 3.0,
          value_parser = percent)]
    pub precision: f64,
    /// On what.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What comes of it.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl SearchArgs {
    /// The scenario at a rate.
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
    within(text, 0.01, 1e6)
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
