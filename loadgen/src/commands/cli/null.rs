//! The options of `loadgen null`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::BoolishValueParser;

use crate::server::null::Faults;

/// `loadgen null`.
#[derive(Debug, Clone, Args)]
pub struct NullArgs {
    /// The Unix socket to listen on.
    #[arg(long, env = "LOADGEN_LISTEN", value_name = "SOCKET")]
    pub listen: PathBuf,
    /// End with the process that started this one, however that ends.
    #[arg(long, env = "LOADGEN_DIE_WITH_PARENT", value_parser = BoolishValueParser::new())]
    pub die_with_parent: bool,
    /// Create so many sandboxes a second at most; the others wait.
    #[arg(long, env = "LOADGEN_CAPACITY", value_name = "RATE")]
    pub capacity: Option<f64>,
    /// Lose so many bytes with each sandbox.
    #[arg(long, env = "LOADGEN_LEAK", value_name = "BYTES", default_value_t = 0)]
    pub leak: usize,
    /// Stall for so long.
    #[arg(long, env = "LOADGEN_STALL", value_name = "DURATION", default_value = "0s",
          value_parser = humantime::parse_duration)]
    pub stall: Duration,
    /// How often to stall.
    #[arg(long, env = "LOADGEN_STALL_EVERY", value_name = "DURATION", default_value = "5s",
          value_parser = humantime::parse_duration)]
    pub stall_every: Duration,
}

impl NullArgs {
    /// What is to be wrong with it.
    pub fn faults(&self) -> Faults {
        Faults {
            capacity: self.capacity,
            leak: self.leak,
            stall: self.stall,
            stall_every: self.stall_every,
        }
    }
}
