//! Resources of a pod whose containers alone state them, by the arithmetic of Kubernetes.
//!
//! The rules are those of `PodRequests` and `PodLimits` in `k8s.io/component-helpers/resource`,
//! and of the cgroup that a kubelet makes for a pod (`ResourceConfigForPod` in
//! `pkg/kubelet/cm/helpers_linux.go`):
//!
//! - Init containers run one after another and before all others, but beside the sidecars that
//!   were started before. So a request of a pod is the larger of the sum over the containers that
//!   stay, and of each init container with the sidecars before it.
//! - A limit is the pod's only if every container has one: one container without a limit
//!   may use more than any sum.

use super::ResourceInfo;
use super::cores;
use super::info::{Kind, either};

/// Time for which a container counts in the sum of its pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// Until the next container: an init container.
    Init,
    /// For the whole life of the pod: a regular container or a sidecar.
    Pod,
}

/// Sum over the containers of one pod, which are added in the order in which they start.
///
/// ```
/// use pod_resources::{PodSum, ResourceInfo, Span};
///
/// let cores = |cpu_request| ResourceInfo { cpu_request: Some(cpu_request), ..Default::default() };
/// let mut sum = PodSum::default();
/// sum.add(Span::Init, cores(1.5));
/// sum.add(Span::Pod, cores(1.0));
/// sum.add(Span::Pod, cores(0.2));
/// assert_eq!(sum.total().cpu_request, Some(1.5));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct PodSum {
    /// Sum over the containers that stay; `None` without one.
    staying: Option<ResourceInfo>,
    /// Largest sum over an init container and the containers that stayed beside it.
    initial: Option<ResourceInfo>,
}

impl PodSum {
    /// Adds the next container.
    pub fn add(&mut self, span: Span, info: ResourceInfo) {
        let beside = self.staying.map_or(info, |staying| together(staying, info));
        match span {
            Span::Pod => self.staying = Some(beside),
            Span::Init => {
                let initial = self.initial.map_or(beside, |before| larger(before, beside));
                self.initial = Some(initial);
            }
        }
    }

    /// Returns the resources of the pod; without a container nothing is stated.
    pub fn total(self) -> ResourceInfo {
        match (self.staying, self.initial) {
            (Some(staying), Some(initial)) => larger(staying, initial),
            (one, other) => one.or(other).unwrap_or_default(),
        }
    }
}

/// Returns the resources of containers that run at the same time.
fn together(a: ResourceInfo, b: ResourceInfo) -> ResourceInfo {
    a.zip(
        b,
        |kind, a, b| merged(kind, a, b, cores::sum),
        |kind, a, b| merged(kind, a, b, u64::saturating_add),
    )
}

/// Returns the resources of containers that run one after another.
fn larger(a: ResourceInfo, b: ResourceInfo) -> ResourceInfo {
    a.zip(
        b,
        |kind, a, b| merged(kind, a, b, f64::max),
        |kind, a, b| merged(kind, a, b, u64::max),
    )
}

fn merged<T: Copy>(kind: Kind, a: Option<T>, b: Option<T>, both: impl Fn(T, T) -> T) -> Option<T> {
    match kind {
        Kind::Request => either(a, b, both),
        Kind::Limit => a.zip(b).map(|(a, b)| both(a, b)),
    }
}
