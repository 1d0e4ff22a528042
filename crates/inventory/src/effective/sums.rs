//! Requests and limits of a whole pod.

use crate::api::{Container, PodSpec, Quantities};

use super::is_pod_level;

/// Parts of a pod that a sum contains, beside its containers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Whether amounts that the pod states for itself replace those of its containers.
    pub pod_level: bool,
    /// Whether the overhead of the pod is added.
    pub overhead: bool,
}

impl Parts {
    /// All parts, as the scheduler and quotas count.
    pub const ALL: Self = Self {
        pod_level: true,
        overhead: true,
    };
}

/// Returns the requests of a pod whose spec has its defaults (`PodRequests`).
pub fn pod_requests(spec: &PodSpec, parts: Parts) -> Quantities {
    requests_with(spec, parts, &Quantities::new())
}

/// Returns the limits of a pod whose spec has its defaults (`PodLimits`). Overhead is added
/// only to limits above zero.
pub fn pod_limits(spec: &PodSpec, parts: Parts) -> Quantities {
    let mut limits = aggregate_limits(spec);
    if let (true, Some(pod)) = (parts.pod_level, &spec.resources) {
        replace(&mut limits, &pod.limits);
    }
    if parts.overhead {
        for (name, overhead) in &spec.overhead {
            if let Some(limit) = limits.get_mut(name).filter(|limit| !limit.is_zero()) {
                *limit = limit.plus(*overhead);
            }
        }
    }
    limits
}

/// Returns the requests of a pod, with these requests for a container that does not state them
/// (`NonMissingContainerRequests`).
pub(super) fn requests_with(spec: &PodSpec, parts: Parts, unstated: &Quantities) -> Quantities {
    let mut requests = aggregate(spec, |container| {
        let mut requests = container.resources.requests.clone();
        for (name, quantity) in unstated {
            requests.entry(name.clone()).or_insert(*quantity);
        }
        requests
    });
    if let (true, Some(pod)) = (parts.pod_level, &spec.resources) {
        replace(&mut requests, &pod.requests);
    }
    if parts.overhead {
        add(&mut requests, &spec.overhead);
    }
    requests
}

/// Returns whether the pod states a request for itself (`IsPodLevelRequestsSet`).
pub(super) fn states_pod_requests(spec: &PodSpec) -> bool {
    let pod = spec.resources.as_ref();
    pod.is_some_and(|pod| pod.requests.keys().any(|name| is_pod_level(name)))
}

/// Returns the requests of all containers (`AggregateContainerRequests`).
pub(crate) fn aggregate_requests(spec: &PodSpec) -> Quantities {
    aggregate(spec, |container| container.resources.requests.clone())
}

/// Returns the limits of all containers (`AggregateContainerLimits`).
pub(crate) fn aggregate_limits(spec: &PodSpec) -> Quantities {
    aggregate(spec, |container| container.resources.limits.clone())
}

/// Returns the largest sum, resource by resource, over the containers that run together: an init
/// container runs beside the sidecars before it, the regular containers beside all sidecars.
///
/// The order of the additions is that of upstream, which decides the notation of a sum.
fn aggregate(spec: &PodSpec, part: impl Fn(&Container) -> Quantities) -> Quantities {
    let mut together = Quantities::new();
    for container in &spec.containers {
        add(&mut together, &part(container));
    }
    let (mut sidecars, mut largest) = (Quantities::new(), Quantities::new());
    for container in &spec.init_containers {
        let mut step = part(container);
        if container.is_sidecar() {
            add(&mut together, &step);
            add(&mut sidecars, &step);
            step = sidecars.clone();
        } else {
            add(&mut step, &sidecars);
        }
        raise(&mut largest, &step);
    }
    raise(&mut together, &largest);
    together
}

fn replace(amounts: &mut Quantities, by: &Quantities) {
    for (name, quantity) in by {
        if is_pod_level(name) {
            amounts.insert(name.clone(), *quantity);
        }
    }
}

fn add(sum: &mut Quantities, more: &Quantities) {
    for (name, quantity) in more {
        sum.entry(name.clone())
            .and_modify(|sum| *sum = sum.plus(*quantity))
            .or_insert(*quantity);
    }
}

fn raise(largest: &mut Quantities, other: &Quantities) {
    for (name, quantity) in other {
        let largest = largest.entry(name.clone()).or_insert(*quantity);
        if *quantity > *largest {
            *largest = *quantity;
        }
    }
}
