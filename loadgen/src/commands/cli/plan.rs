//! Options of `loadgen plan`.

use clap::Args;
use clap::builder::BoolishValueParser;

use super::ScenarioArgs;

/// Options of `loadgen plan`.
#[derive(Debug, Clone, Args)]
pub struct PlanCommand {
    /// Scenario of the plan.
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Show the requests of the pod at this index, from 0, as JSON, instead of the hash.
    #[arg(long, env = "LOADGEN_SHOW", value_name = "INDEX")]
    pub show: Option<u64>,
    /// Print the hash, with the number of pods and the seed, as JSON.
    #[arg(long, env = "LOADGEN_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
}
