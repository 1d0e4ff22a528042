//! Options for the requests of pods in rounds.

use std::time::Duration;

use clap::Args;

use super::ContainerRange;
use super::values::timeout;
use crate::workload::plan::Plan;
use crate::workload::scenario::{PodShape, SignalChoice};

/// Requests of the pods in rounds.
#[derive(Debug, Clone, Args)]
pub struct RequestArgs {
    /// Seed of all random numbers.
    #[arg(long, env = "LOADGEN_SEED", value_name = "S", default_value_t = 42)]
    pub seed: u64,
    /// Signal that ends a container.
    #[arg(
        long,
        env = "LOADGEN_SIGNAL",
        value_name = "SIGNAL",
        default_value = "mix"
    )]
    pub signal: SignalChoice,
    /// Time limit of a call.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = timeout)]
    pub timeout: Duration,
}

impl RequestArgs {
    /// Returns a plan of pods with so many containers.
    pub fn plan(&self, containers: &ContainerRange) -> Plan {
        let (min, max) = containers.0.clone().into_inner();
        let shape = PodShape {
            signal: self.signal,
            ..PodShape::with_containers(u64::from(min), u64::from(max))
        };
        Plan::new(self.seed, shape)
    }

    /// Returns the name of the signal in results.
    pub fn signal_name(&self) -> String {
        self.signal.name().to_owned()
    }
}
