//! Options of `loadgen null`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::server::null::Faults;

/// Options of `loadgen null`.
#[derive(Debug, Clone, Args)]
pub struct NullArgs {
    /// Unix socket to listen on.
    #[arg(long, env = "LOADGEN_LISTEN", value_name = "SOCKET")]
    pub listen: PathBuf,
    /// End together with the parent process, even if the parent is killed.
    #[arg(long, env = "LOADGEN_DIE_WITH_PARENT", value_parser = BoolishValueParser::new())]
    pub die_with_parent: bool,
    /// Highest number of sandboxes created per second; further creates wait.
    #[arg(long, env = "LOADGEN_CAPACITY", value_name = "RATE")]
    pub capacity: Option<f64>,
    /// Bytes to leak per sandbox.
    #[arg(long, env = "LOADGEN_LEAK", value_name = "BYTES", default_value_t = 0)]
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
