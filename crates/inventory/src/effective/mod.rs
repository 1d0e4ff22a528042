//! Resources of a pod after the defaults of the API server.
//!
//! - `defaults`: the defaults that concern resources (`pkg/apis/core/v1/defaults.go`).
//! - `sums`: requests and limits of the whole pod (`k8s.io/component-helpers/resource`).
//! - `qos`: the class (`pkg/apis/core/v1/helper/qos`).
//! - `quota`: what a `ResourceQuota` counts (`pkg/quota/v1/evaluator/core`).
//! - `kubelet`: what a kubelet asks of a runtime for each container.
//!
//! An amount is rounded up to a thousandth when it is stored, as an API server does; sums are exact,
//! and a sum is rounded up to its unit at the end. All rules are those of
//! Kubernetes 1.36.

mod defaults;
mod kubelet;
mod qos;
mod quota;
mod sums;

use kube_resources::Quantity;

use crate::api::{PodSpec, Quantities};
use crate::{Amounts, ResourceName};

pub use defaults::defaulted;
pub(crate) use defaults::round_up;
pub use kubelet::{ContainerFacts, container_facts};
pub use qos::QosClass;
pub use quota::quota_usage;
pub use sums::{Parts, pod_limits, pod_requests};
pub(crate) use sums::{aggregate_limits, aggregate_requests};

/// Requests that the scores of nodes count for a container without them
/// (`DefaultMilliCPURequest` and `DefaultMemoryRequest` in `pkg/scheduler/util/pod_resources.go`).
fn unstated() -> Quantities {
    Quantities::from([
        (ResourceName::CPU.to_owned(), Quantity::from_milli(100)),
        (
            ResourceName::MEMORY.to_owned(),
            Quantity::from_bytes(200 << 20),
        ),
    ])
}

/// Port of a node that a pod takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Address of the node; `0.0.0.0` for all.
    pub ip: String,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: String,
    /// Port number.
    pub port: i32,
}

/// Resources, class and ports of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Effective {
    /// Requests with overhead, which a node must have left.
    pub requests: Amounts,
    /// Limits with overhead.
    pub limits: Amounts,
    /// Amounts that the scores of nodes count for the pod that is placed: a container that states
    /// no CPU or memory counts as 100 millicores or 200 MiB (`calculatePodResourceRequest` in
    /// `pkg/scheduler/framework/plugins/noderesources/resource_allocation.go`).
    pub requests_for_scoring: Amounts,
    /// Amounts that the scores count for the pod once it is on a node (`Non0CPU` and `Non0Mem` of
    /// `CalculateResource` in `pkg/scheduler/framework/types.go`). They differ from
    /// `requests_for_scoring` only if the pod states requests for itself and only some of its
    /// containers state a resource that the pod does not.
    pub requests_for_scoring_once_placed: Amounts,
    /// Class.
    pub qos: QosClass,
    /// Ports of the node.
    pub host_ports: Vec<HostPort>,
    /// Priority; 0 without one.
    pub priority: i32,
}

impl Effective {
    /// Computes the resources of a pod with this spec.
    pub fn of(spec: &PodSpec) -> Self {
        let spec = &defaulted(spec);
        let requests = pod_requests(spec, Parts::ALL);
        let unstated = unstated();
        let scoring = sums::requests_with(spec, Parts::ALL, &unstated);
        let placed = if sums::states_pod_requests(spec) {
            // The default is for a resource that nothing in the pod states.
            let unstated = unstated
                .into_iter()
                .filter(|(name, _)| !requests.contains_key(name))
                .collect();
            sums::requests_with(spec, Parts::ALL, &unstated)
        } else {
            scoring.clone()
        };
        Self {
            requests: amounts(&requests),
            limits: amounts(&pod_limits(spec, Parts::ALL)),
            requests_for_scoring: amounts(&scoring),
            requests_for_scoring_once_placed: amounts(&placed),
            qos: QosClass::of(spec),
            host_ports: host_ports(spec),
            priority: spec.priority.unwrap_or(0),
        }
    }
}

/// Converts quantities to amounts: CPU to millicores and all others to whole ones, rounded up
/// (`MilliValue` and `Value` of apimachinery).
pub fn amounts(quantities: &Quantities) -> Amounts {
    quantities
        .iter()
        .map(|(name, quantity)| (name.as_str(), amount(name, *quantity)))
        .collect()
}

fn amount(name: &str, quantity: Quantity) -> i64 {
    let amount = match name {
        ResourceName::CPU => quantity.milli(),
        _ => quantity.whole(),
    };
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// Returns whether a pod may state the resource for all of its containers
/// (`IsSupportedPodLevelResource`).
fn is_pod_level(name: &str) -> bool {
    matches!(name, ResourceName::CPU | ResourceName::MEMORY) || is_huge_page(name)
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Returns the ports of the node that a pod takes (`GetHostPorts` in `pkg/scheduler/util`); on the
/// network of the node, every port of a container is one (`defaultHostNetworkPorts`).
fn host_ports(spec: &PodSpec) -> Vec<HostPort> {
    let regular = spec.containers.iter();
    let sidecars = spec.init_containers.iter().filter(|init| init.is_sidecar());
    let mut ports: Vec<_> = regular
        .chain(sidecars)
        .flat_map(|container| &container.ports)
        .filter_map(|port| {
            let number = match port.host_port {
                0 if spec.host_network => port.container_port,
                number => number,
            };
            (number > 0).then(|| HostPort {
                ip: either(&port.host_ip, "0.0.0.0"),
                protocol: either(&port.protocol, "TCP"),
                port: number,
            })
        })
        .collect();
    ports.sort();
    ports.dedup();
    ports
}

fn either(text: &str, default: &str) -> String {
    let text = if text.is_empty() { default } else { text };
    text.to_owned()
}
