//! The state and the helpers that the three services share.

use std::sync::Arc;

use super::calls::Calls;
use super::outcomes::Outcomes;
use super::rpcs::Admission;
use crate::error::Result;
use crate::id::Key;

/// One service of the sandbox API over a sandboxer.
pub(super) struct Service<S> {
    pub(super) sandboxer: Arc<S>,
    /// Address of the task service, as containerd dials it.
    pub(super) task_address: Arc<str>,
    pub(super) outcomes: Arc<Outcomes>,
    /// Counters of this service.
    pub(super) calls: Calls,
}

impl<S> Service<S> {
    pub(super) fn admission(&self) -> Admission<'_> {
        Admission {
            calls: &self.calls,
            outcomes: &self.outcomes,
        }
    }
}

/// The version of the task API at [`Service::task_address`]: `containerd.task.v3`.
pub(super) const TASK_API_VERSION: u32 = 3;

/// Returns CRI's name of a sandbox's state, which containerd passes on unchanged.
pub(super) fn state_name(ready: bool) -> &'static str {
    if ready {
        "SANDBOX_READY"
    } else {
        "SANDBOX_NOTREADY"
    }
}

/// Returns the architecture of this machine by Go's name, which containerd compares.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// Parses the key of the sandbox or container that a request names in `field`.
pub(super) fn key(namespace: &str, field: &str, id: &str) -> Result<Key> {
    Key::named(field, namespace, id)
}
