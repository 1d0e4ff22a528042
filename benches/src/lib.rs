//! Inputs and settings that the benches and the counted paths share. The benches themselves
//! live in `benches/`; `src/bin/instructions.rs` runs the paths for a counter of instructions.

pub mod inputs;

use std::sync::Arc;
use std::time::Duration;

use pod_resources::OnInvalid;
use sandboxer::live::Settings;

/// A sandboxer's settings, as on one thread by default.
pub fn settings() -> Settings {
    Settings {
        lives: Arc::default(),
        on_invalid: OnInvalid::Reject,
        exit_delay: Duration::ZERO,
        unknown_command: 127,
        max_sandboxes: usize::MAX,
        slowdown_percent: 0,
    }
}
