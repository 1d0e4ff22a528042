//! The options of `loadgen trend`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

/// `loadgen trend`.
#[derive(Debug, Clone, Args)]
pub struct TrendArgs {
    /// The run's result: its directory, or its result.json.
    #[arg(value_name = "RESULT")]
    pub result: PathBuf,
    /// From when on it is looked at: what is allocated once is by then.
    #[arg(
        long,
        env = "LOADGEN_SKIP",
        value_name = "TIME",
        default_value = "0s",
        value_parser = humantime::parse_duration
    )]
    pub skip: Duration,
    /// Of this process only.
    #[arg(long, env = "LOADGEN_ROLE", value_name = "ROLE")]
    pub role: Option<String>,
}
