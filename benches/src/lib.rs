//! Inputs and settings that the benchmarks in `benches/` and the counted paths share.
//!
//! Each benchmark runs beside a *floor*: the least work without which its task cannot be done,
//! such as the plain file operations of an append. `src/bin/instructions.rs` runs the pure paths
//! for a counter of instructions.

pub mod inputs;

use std::sync::Arc;
use std::time::Duration;

use pod_resources::Rules;
use sandboxer::live::{HostRules, LogRoot, Settings};

/// Returns the default settings of a sandboxer on one thread.
pub fn settings() -> Settings {
    Settings {
        profile: Arc::default(),
        rules: Rules::default(),
        exit_delay: Duration::ZERO,
        unknown_command: 127,
        max_sandboxes: usize::MAX,
        log_root: LogRoot::default(),
        clock: Arc::default(),
        node_memory: 16 << 30,
        host: HostRules::default(),
        slowdown_percent: 0,
    }
}
