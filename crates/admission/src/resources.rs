//! Sums of the resources of a pod's containers, as quantities that keep their notation.
//!
//! Messages of the API server print sums, and a sum has the notation of its first amount
//! (`1Gi` and `100M` add up to `1173741824`), so the order of additions is that of
//! `AggregateContainerRequests` in `k8s.io/component-helpers/resource/helpers.go`.

use inventory::api::{Container, PodSpec, Quantities, ResourceRequirements};
use kube_resources::Quantity;

/// Part of the resources of a container: its requests or its limits.
pub(crate) type Part = fn(&ResourceRequirements) -> &Quantities;

/// Returns the requests of a container.
pub(crate) fn requests(resources: &ResourceRequirements) -> &Quantities {
    &resources.requests
}

/// Returns the limits of a container.
pub(crate) fn limits(resources: &ResourceRequirements) -> &Quantities {
    &resources.limits
}

/// Adds amounts, resource by resource.
pub(crate) fn add(sum: &mut Quantities, more: &Quantities) {
    for (name, quantity) in more {
        match sum.get_mut(name) {
            Some(sum) => *sum = sum.plus(*quantity),
            None => {
                sum.insert(name.clone(), *quantity);
            }
        }
    }
}

/// Raises each resource to the amount in `other` if that is larger.
fn raise(largest: &mut Quantities, other: &Quantities) {
    for (name, quantity) in other {
        match largest.get_mut(name) {
            Some(largest) if *quantity <= *largest => {}
            Some(largest) => *largest = *quantity,
            None => {
                largest.insert(name.clone(), *quantity);
            }
        }
    }
}

/// Returns the sum over all containers of a pod, or over an init container and the sidecars before
/// it if that is larger.
pub(crate) fn of_containers(spec: &PodSpec, part: Part) -> Quantities {
    let mut sum = Quantities::new();
    for container in &spec.containers {
        add(&mut sum, part(&container.resources));
    }
    let (mut sidecars, mut of_init) = (Quantities::new(), Quantities::new());
    for container in &spec.init_containers {
        let own = part(&container.resources);
        if container.is_sidecar() {
            add(&mut sum, own);
            add(&mut sidecars, own);
            raise(&mut of_init, &sidecars);
        } else {
            let mut together = own.clone();
            add(&mut together, &sidecars);
            raise(&mut of_init, &together);
        }
    }
    raise(&mut sum, &of_init);
    sum
}

/// Returns whether a pod states resources for all of its containers (`IsPodLevelResourcesSet`).
pub(crate) fn states_pod_level(spec: &PodSpec) -> bool {
    spec.resources.as_ref().is_some_and(|pod| {
        let mut names = pod.requests.keys().chain(pod.limits.keys());
        names.any(|name| is_pod_level(name))
    })
}

/// Returns whether a pod may state the resource for all of its containers
/// (`IsSupportedPodLevelResource`).
pub(crate) fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// Returns the requests of a pod with its overhead (`PodRequests`).
pub(crate) fn pod_requests(spec: &PodSpec) -> Quantities {
    let mut sum = of_containers(spec, requests);
    override_with_pod_level(&mut sum, spec, requests, is_pod_level);
    add(&mut sum, &spec.overhead);
    sum
}

/// Returns the limits of a pod, with its overhead where a limit is not zero (`PodLimits`).
pub(crate) fn pod_limits(spec: &PodSpec) -> Quantities {
    let mut sum = of_containers(spec, limits);
    override_with_pod_level(&mut sum, spec, limits, is_pod_level);
    for (name, overhead) in &spec.overhead {
        if let Some(limit) = sum.get_mut(name).filter(|limit| !limit.is_zero()) {
            *limit = limit.plus(*overhead);
        }
    }
    sum
}

/// Replaces sums by the amounts that the pod states for all of its containers.
pub(crate) fn override_with_pod_level(
    sum: &mut Quantities,
    spec: &PodSpec,
    part: Part,
    is_pod_level: fn(&str) -> bool,
) {
    let stated = spec.resources.iter().flat_map(part);
    for (name, quantity) in stated.filter(|(name, _)| is_pod_level(name)) {
        sum.insert(name.clone(), *quantity);
    }
}

/// Applies the defaults of the API server to the resources of a pod (`SetDefaults_Pod` in
/// `pkg/apis/core/v1/defaults.go`): a limit without a request is the request, and the pod states
/// requests where it states limits.
pub fn set_resource_defaults(spec: &mut PodSpec) {
    round_up(&mut spec.overhead);
    if let Some(pod) = &mut spec.resources {
        round_up(&mut pod.requests);
        round_up(&mut pod.limits);
    }
    for container in containers_mut(spec) {
        round_up(&mut container.resources.requests);
        round_up(&mut container.resources.limits);
        let ResourceRequirements { requests, limits } = &mut container.resources;
        for (name, limit) in limits {
            requests.entry(name.clone()).or_insert(*limit);
        }
    }
    if spec
        .resources
        .as_ref()
        .is_none_or(|pod| pod.limits.is_empty() && pod.requests.is_empty())
    {
        return;
    }
    let (of_limits, of_requests) = (of_containers(spec, limits), of_containers(spec, requests));
    let Some(pod) = &mut spec.resources else {
        return;
    };
    for (name, limit) in of_limits {
        if name.starts_with("hugepages-") && !pod.requests.contains_key(&name) {
            pod.limits.entry(name).or_insert(limit);
        }
    }
    if pod.limits.is_empty() {
        return;
    }
    for (name, request) in of_requests {
        if matches!(name.as_str(), "cpu" | "memory") {
            pod.requests.entry(name).or_insert(request);
        }
    }
    let supported = pod.limits.iter().filter(|(name, _)| is_pod_level(name));
    for (name, limit) in supported {
        pod.requests.entry(name.clone()).or_insert(*limit);
    }
}

/// Rounds amounts up to thousandths, the finest that the API server keeps
/// (`SetDefaults_ResourceList`).
pub(crate) fn round_up(amounts: &mut Quantities) {
    const MILLI: u128 = 1_000_000;
    for quantity in amounts.values_mut() {
        let rounded = quantity.nanos().div_ceil(MILLI) * MILLI;
        *quantity = Quantity::from_nanos(rounded, quantity.format());
    }
}

/// Returns all containers of a pod, the regular ones first.
fn containers_mut(spec: &mut PodSpec) -> impl Iterator<Item = &mut Container> {
    spec.containers.iter_mut().chain(&mut spec.init_containers)
}

/// Writes amounts as `name=amount`, separated by commas, in the order of their names
/// (`prettyPrint` of the quota controller).
pub(crate) fn listed<'a>(amounts: impl Iterator<Item = (&'a str, Quantity)>) -> String {
    let parts: Vec<_> = amounts.map(|(name, q)| format!("{name}={q}")).collect();
    parts.join(",")
}

/// Joins errors as apimachinery does (`Aggregate.Error`): equal ones once, several in brackets.
pub(crate) fn listed_errors(errors: &[String]) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for error in errors {
        if !seen.contains(&error.as_str()) {
            seen.push(error);
        }
    }
    match seen[..] {
        [one] => one.to_owned(),
        _ => format!("[{}]", seen.join(", ")),
    }
}
