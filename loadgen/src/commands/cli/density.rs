//! Options of `loadgen density`.

use clap::Args;

use super::{OutputArgs, ScenarioArgs, TargetArgs};

/// Number of densities without `--at`.
const STEPS: u64 = 5;

/// Options of `loadgen density`.
#[derive(Debug, Clone, Args)]
pub struct DensityArgs {
    /// Scenario of the held pods [default: the scenario `density`].
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// Numbers of living pods to measure at; give at least four for a useful confidence
    /// interval [default: five equal steps up to the scenario's pods].
    #[arg(long = "at", env = "LOADGEN_AT", value_name = "PODS,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub at: Vec<u64>,
    /// Server to load.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Form and place of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl DensityArgs {
    /// Returns the densities in rising order; by default equal steps up to `pods`.
    pub fn densities(&self, pods: u64) -> Vec<u64> {
        let mut densities = if self.at.is_empty() {
            (1..=STEPS)
                .map(|step| (pods * step / STEPS).max(1))
                .collect()
        } else {
            self.at.clone()
        };
        densities.sort_unstable();
        densities.dedup();
        densities
    }
}
