//! Which scenario, and what of it is changed.

use clap::Args;

use super::OverrideArgs;
use crate::workload::scenario::{Mismatch, Overrides, Scenario, ScenarioError};

/// There is no scenario to run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioChoiceError {
    /// It cannot be found or is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// An option has no meaning for it.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

/// A scenario and changes to it.
#[derive(Debug, Clone, Args)]
pub struct ScenarioArgs {
    /// The workload: a shipped scenario (see `loadgen scenarios`) or a TOML file.
    #[arg(value_name = "SCENARIO", env = "LOADGEN_SCENARIO")]
    pub scenario: Option<String>,
    /// What is changed.
    #[command(flatten)]
    pub overrides: OverrideArgs,
}

/// `loadgen scenarios`.
#[derive(Debug, Clone, Args)]
pub struct ScenariosCommand {
    /// Show this one, shipped or a TOML file, with every key.
    #[arg(long, env = "LOADGEN_PRINT", value_name = "SCENARIO")]
    pub print: Option<String>,
}

impl ScenarioArgs {
    /// The scenario as it is to be run; `default` if none is named.
    ///
    /// # Errors
    /// If there is none, it is wrong, or an option has no meaning for it.
    pub fn resolve(&self, default: &str) -> Result<Scenario, ScenarioChoiceError> {
        let scenario = Scenario::find(self.scenario.as_deref().unwrap_or(default))?;
        Ok(Overrides::from(self.overrides.clone()).apply(scenario)?)
    }
}
