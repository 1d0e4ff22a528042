//! The options of `loadgen bare`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::values::timeout;
use crate::server::endpoint::Endpoint;

/// `loadgen bare`.
#[derive(Debug, Clone, Args)]
pub struct BareArgs {
    /// Where the sandboxer listens.
    #[arg(long, env = "LOADGEN_ENDPOINT", value_name = "SOCKET")]
    pub endpoint: Endpoint,
    /// How many pods.
    #[arg(long, env = "LOADGEN_PODS", value_name = "N", default_value_t = 2000)]
    pub pods: u64,
    /// What is called for each pod.
    #[arg(long, env = "LOADGEN_CALLS", value_enum, default_value_t = BareCalls::Engine)]
    pub calls: BareCalls,
    /// How many pods are under way at once.
    #[arg(
        long,
        env = "LOADGEN_CONCURRENCY",
        value_name = "N",
        default_value_t = 64
    )]
    pub concurrency: u32,
    /// How many connections they share.
    #[arg(
        long,
        env = "LOADGEN_CONNECTIONS",
        value_name = "N",
        default_value_t = 4
    )]
    pub connections: u32,
    /// Where everything random comes from.
    #[arg(long, env = "LOADGEN_SEED", value_name = "S", default_value_t = 42)]
    pub seed: u64,
    /// How long a call may take.
    #[arg(long, env = "LOADGEN_TIMEOUT", value_name = "DURATION", default_value = "30s",
          value_parser = timeout)]
    pub timeout: Duration,
}

/// What `loadgen bare` calls for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BareCalls {
    /// What the engine does.
    Engine,
    /// The shortest whole life of a pod with one container: nine calls.
    Life,
    /// As many calls that change nothing and find nothing.
    Nothing,
}
