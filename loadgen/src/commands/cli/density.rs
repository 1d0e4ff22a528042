//! The options of `loadgen density`.

use clap::Args;

use super::{OutputArgs, ScenarioArgs, TargetArgs};

/// How many densities there are if none are given.
const STEPS: u64 = 5;

/// `loadgen density`.
#[derive(Debug, Clone, Args)]
pub struct DensityArgs {
    /// What is held [default: the scenario `density`].
    #[command(flatten)]
    pub scenario: ScenarioArgs,
    /// How many pods are alive, at each density; at least four say how sure the result is
    /// [default: five equal steps up to the scenario's pods].
    #[arg(long = "at", env = "LOADGEN_AT", value_name = "PODS,…", value_delimiter = ',',
          value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub at: Vec<u64>,
    /// On what.
    #[command(flatten)]
    pub target: TargetArgs,
    /// What comes of it.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl DensityArgs {
    /// The densities, if the scenario has so many pods.
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
