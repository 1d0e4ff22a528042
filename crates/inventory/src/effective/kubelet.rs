//! Amounts that a kubelet asks of a runtime for each container.

use kube_resources::Quantity;

use crate::api::{Container, PodSpec, Quantities};
use crate::{Amounts, ResourceName};

use super::sums::{aggregate_requests, states_pod_requests};
use super::{QosClass, amounts, defaulted};

/// Adjustment of a container in a Guaranteed pod, and of one in a node-critical pod.
const GUARANTEED: i64 = -997;
/// Adjustment of a container in a `BestEffort` pod.
const BEST_EFFORT: i64 = 1000;
/// Lowest priority of pods that a cluster cannot do without (`SystemCriticalPriority`).
const CRITICAL_PRIORITY: i32 = 2_000_000_000;

/// Amounts of one container of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerFacts {
    /// Name.
    pub name: String,
    /// Requests, with the limit where only that is stated.
    pub requests: Amounts,
    /// Limits.
    pub limits: Amounts,
    /// Adjustment of the score by which the kernel ends processes for lack of memory, -997 to 1000
    /// (`GetContainerOOMScoreAdjust` in `pkg/kubelet/qos/policy.go`).
    pub oom_score_adj: i64,
    /// CPU shares, 2 to 262144 (`MilliCPUToShares` in `pkg/kubelet/cm/helpers_linux.go`).
    pub cpu_shares: i64,
    /// Microseconds of CPU per 100 ms for the container's own limit, 0 without one
    /// (`MilliCPUToQuota`).
    pub cpu_quota: i64,
}

/// Computes the amounts of the containers of a pod on a node with `node_memory` bytes: init
/// containers first, each group in the order of the spec.
pub fn container_facts(spec: &PodSpec, node_memory: u64) -> Vec<ContainerFacts> {
    let spec = defaulted(spec);
    let scores = Scores::of(&spec, node_memory);
    let init = spec.init_containers.iter().map(|init| (init, true));
    let regular = spec.containers.iter().map(|regular| (regular, false));
    init.chain(regular)
        .map(|(container, is_init)| {
            let requests = amounts(&container.resources.requests);
            let limits = amounts(&container.resources.limits);
            ContainerFacts {
                name: container.name.clone(),
                oom_score_adj: scores.adjustment(container, is_init),
                cpu_shares: shares(requests.cpu()),
                cpu_quota: quota(limits.cpu()),
                requests,
                limits,
            }
        })
        .collect()
}

fn shares(millicores: i64) -> i64 {
    let shares = i128::from(millicores) * 1024 / 1000;
    // Bounded by the kernel's limits.
    i64::try_from(shares.clamp(2, 262_144)).unwrap_or(2)
}

fn quota(millicores: i64) -> i64 {
    match millicores {
        0 => 0,
        // The period is 100 ms, and the kernel grants no less than 1 ms.
        millicores => millicores.saturating_mul(100).max(1000),
    }
}

/// Inputs of the adjustment that all containers of a pod share.
struct Scores {
    fixed: Option<i64>,
    node_memory: i128,
    /// Smallest memory request of a regular container, in bytes.
    least_regular: i128,
    /// Share of each container in the memory that the pod requests beyond its containers.
    remaining: i128,
}

impl Scores {
    fn of(spec: &PodSpec, node_memory: u64) -> Self {
        let is_critical = spec.priority.unwrap_or(0) >= CRITICAL_PRIORITY
            && spec.priority_class_name == "system-node-critical";
        let fixed = match QosClass::of(spec) {
            _ if is_critical => Some(GUARANTEED),
            QosClass::Guaranteed => Some(GUARANTEED),
            QosClass::BestEffort => Some(BEST_EFFORT),
            QosClass::Burstable => None,
        };
        let regular = spec.containers.iter();
        let least = regular.map(|container| memory(&container.resources.requests));
        Self {
            fixed,
            node_memory: i128::from(node_memory.max(1)),
            least_regular: least.min().unwrap_or(0),
            remaining: remaining(spec),
        }
    }

    fn adjustment(&self, container: &Container, is_init: bool) -> i64 {
        if let Some(fixed) = self.fixed {
            return fixed;
        }
        let of = |request: i128| 1000 - 1000 * (request + self.remaining) / self.node_memory;
        let mut adjustment = of(memory(&container.resources.requests));
        if is_init && container.is_sidecar() {
            adjustment = adjustment.min(of(self.least_regular));
        }
        let adjustment = i64::try_from(adjustment).unwrap_or(i64::MIN);
        if adjustment == BEST_EFFORT {
            return BEST_EFFORT - 1;
        }
        adjustment.max(BEST_EFFORT + GUARANTEED)
    }
}

/// Returns the share of each container in the memory that the pod requests for itself beyond what
/// its containers request (`remainingPodMemReqPerContainer` in `pkg/kubelet/qos/helpers.go`).
fn remaining(spec: &PodSpec) -> i128 {
    let Some(pod) = spec
        .resources
        .as_ref()
        .filter(|_| states_pod_requests(spec))
    else {
        return 0;
    };
    let of_pod = memory(&pod.requests);
    let containers = spec.containers.len() + spec.init_containers.len();
    if of_pod == 0 || containers == 0 {
        return 0;
    }
    (of_pod - memory(&aggregate_requests(spec))) / containers as i128
}

fn memory(quantities: &Quantities) -> i128 {
    let memory = quantities.get(ResourceName::MEMORY);
    i128::from(memory.copied().map_or(0, Quantity::whole))
}
