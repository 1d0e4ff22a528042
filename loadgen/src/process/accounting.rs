//! Ways to count the CPU time of everything that a server ran.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Way in which CPU time was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Accounting {
    /// That of one process with all its threads, of which everything is that a sandboxer runs.
    Process,
    /// That of the cgroups of the server and of its pods, with ended processes. It is complete
    /// unless systemd makes the cgroups of the pods.
    Cgroup,
    /// That of the process, of its descendants, and of ended ones for which one of them has waited.
    /// Of a server that was running before, the shims are no descendants.
    ProcessTree,
}

impl Accounting {
    /// Returns the name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "of the process",
            Self::Cgroup => "of the cgroup",
            Self::ProcessTree => "of the process tree",
        }
    }
}

/// CPU time of a server and everything that it ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Way of counting.
    pub accounting: Accounting,
    /// CPU time since the start of the server.
    pub cpu: Duration,
}
