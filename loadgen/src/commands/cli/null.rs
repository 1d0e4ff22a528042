//! Options of `loadgen null`.

use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;
use containerd_sandbox::SocketPath;

use super::values::{bytes, socket};
use crate::server::null::Faults;
use crate::workload::scenario::text;

/// Options of `loadgen null`.
#[derive(Debug, Clone, Args)]
pub struct NullArgs {
    /// Unix socket to listen on, PATH or unix:///PATH.
    #[arg(long, env = "LOADGEN_LISTEN", value_name = "SOCKET", value_parser = socket())]
    pub listen: SocketPath,
    /// End together with the parent process, even if the parent is killed.
    #[arg(long, env = "LOADGEN_DIE_WITH_PARENT", value_parser = BoolishValueParser::new())]
    pub die_with_parent: bool,
    /// Highest rate at which sandboxes are created, such as 50 (per second), 50/s or 3000/m;
    /// further creates wait.
    #[arg(long, env = "LOADGEN_CAPACITY", value_name = "RATE", value_parser = text::rate)]
    pub capacity: Option<f64>,
    /// Bytes to leak per sandbox, such as 64KiB.
    #[arg(long, env = "LOADGEN_LEAK", value_name = "BYTES", default_value = "0",
          value_parser = bytes)]
    pub leak: usize,
    /// Length of each stall.
    #[arg(long, env = "LOADGEN_STALL", value_name = "DURATION", default_value = "0s",
          value_parser = humantime::parse_duration)]
    pub stall: Duration,
    /// Time from the start of one stall to the start of the next.
    #[arg(long, env = "LOADGEN_STALL_EVERY", value_name = "DURATION", default_value = "5s",
          value_parser = humantime::parse_duration)]
    pub stall_every: Duration,
}

impl NullArgs {
    /// Returns the faults to inject.
    pub fn faults(&self) -> Faults {
        Faults {
            capacity: self.capacity,
            leak: self.leak,
            stall: self.stall,
            stall_every: self.stall_every,
        }
    }
}
