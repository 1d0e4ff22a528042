//! Keys and resources for the tests of views.

use containerd_sandbox::Key;
use pod_resources::ResourceInfo;

/// Returns the key of a sandbox in the namespace of CRI.
pub(crate) fn key(id: &str) -> Key {
    Key::new("k8s.io", id).unwrap()
}

/// Returns resources that differ in their PID limit.
pub(crate) fn info(pids: u64) -> ResourceInfo {
    ResourceInfo {
        cpu_limit: Some(0.25),
        pid_limit: Some(pids),
        ..ResourceInfo::default()
    }
}
