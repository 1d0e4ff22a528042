//! Options of `loadgen level`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// Options of `loadgen level`.
#[derive(Debug, Clone, Args)]
pub struct LevelArgs {
    /// Result of the run: its directory, or its result.json.
    #[arg(value_name = "RESULT")]
    pub result: PathBuf,
    /// Time to skip at the start of the run, until one-time allocations are done.
    #[arg(
        long,
        env = "LOADGEN_SKIP",
        value_name = "TIME",
        default_value = "0s",
        value_parser = humantime::parse_duration
    )]
    pub skip: Duration,
    /// Check only the process with this role.
    #[arg(long, env = "LOADGEN_ROLE", value_name = "ROLE")]
    pub role: Option<String>,
}
