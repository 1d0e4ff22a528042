//! Defaults of the API server for resources.

use kube_resources::Quantity;

use crate::api::{Container, PodSpec, Quantities};

use super::sums::{aggregate_limits, aggregate_requests};
use super::{is_huge_page, is_pod_level};

/// Returns the spec with the defaults that `SetDefaults_Pod` lays on resources: a limit is the
/// request where none is stated, and a pod that states some resources for itself states all that
/// follow from its containers. Then every amount is rounded up to a thousandth
/// (`SetDefaults_ResourceList`).
pub fn defaulted(spec: &PodSpec) -> PodSpec {
    let mut spec = spec.clone();
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        limits_as_requests(container);
    }
    default_huge_page_limits(&mut spec);
    default_pod_requests(&mut spec);
    round_up(&mut spec);
    spec
}

/// Rounds every amount of a spec up to a thousandth, as the API server stores it.
pub(crate) fn round_up(spec: &mut PodSpec) {
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        to_milli(&mut container.resources.requests);
        to_milli(&mut container.resources.limits);
    }
    if let Some(pod) = &mut spec.resources {
        to_milli(&mut pod.requests);
        to_milli(&mut pod.limits);
    }
    to_milli(&mut spec.overhead);
}

fn to_milli(quantities: &mut Quantities) {
    const NANOS: u128 = 1_000_000;
    for quantity in quantities.values_mut() {
        let rounded = quantity.nanos().div_ceil(NANOS) * NANOS;
        *quantity = Quantity::from_nanos(rounded, quantity.format());
    }
}

fn limits_as_requests(container: &mut Container) {
    let resources = &mut container.resources;
    for (name, limit) in &resources.limits {
        resources.requests.entry(name.clone()).or_insert(*limit);
    }
}

/// Adds limits of the pod for the huge pages of its containers (`defaultHugePagePodLimits`).
fn default_huge_page_limits(spec: &mut PodSpec) {
    let Some(pod) = &spec.resources else { return };
    if pod.limits.is_empty() && pod.requests.is_empty() {
        return;
    }
    let of_containers = aggregate_limits(spec);
    let Some(pod) = &mut spec.resources else {
        return;
    };
    for (name, limit) in of_containers {
        if is_huge_page(&name) && !pod.requests.contains_key(&name) {
            pod.limits.entry(name).or_insert(limit);
        }
    }
}

/// Adds requests of a pod that states limits (`defaultPodRequests`): the sum of its containers
/// if they request anything, else the limit.
fn default_pod_requests(spec: &mut PodSpec) {
    if spec
        .resources
        .as_ref()
        .is_none_or(|pod| pod.limits.is_empty())
    {
        return;
    }
    let of_containers = aggregate_requests(spec);
    let Some(pod) = &mut spec.resources else {
        return;
    };
    for (name, request) in of_containers {
        // Huge pages cannot be overcommitted, so their limit is their request.
        if is_pod_level(&name) && !is_huge_page(&name) {
            pod.requests.entry(name).or_insert(request);
        }
    }
    for (name, limit) in &pod.limits {
        if is_pod_level(name) {
            pod.requests.entry(name.clone()).or_insert(*limit);
        }
    }
}
