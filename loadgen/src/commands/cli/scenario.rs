//! Which scenario, and what of it is changed.

use clap::Args;

use crate::commands::error::ScenarioChoiceError;
use crate::workload::scenario::{Overrides, Scenario};

/// A scenario and changes to it.
#[derive(Debug, Clone, Args)]
pub struct ScenarioArgs {
    /// The workload: a shipped scenario (see `loadgen scenarios`) or a TOML file.
    #[arg(value_name = "SCENARIO", env = "LOADGEN_SCENARIO")]
    pub scenario: Option<String>,
    /// What is changed.
    #[command(flatten)]
    pub overrides: Overrides,
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
        Ok(self
            .overrides
            .apply(Scenario::find(self.scenario.as_deref().unwrap_or(default))?)?)
    }
}
