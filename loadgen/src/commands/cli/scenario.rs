//! Options for the choice of a scenario and for its overrides.

use clap::Args;
use clap::builder::BoolishValueParser;

use super::OverrideArgs;
use super::values::ScenarioName;
use crate::workload::scenario::{Mismatch, Overrides, Scenario, ScenarioError};

/// Failure to find or override the scenario.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioChoiceError {
    /// The scenario does not exist or is invalid.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// An option has no meaning for the scenario.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

/// Scenario with overrides.
#[derive(Debug, Clone, Args)]
pub struct ScenarioArgs {
    /// Workload: a shipped scenario (see `loadgen scenarios`) or a TOML file.
    #[arg(value_name = "SCENARIO", env = "LOADGEN_SCENARIO", hide_possible_values = true,
          value_parser = ScenarioName)]
    pub scenario: Option<String>,
    /// Overrides of its values.
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

/// Options of `loadgen scenarios`.
#[derive(Debug, Clone, Args)]
pub struct ScenariosCommand {
    /// Show this scenario, shipped or a TOML file, with every key.
    #[arg(long, env = "LOADGEN_PRINT", value_name = "SCENARIO")]
    pub print: Option<String>,
    /// Print the list as JSON.
    #[arg(long, env = "LOADGEN_JSON", conflicts_with = "print", value_parser = BoolishValueParser::new())]
    pub json: bool,
}

impl ScenarioArgs {
    /// Returns the scenario with its overrides; `default` if no scenario is named.
    ///
    /// # Errors
    /// If the scenario does not exist or is invalid, or an option has no meaning for
    /// it.
    pub fn resolve(&self, default: &str) -> Result<Scenario, ScenarioChoiceError> {
        let scenario = Scenario::find(self.scenario.as_deref().unwrap_or(default))?;
        Ok(Overrides::from(self.overrides.clone()).apply(scenario)?)
    }
}
