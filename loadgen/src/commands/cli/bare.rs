//! Options of `loadgen bare`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use containerd_sandbox::SocketPath;

use super::values::{socket, timeout};

/// Options of `loadgen bare`.
#[derive(Debug, Clone, Args)]
pub struct BareArgs {
    /// Socket of the sandboxer, PATH or unix:///PATH.
    #[arg(long, env = "LOADGEN_ENDPOINT", value_name = "SOCKET", value_parser = socket())]
    pub endpoint: SocketPath,
    /// Number of pods.
    #[arg(long, env = "LOADGEN_PODS", value_name = "N", default_value_t = 2000)]
    pub pods: u64,
    /// Calls per pod.
    #[arg(long, env = "LOADGEN_CALLS", value_enum, default_value_t = BareCalls::Engine)]
    pub calls: BareCalls,
    /// Number of pods under way at once.
    #[arg(
        long,
        env = "LOADGEN_CONCURRENCY",
        value_name = "N",
        default_value_t = 64
    )]
    pub concurrency: u32,
    /// Number of connections that the pods share.
    #[arg(
        long,
        env = "LOADGEN_CONNECTIONS",
        value_name = "N",
        default_value_t = 4
    )]
    pub connections: u32,
    /// Seed of all random numbers.
    #[arg(long, env = "LOADGEN_SEED", value_name = "S", default_value_t = 42)]
    pub seed: u64,
    /// Time limit of a call.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = timeout)]
    pub timeout: Duration,
}

/// Calls of `loadgen bare` per pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BareCalls {
    /// The calls of the engine.
    Engine,
    /// The shortest whole lifecycle of a pod with one container: nine calls.
    Life,
    /// Nine calls that change nothing and find nothing.
    Nothing,
}
