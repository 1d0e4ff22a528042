//! Names of the pods' cgroups.

use std::sync::Arc;

use crate::process::cgroup::Cgroup;
use crate::workload::plan::Pod;

/// Place of the pods' cgroups. Pods are burstable by the names of a kubelet
/// (`pkg/kubelet/cm/cgroup_manager_linux.go`).
#[derive(Debug, Clone)]
pub enum PodCgroups {
    /// As the plan states them: below `/kubepods`, for a runtime that makes none, or one whose
    /// cgroups this program may not remove.
    Planned,
    /// Below a cgroup of this program, which removes those of removed pods, as a kubelet does.
    Own(Arc<Cgroup>),
    /// Slices of systemd, which removes them itself.
    Systemd,
}

impl PodCgroups {
    /// Returns the parent of the cgroups of a pod's containers; `None` for the planned one.
    pub fn parent(&self, pod: &Pod) -> Option<String> {
        match self {
            Self::Planned => None,
            Self::Own(cgroup) => Some(cgroup.of_pod(&pod.uid)),
            Self::Systemd => Some(slice(&pod.uid)),
        }
    }

    /// Removes the cgroup of a pod that is gone.
    pub fn remove(&self, pod: &Pod) {
        if let Self::Own(cgroup) = self {
            cgroup.remove_pod(&pod.uid);
        }
    }
}

/// Returns the path of a pod's slice. A hyphen in the name of a slice separates it from its parent,
/// so those of the uid become underscores.
fn slice(uid: &str) -> String {
    let uid = uid.replace('-', "_");
    format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{uid}.slice")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_has_no_hyphens_of_the_uid() {
        assert_eq!(
            slice("ab-1"),
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podab_1.slice"
        );
    }
}
