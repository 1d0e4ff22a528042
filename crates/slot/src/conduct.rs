//! What a container is seen to do while it runs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a container is seen to do while it runs, as it was stated and drawn when it
/// was created.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Conduct {
    /// How long its start takes.
    #[serde(skip_serializing_if = "Duration::is_zero")]
    pub start_delay: Duration,
    /// Which of its pod's starts of containers fail, and with which gRPC code, if it is
    /// this one's turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_start: Option<String>,
    /// How many lines it writes to its log a second.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_lines_per_second: f64,
    /// The share of its CPU request that it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Curve>,
    /// The share of its memory request that it uses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Curve>,
    /// What every command that is run in it prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_output: Option<String>,
    /// The exit code of every command that is run in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_code: Option<u8>,
    /// What makes one random walk differ from another.
    #[serde(skip_serializing_if = "is_none")]
    pub seed: u64,
}

/// A share of a request over time, from the container's start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Curve {
    /// Always the same.
    Constant(f64),
    /// From one share to another within a time, and that one from then on.
    Ramp {
        /// At the start.
        from: f64,
        /// At the end.
        to: f64,
        /// How long it takes.
        over: Duration,
    },
    /// A sine around a share.
    Sine {
        /// The share in the middle.
        mean: f64,
        /// How far it goes to either side.
        amplitude: f64,
        /// The time from peak to peak.
        period: Duration,
    },
    /// A random walk around a share.
    Walk {
        /// The share in the middle.
        mean: f64,
        /// How far it goes to either side at most.
        amplitude: f64,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_none(seed: &u64) -> bool {
    *seed == 0
}
