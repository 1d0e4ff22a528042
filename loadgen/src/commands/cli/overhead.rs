//! Options of `loadgen overhead`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use clap::builder::BoolishValueParser;
use containerd_sandbox::SocketPath;

use super::values::socket;
use super::{ContainerRange, FilesArgs, OutputArgs, RequestArgs};
use crate::workload::plan::Plan;

/// Options of `loadgen overhead`.
#[derive(Debug, Clone, Args)]
pub struct OverheadArgs {
    /// Number of pods in each round at each layer.
    #[arg(long, env = "LOADGEN_PODS", value_name = "N", default_value_t = 200,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub pods: u64,
    /// Containers per pod: MIN-MAX, or one number.
    #[arg(
        long,
        env = "LOADGEN_CONTAINERS",
        value_name = "MIN-MAX",
        default_value = "1"
    )]
    pub containers: ContainerRange,
    /// Requests of the pods.
    #[command(flatten)]
    pub requests: RequestArgs,
    /// Number of rounds.
    #[arg(long, env = "LOADGEN_ROUNDS", value_name = "N", default_value_t = 5,
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub rounds: u32,
    /// Sandboxer to start [default: resource-slot-sandboxer beside this program, else
    /// on PATH].
    #[arg(long, env = "LOADGEN_SANDBOXER", value_name = "PATH")]
    pub sandboxer: Option<PathBuf>,
    /// Argument for the started sandboxers; may be repeated.
    #[arg(
        long = "sandboxer-arg",
        env = "LOADGEN_SANDBOXER_ARG",
        value_name = "ARG",
        allow_hyphen_values = true
    )]
    pub sandboxer_args: Vec<OsString>,
    /// containerd to start, 2.1 or newer [default: $CONTAINERD_BIN, else on PATH].
    #[arg(long, env = "LOADGEN_CONTAINERD", value_name = "PATH")]
    pub containerd: Option<PathBuf>,
    /// Runtime handlers of real containers, such as runc,crun: each is one more layer through
    /// the same containerd, and through the one at --endpoint. Their programs must be on
    /// PATH, and loadgen must be root.
    #[arg(
        long,
        env = "LOADGEN_HANDLERS",
        value_name = "NAMES",
        value_delimiter = ',',
        conflicts_with = "no_containerd"
    )]
    pub handlers: Vec<String>,
    /// Measure the CRI runtime at this socket, unix:///PATH or PATH, as well.
    #[arg(long, env = "LOADGEN_ENDPOINT", value_name = "SOCKET", value_parser = socket())]
    pub endpoint: Option<SocketPath>,
    /// Leave out the layer through containerd, and with it the cost of containerd:
    /// for a machine without containerd.
    #[arg(long, env = "LOADGEN_NO_CONTAINERD", value_parser = BoolishValueParser::new(),
          conflicts_with = "containerd")]
    pub no_containerd: bool,
    /// After the rounds, also run the pods through a containerd that sends spans, and say where the
    /// time of each call goes. The rounds themselves are without spans.
    #[arg(long, env = "LOADGEN_SPANS", value_parser = BoolishValueParser::new(),
          conflicts_with = "no_containerd")]
    pub spans: bool,
    /// Place of the servers' files.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Check the sandboxer against its bars, its share of a pod's latency through
    /// containerd and its CPU time per pod: a missed bar gives exit code 3.
    #[arg(long, env = "LOADGEN_BAR", value_parser = BoolishValueParser::new())]
    pub bar: bool,
    /// Form and place of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl OverheadArgs {
    /// Returns the plan of each round.
    pub fn plan(&self) -> Plan {
        self.requests.plan(&self.containers)
    }
}
