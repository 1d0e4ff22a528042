//! The options of `loadgen overhead`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;

use super::{ContainerRange, OutputArgs, RequestArgs};
use crate::workload::plan::Plan;

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
    /// How they are made and asked for.
    #[command(flatten)]
    pub requests: RequestArgs,
    /// How many rounds.
    #[arg(long, env = "LOADGEN_ROUNDS", value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
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
    /// Leave out the layer through containerd, and so what containerd costs: for a machine that
    /// has none.
    #[arg(long, env = "LOADGEN_NO_CONTAINERD", value_parser = BoolishValueParser::new(),
          conflicts_with = "containerd")]
    pub no_containerd: bool,
    /// Hold the sandboxer to its bars, the share of a pod's latency through containerd and the CPU
    /// time of a pod: a missed bar is exit code 3.
    #[arg(long, env = "LOADGEN_BAR", value_parser = BoolishValueParser::new())]
    pub bar: bool,
    /// What is said of the result, and where it is kept.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl OverheadArgs {
    /// The plan of each round.
    pub fn plan(&self) -> Plan {
        self.requests.plan(&self.containers)
    }
}
