//! Resources of a pod after the defaults of the API server.
//!
//! The rules are those of `PodRequests` and `PodLimits` in `k8s.io/component-helpers/resource`
//! and of the defaulting in `pkg/apis/core/v1/defaults.go` of Kubernetes 1.36.

use kube_resources::Quantity;

use crate::api::{Container, PodSpec, Quantities, ResourceRequirements};
use crate::{Amounts, ResourceName};

/// Requests that the scores of nodes count for a container without them
/// (`DefaultMilliCPURequest` and `DefaultMemoryRequest` in `pkg/scheduler/util/pod_resources.go`).
const UNSTATED: [(&str, u64); 2] = [(ResourceName::CPU, 100), (ResourceName::MEMORY, 200 << 20)];

/// Class of a pod by what it requests (`PodQOSClass`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum QosClass {
    /// Every container requests as much as its limits.
    Guaranteed,
    /// Some container requests or limits something.
    Burstable,
    /// No container requests or limits anything.
    BestEffort,
}

impl QosClass {
    /// Returns the name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guaranteed => "Guaranteed",
            Self::Burstable => "Burstable",
            Self::BestEffort => "BestEffort",
        }
    }
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
    /// CPU and memory that the scores of nodes count: a container that states no request counts
    /// as 100 millicores and 200 MiB (`GetNonzeroRequests` in `pkg/scheduler/util`).
    pub requests_for_scoring: Amounts,
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
        let (init, regular) = (
            defaulted(&spec.init_containers),
            defaulted(&spec.containers),
        );
        let of_pod = spec.resources.as_ref();
        let all = Steps::new(&spec.init_containers, &init, &regular);
        let mut requests = all.largest(|resources| resources.requests.clone());
        let mut limits = all.largest(|resources| resources.limits.clone());
        let mut scoring = all.largest(scored);
        let mut pod_requests = of_pod.map(|pod| pod.requests.clone()).unwrap_or_default();
        if let Some(pod) = of_pod {
            for (name, limit) in &pod.limits {
                if is_pod_level(name) && !pod_requests.contains_key(name) {
                    let request = requests.get(name).copied().unwrap_or(*limit);
                    pod_requests.insert(name.clone(), request);
                }
                if is_pod_level(name) {
                    limits.insert(name.clone(), *limit);
                }
            }
        }
        for (name, request) in pod_requests {
            if is_pod_level(&name) {
                scoring.insert(name.clone(), request);
                requests.insert(name, request);
            }
        }
        add(&mut requests, &spec.overhead);
        add(&mut scoring, &spec.overhead);
        for (name, overhead) in &spec.overhead {
            if let Some(limit) = limits.get_mut(name).filter(|limit| !limit.is_zero()) {
                *limit = limit.plus(*overhead);
            }
        }
        Self {
            requests: amounts(&requests),
            limits: amounts(&limits),
            requests_for_scoring: amounts(&scoring),
            qos: qos(spec, &init, &regular),
            host_ports: host_ports(spec),
            priority: spec.priority.unwrap_or(0),
        }
    }
}

/// Converts quantities to amounts: CPU to millicores and all others to whole ones, rounded up.
pub fn amounts(quantities: &Quantities) -> Amounts {
    let amount = |(name, quantity): (&String, &Quantity)| {
        let amount = match name.as_str() {
            ResourceName::CPU => quantity.milli(),
            _ => quantity.whole(),
        };
        (name.clone(), i64::try_from(amount).unwrap_or(i64::MAX))
    };
    let all: Vec<_> = quantities.iter().map(amount).collect();
    all.iter()
        .map(|(name, amount)| (name.as_str(), *amount))
        .collect()
}

/// Returns whether a pod may state the resource for all of its containers
/// (`IsSupportedPodLevelResource`).
fn is_pod_level(name: &str) -> bool {
    matches!(name, ResourceName::CPU | ResourceName::MEMORY) || name.starts_with("hugepages-")
}

/// Returns the resources of containers, with the limit as the request where no request is stated.
fn defaulted(containers: &[Container]) -> Vec<ResourceRequirements> {
    let default = |container: &Container| {
        let mut resources = container.resources.clone();
        for (name, limit) in &resources.limits {
            resources.requests.entry(name.clone()).or_insert(*limit);
        }
        resources
    };
    containers.iter().map(default).collect()
}

/// Returns the requests of a container as the scores of nodes count them.
fn scored(resources: &ResourceRequirements) -> Quantities {
    let mut requests = resources.requests.clone();
    for (name, amount) in UNSTATED {
        let quantity = match name {
            ResourceName::CPU => Quantity::from_milli(amount),
            _ => Quantity::from_bytes(amount),
        };
        requests.entry(name.to_owned()).or_insert(quantity);
    }
    requests
}

/// Containers of a pod in the order in which they start.
struct Steps<'a> {
    /// Init containers, with whether each is a sidecar.
    init: Vec<(bool, &'a ResourceRequirements)>,
    regular: &'a [ResourceRequirements],
}

impl<'a> Steps<'a> {
    fn new(
        containers: &[Container],
        init: &'a [ResourceRequirements],
        regular: &'a [ResourceRequirements],
    ) -> Self {
        let sidecars = containers.iter().map(Container::is_sidecar);
        Self {
            init: sidecars.zip(init).collect(),
            regular,
        }
    }

    /// Returns the largest sum, resource by resource, over the containers that run together.
    fn largest(&self, part: impl Fn(&ResourceRequirements) -> Quantities) -> Quantities {
        let (mut sidecars, mut largest) = (Quantities::new(), Quantities::new());
        for (is_sidecar, resources) in &self.init {
            let mut together = part(resources);
            add(&mut together, &sidecars);
            if *is_sidecar {
                sidecars = together.clone();
            }
            raise(&mut largest, &together);
        }
        let mut together = sidecars;
        for resources in self.regular {
            add(&mut together, &part(resources));
        }
        raise(&mut largest, &together);
        largest
    }
}

fn add(sum: &mut Quantities, more: &Quantities) {
    for (name, quantity) in more {
        let sum = sum.entry(name.clone()).or_insert(Quantity::ZERO);
        *sum = sum.plus(*quantity);
    }
}

fn raise(largest: &mut Quantities, other: &Quantities) {
    for (name, quantity) in other {
        let largest = largest.entry(name.clone()).or_insert(Quantity::ZERO);
        *largest = (*largest).max(*quantity);
    }
}

/// Returns the class of a pod (`ComputePodQOS` in `pkg/apis/core/v1/helper/qos`).
fn qos(
    spec: &PodSpec,
    init: &[ResourceRequirements],
    regular: &[ResourceRequirements],
) -> QosClass {
    let counted = |resources: &ResourceRequirements| {
        let counted = |quantities: &Quantities| -> Quantities {
            [ResourceName::CPU, ResourceName::MEMORY]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), *quantities.get(name)?)))
                .filter(|(_, quantity)| !quantity.is_zero())
                .collect()
        };
        (counted(&resources.requests), counted(&resources.limits))
    };
    let stated: Vec<_> = match &spec.resources {
        Some(pod) => vec![counted(pod)],
        None => init.iter().chain(regular).map(counted).collect(),
    };
    if stated
        .iter()
        .all(|(requests, limits)| requests.is_empty() && limits.is_empty())
    {
        QosClass::BestEffort
    } else if stated
        .iter()
        .all(|(requests, limits)| limits.len() == 2 && requests == limits)
    {
        QosClass::Guaranteed
    } else {
        QosClass::Burstable
    }
}

/// Returns the ports of the node that a pod takes; on the network of the node, every port of a
/// container is one.
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
