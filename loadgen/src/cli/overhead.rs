//! The options of `loadgen overhead`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::{ContainerRange, timeout};
use crate::plan::{Plan, SignalChoice};
use crate::scenario::PodShape;

/// `loadgen overhead`.
#[derive(Debug, Clone, Args)]
pub struct OverheadArgs {
    /// How many pods in each round at each layer.
    #[arg(long, env = "LOADGEN_PODS", value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub pods: u64,
    /// How many containers a pod has: MIN-MAX, or one number.
    #[arg(
        long,
        env = "LOADGEN_CONTAINERS",
        value_name = "MIN-MAX",
        default_value = "1"
    )]
    pub containers: ContainerRange,
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
    /// How many rounds.
    #[arg(long, env = "LOADGEN_ROUNDS", value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// How long a call may take.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = timeout)]
    pub timeout: Duration,
    /// The sandboxer to start [default: resource-slot-sandboxer beside this program, else on PATH].
    #[arg(long, env = "LOADGEN_SANDBOXER", value_name = "PATH")]
    pub sandboxer: Option<PathBuf>,
    /// An argument for the sandboxers that are started; may be repeated.
    #[arg(
        long = "sandboxer-arg",
        env = "LOADGEN_SANDBOXER_ARG",
        value_name = "ARG",
        allow_hyphen_values = true
    )]
    pub sandboxer_args: Vec<OsString>,
    /// The containerd to start, 2.1 or newer [default: $CONTAINERD_BIN, else on PATH].
    #[arg(long, env = "LOADGEN_CONTAINERD", value_name = "PATH")]
    pub containerd: Option<PathBuf>,
    /// The directory under which the result is saved.
    #[arg(
        long,
        env = "LOADGEN_RESULTS",
        value_name = "DIR",
        default_value = "results"
    )]
    pub results: PathBuf,
    /// Print result.json to standard output; the table goes to standard error.
    #[arg(long, env = "LOADGEN_JSON", value_parser = BoolishValueParser::new())]
    pub json: bool,
    /// Show no progress.
    #[arg(long, env = "LOADGEN_NO_PROGRESS", value_parser = BoolishValueParser::new())]
    pub no_progress: bool,
    /// Show neither progress nor table, only what goes wrong.
    #[arg(long, short, env = "LOADGEN_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
}

impl OverheadArgs {
    /// The plan of each round.
    pub fn plan(&self) -> Plan {
        let containers = self.containers.0.clone();
        let (min, max) = containers.into_inner();
        let shape = PodShape {
            signal: self.signal,
            ..PodShape::with_containers(u64::from(min), u64::from(max))
        };
        Plan::new(self.seed, shape)
    }
}
