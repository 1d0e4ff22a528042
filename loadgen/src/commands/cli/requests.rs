//! How pods of rounds are made and asked for.

use std::time::Duration;

use clap::Args;

use super::ContainerRange;
use super::values::timeout;
use crate::workload::plan::Plan;
use crate::workload::scenario::{PodShape, SignalChoice};

/// How pods of rounds are made and asked for.
#[derive(Debug, Clone, Args)]
pub struct RequestArgs {
    /// Where everything random comes from.
    #[arg(long, env = "LOADGEN_SEED", value_name = "S", default_value_t = 42)]
    pub seed: u64,
    /// The signal that ends a container.
    #[arg(
        long,
        env = "LOADGEN_SIGNAL",
        value_name = "SIGNAL",
        default_value = "mix"
    )]
    pub signal: SignalChoice,
    /// How long a call may take.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = timeout)]
    pub timeout: Duration,
}

impl RequestArgs {
    /// Pods with so many containers.
    pub fn plan(&self, containers: &ContainerRange) -> Plan {
        let (min, max) = containers.0.clone().into_inner();
        let shape = PodShape {
            signal: self.signal,
            ..PodShape::with_containers(u64::from(min), u64::from(max))
        };
        Plan::new(self.seed, shape)
    }

    /// The signal's name, as results hold it.
    pub fn signal_name(&self) -> String {
        self.signal.name().to_owned()
    }
}
