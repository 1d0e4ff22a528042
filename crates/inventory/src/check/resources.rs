//! Requests and limits (`validateResourceRequirements`, `validatePodResourceConsistency`).

use kube_resources::Quantity;

use crate::ResourceName;
use crate::api::{PodSpec, Quantities, ResourceRequirements};
use crate::effective::{aggregate_limits, aggregate_requests};
use crate::tree::{DecodeError, Step, Tree};

use Step::Key;

/// Resources whose name has no domain.
const STANDARD: [&str; 3] = [
    ResourceName::CPU,
    ResourceName::MEMORY,
    ResourceName::EPHEMERAL_STORAGE,
];

/// Billionths of a core that fit into 64 bits as millicores.
const MOST_CPU: u128 = i64::MAX as u128 * 1_000_000;

/// Checks the resources of a container.
pub(super) fn of_container(
    tree: &Tree,
    at: &[Step<'_>],
    resources: &ResourceRequirements,
) -> Result<(), DecodeError> {
    for (part, quantities) in parts(resources) {
        for name in quantities.keys() {
            if !(name.contains('/') || is_huge_page(name) || STANDARD.contains(&name.as_str())) {
                let message = "not a resource of containers: cpu, memory, ephemeral-storage, \
                               hugepages-SIZE or a name with a domain";
                return Err(DecodeError::of(tree, &path(at, part, name), message));
            }
        }
    }
    amounts(tree, at, resources)
}

/// Checks the resources that a pod states for itself, and that they agree with its containers.
pub(super) fn of_pod(tree: &Tree, spec: &PodSpec) -> Result<(), DecodeError> {
    let Some(pod) = &spec.resources else {
        return Ok(());
    };
    let at = [Key("resources")];
    for (part, quantities) in parts(pod) {
        for name in quantities.keys() {
            if !(is_huge_page(name) || STANDARD[..2].contains(&name.as_str())) {
                let message = "not a resource of pods: cpu, memory or hugepages-SIZE";
                return Err(DecodeError::of(tree, &path(&at, part, name), message));
            }
        }
    }
    amounts(tree, &at, pod)?;
    for (name, sum) in aggregate_requests(spec) {
        if let Some(request) = pod.requests.get(&name).filter(|request| **request < sum) {
            let message = format!("{request} is below the {sum} that the containers request");
            return Err(DecodeError::of(
                tree,
                &path(&at, "requests", &name),
                message,
            ));
        }
    }
    for (name, sum) in aggregate_limits(spec) {
        if let Some(limit) = pod.limits.get(&name).filter(|limit| **limit < sum)
            && is_huge_page(&name)
        {
            let message = format!("{limit} is below the limits of the containers, {sum}");
            return Err(DecodeError::of(tree, &path(&at, "limits", &name), message));
        }
    }
    for (place, container) in spec.containers.iter().enumerate() {
        for (name, limit) in &container.resources.limits {
            if let Some(of_pod) = pod.limits.get(name).filter(|of_pod| *of_pod < limit) {
                let message = format!("{limit} is above the limit of the pod, {of_pod}");
                let at = [Key("containers"), Step::Item(place), Key("resources")];
                return Err(DecodeError::of(tree, &path(&at, "limits", name), message));
            }
        }
    }
    Ok(())
}

/// Checks that an amount of CPU can be counted in millicores.
pub(crate) fn is_countable(name: &str, quantity: Quantity) -> bool {
    name != ResourceName::CPU || quantity.nanos() <= MOST_CPU
}

/// Checks amounts, and requests against limits.
fn amounts(
    tree: &Tree,
    at: &[Step<'_>],
    resources: &ResourceRequirements,
) -> Result<(), DecodeError> {
    for (part, quantities) in parts(resources) {
        for (name, quantity) in quantities {
            if !is_countable(name, *quantity) {
                let message = format!("{quantity} is above 9223372036854775 cores");
                return Err(DecodeError::of(tree, &path(at, part, name), message));
            }
            if !is_native(name) && !quantity.nanos().is_multiple_of(1_000_000_000) {
                let message = format!("{quantity} is not a whole number of devices");
                return Err(DecodeError::of(tree, &path(at, part, name), message));
            }
        }
    }
    for (name, request) in &resources.requests {
        let fail =
            |message: String| Err(DecodeError::of(tree, &path(at, "requests", name), message));
        let may_exceed = is_native(name) && !is_huge_page(name);
        match resources.limits.get(name) {
            Some(limit) if request > limit => {
                return fail(format!("{request} is above the limit, {limit}"));
            }
            Some(limit) if request != limit && !may_exceed => {
                return fail(format!("{request} is not equal to the limit, {limit}"));
            }
            None if !may_exceed => {
                return fail("a resource that cannot be overcommitted needs a limit".to_owned());
            }
            _ => {}
        }
    }
    let states = |test: fn(&str) -> bool| {
        let mut names = resources.requests.keys().chain(resources.limits.keys());
        names.any(|name| test(name))
    };
    if states(is_huge_page) && !states(|name| STANDARD[..2].contains(&name)) {
        return Err(DecodeError::of(
            tree,
            at,
            "huge pages need cpu or memory beside them",
        ));
    }
    Ok(())
}

fn parts(resources: &ResourceRequirements) -> [(&'static str, &Quantities); 2] {
    [
        ("limits", &resources.limits),
        ("requests", &resources.requests),
    ]
}

fn path<'a>(at: &[Step<'a>], part: &'a str, name: &'a str) -> Vec<Step<'a>> {
    [at, &[Key(part), Key(name)]].concat()
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with("hugepages-")
}

/// Returns whether a resource is one of Kubernetes, not of a device plug-in (`IsNativeResource`).
fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}
