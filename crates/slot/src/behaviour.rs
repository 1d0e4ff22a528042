//! Simulated behaviour of a container.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Simulated behaviour of a container.
///
/// The values are stated by annotations or drawn from a profile when the container is created,
/// and kept, so that a restart changes none of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Behaviour {
    /// Delay of the start.
    #[serde(skip_serializing_if = "Duration::is_zero")]
    pub start_delay: Duration,
    /// Rule of the pod's container starts that fail, such as every third one, with the gRPC
    /// code of the failure; `None` if none fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail_start: Option<String>,
    /// Lines that the container writes to its log per second.
    #[serde(skip_serializing_if = "is_zero")]
    pub log_lines_per_second: f64,
    /// CPU use as a share of the CPU request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Curve>,
    /// Memory use as a share of the memory request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Curve>,
    /// Output of every command that is run in the container; `None` for the output of the toy
    /// userland.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_output: Option<String>,
    /// Exit code of every command that is run in the container; `None` for that of the toy
    /// userland.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exec_code: Option<u8>,
    /// Reactions to signals, by number, in place of the usual ones.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub signals: BTreeMap<u32, Reaction>,
    /// Termination message of the container; `None` for what its command writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub termination_message: Option<String>,
    /// Answers to probes; `None` if nothing is stated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<Box<ProbeBehaviour>>,
    /// Seed of the random walks of this container; 0 if none was drawn.
    #[serde(skip_serializing_if = "is_none")]
    pub seed: u64,
}

/// Reaction of a container's first process to a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reaction {
    /// The process goes on.
    Ignore,
    /// The process ends.
    Exit {
        /// Exit code.
        code: u8,
        /// Time from the signal to the end.
        after: Duration,
    },
}

/// Answers of a container to probes. Times count from the start of the container, without
/// pauses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeBehaviour {
    /// Ports that are answered beside those that the container declares.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Time until the container is ready.
    #[serde(skip_serializing_if = "Duration::is_zero")]
    pub ready_after: Duration,
    /// Time for which the container is ready; `None` for no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_for: Option<Duration>,
    /// Whether a container that is not ready answers so, where it would refuse connections.
    pub answers_unready: bool,
    /// Rule of the probes of a container that is ready that fail, such as every third one;
    /// `None` if none fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fail: Option<String>,
    /// Delay of each answer, a time or a distribution; `None` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<String>,
    /// Longest further delay of an answer; each is drawn uniformly.
    #[serde(skip_serializing_if = "Duration::is_zero")]
    pub jitter: Duration,
    /// Status codes of HTTP, for single paths or for all; `None` for 200.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Body of the answers to HTTP requests; `None` for the default one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Names of the services of gRPC whose health is known; empty for any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
}

/// Share of a request as a function of the time since the container's start.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Curve {
    /// The same share at all times.
    Constant(f64),
    /// A straight line between two shares; from the end of the ramp on, the second share.
    Ramp {
        /// Share at the start.
        from: f64,
        /// Share at the end.
        to: f64,
        /// Length of the ramp.
        over: Duration,
    },
    /// A sine around a share.
    Sine {
        /// Share in the middle.
        mean: f64,
        /// Largest distance from the middle.
        amplitude: f64,
        /// Time from peak to peak.
        period: Duration,
    },
    /// A random walk around a share.
    Walk {
        /// Share in the middle.
        mean: f64,
        /// Largest distance from the middle.
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
