//! Facts of a pod and its containers to a template.

use kube_resources::{MemoryRequest, Quantity, oom_memory_request};
use serde::Deserialize;

use super::amounts::Info;
use super::shared::{ContainerFacts, PodFacts};
use crate::api::{Container, Labels, PodSpec, Quantities, ResourceRequirements};
use crate::{Effective, MemorySource, ResourceName, Template};

/// Knowledge of a pod's memory request. The larger one of two containers holds for the pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Memory {
    /// The containers have no request.
    Absent,
    /// The runtime was told the request.
    Stated,
    /// The manifest with which the pod was applied states the request.
    Applied,
    /// The OOM score adjustment is that of the class Guaranteed, whose request is the limit.
    Guaranteed,
    /// The request lies in a range of this many bytes around the value that is used.
    Estimated(u64),
    /// The limit is taken for the request.
    Limit,
    /// Nothing is known, and no request is taken for granted. With the memory of the node the
    /// OOM score adjustment would show the request, if the flag is set.
    Unknown(bool),
}

impl Memory {
    /// Returns the source of the request.
    fn source(self) -> MemorySource {
        match self {
            Self::Absent => MemorySource::Absent,
            Self::Stated => MemorySource::Stated,
            Self::Applied => MemorySource::Applied,
            Self::Guaranteed => MemorySource::Guaranteed,
            Self::Estimated(_) => MemorySource::Estimated,
            Self::Limit => MemorySource::Limit,
            Self::Unknown(_) => MemorySource::Unknown,
        }
    }
}

/// A container with the way in which it ran.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ran<'a> {
    pub(super) facts: &'a ContainerFacts,
    /// Whether the container is an init container.
    pub(super) is_initial: bool,
}

/// Returns the template of a pod, and the knowledge of its memory request. `node_memory` is the
/// memory of the node in bytes.
pub(super) fn template(
    pod: &PodFacts,
    containers: &[Ran<'_>],
    node_memory: Option<u64>,
) -> (Template, Memory) {
    let mut spec = pod
        .manifest
        .as_deref()
        .and_then(manifest)
        .unwrap_or_default();
    let mut memory = Memory::Absent;
    let last_initial = containers.iter().rposition(|ran| ran.is_initial);
    for (place, ran) in containers.iter().enumerate() {
        let is_early = last_initial.is_some_and(|last| place <= last);
        let container = container_of(&mut spec, ran, is_early, place);
        state(&mut container.resources, ran.facts.info);
        memory = memory.max(state_memory(container, ran.facts, node_memory));
    }
    if spec.overhead.is_empty() {
        spec.overhead = requests_of(pod.overhead);
    }
    if let Some(of_pod) = state_pod(&mut spec, pod.info, containers.is_empty()) {
        memory = of_pod;
    }
    let labels: Labels = pod.labels.iter().cloned().collect();
    let template = Template {
        memory_source: memory.source(),
        ..Template::new(labels, spec)
    };
    (template, memory)
}

/// Reads the spec of a manifest of a pod. The annotation is another program's: text that is no
/// manifest of a pod states nothing and is no error.
fn manifest(text: &str) -> Option<PodSpec> {
    #[derive(Deserialize)]
    struct Manifest {
        kind: String,
        spec: PodSpec,
    }
    let manifest: Manifest = serde_json::from_str(text).ok()?;
    let mut spec = manifest.spec;
    spec.node_name.clear();
    (manifest.kind == "Pod").then_some(spec)
}

/// Returns the container of the spec that ran, which is added if no manifest has it.
fn container_of<'s>(
    spec: &'s mut PodSpec,
    ran: &Ran<'_>,
    is_early: bool,
    place: usize,
) -> &'s mut Container {
    let name = match ran.facts.name.as_str() {
        "" => format!("container-{place}"),
        name => name.to_owned(),
    };
    let of_name = |container: &Container| container.name == name;
    let list = if spec.init_containers.iter().any(of_name) {
        &mut spec.init_containers
    } else if spec.containers.iter().any(of_name) || !is_early {
        &mut spec.containers
    } else {
        &mut spec.init_containers
    };
    let place = list.iter().position(of_name).unwrap_or_else(|| {
        list.push(Container {
            name,
            image: ran.facts.image.clone(),
            // A container that started before an init container and stays is a sidecar.
            restart_policy: (is_early && !ran.is_initial).then(|| "Always".to_owned()),
            ..Container::default()
        });
        list.len() - 1
    });
    &mut list[place]
}

/// States the resources of a container, but for the memory request.
fn state(resources: &mut ResourceRequirements, info: Info) {
    let ResourceRequirements { requests, limits } = resources;
    put(requests, ResourceName::CPU, info.cpu_request);
    put(limits, ResourceName::CPU, info.cpu_limit);
    put(limits, ResourceName::MEMORY, info.memory_limit);
    put(limits, ResourceName::EPHEMERAL_STORAGE, info.storage_limit);
}

/// States the memory request of a container by the best source: a statement to the runtime, the
/// manifest, the OOM score adjustment.
fn state_memory(
    container: &mut Container,
    facts: &ContainerFacts,
    node_memory: Option<u64>,
) -> Memory {
    let ResourceRequirements { requests, limits } = &mut container.resources;
    let limit = facts.info.memory_limit;
    if let Some(stated) = facts.info.memory_request {
        put(requests, ResourceName::MEMORY, Some(stated));
        return Memory::Stated;
    }
    if requests.contains_key(ResourceName::MEMORY) {
        return Memory::Applied;
    }
    let unknown = |shows| match limit {
        Some(_) => Memory::Limit,
        None => Memory::Unknown(shows),
    };
    let Some(adjustment) = facts.oom_score_adj else {
        return unknown(false);
    };
    // Without the memory of the node, one byte tells the kinds of adjustments apart.
    match oom_memory_request(adjustment, node_memory.unwrap_or(1)) {
        MemoryRequest::Nothing => Memory::Absent,
        MemoryRequest::Limit if limits.contains_key(ResourceName::MEMORY) => Memory::Guaranteed,
        range @ MemoryRequest::Between { least, most } if node_memory.is_some() => {
            put(requests, ResourceName::MEMORY, range.estimate(limit));
            let most = limit.map_or(most, |limit| limit.clamp(least, most));
            Memory::Estimated(most - least)
        }
        MemoryRequest::Between { .. } => unknown(true),
        MemoryRequest::Limit | MemoryRequest::Unknown => unknown(false),
    }
}

/// States the resources of the pod where they are others than its containers come to. Returns
/// the knowledge of the memory request if the pod's own statement decides it.
fn state_pod(spec: &mut PodSpec, info: Info, has_no_containers: bool) -> Option<Memory> {
    let states_memory = info.memory_request.is_some() || info.memory_limit.is_some();
    if !states_memory && info.cpu_request.is_none() && info.cpu_limit.is_none() {
        return has_no_containers.then_some(Memory::Unknown(false));
    }
    let bare = PodSpec {
        overhead: Quantities::new(),
        resources: None,
        ..spec.clone()
    };
    let sum = Effective::of(&bare);
    let amount = |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
    let is_other = |value: Option<u64>, sum: Option<i64>| {
        let value = amount(value);
        value.is_some() && value != sum
    };
    let mut resources = spec.resources.take().unwrap_or_default();
    let (requests, limits) = (&sum.requests, &sum.limits);
    if is_other(info.cpu_request, requests.get(ResourceName::CPU)) {
        put(&mut resources.requests, ResourceName::CPU, info.cpu_request);
    }
    if is_other(info.memory_request, requests.get(ResourceName::MEMORY)) {
        let stated = info.memory_request;
        put(&mut resources.requests, ResourceName::MEMORY, stated);
    }
    if is_other(info.cpu_limit, limits.get(ResourceName::CPU)) {
        put(&mut resources.limits, ResourceName::CPU, info.cpu_limit);
    }
    if is_other(info.memory_limit, limits.get(ResourceName::MEMORY)) {
        let stated = info.memory_limit;
        put(&mut resources.limits, ResourceName::MEMORY, stated);
    }
    let is_stated = resources != ResourceRequirements::default();
    spec.resources = is_stated.then_some(resources);
    match (info.memory_request, info.memory_limit) {
        (Some(_), _) => Some(Memory::Stated),
        // Without containers, the rule of the API server takes the pod's limit for its request.
        (None, Some(_)) if has_no_containers => Some(Memory::Limit),
        (None, None) if has_no_containers => Some(Memory::Unknown(false)),
        _ => None,
    }
}

fn requests_of(info: Info) -> Quantities {
    let mut quantities = Quantities::new();
    put(&mut quantities, ResourceName::CPU, info.cpu_request);
    put(&mut quantities, ResourceName::MEMORY, info.memory_request);
    quantities
}

/// States an amount: millicores of CPU, bytes of all else.
fn put(quantities: &mut Quantities, name: &str, amount: Option<u64>) {
    let Some(amount) = amount else { return };
    let quantity = match name {
        ResourceName::CPU => Quantity::from_milli(amount),
        _ => Quantity::from_bytes(amount),
    };
    // A manifest's own way to write the same amount stays.
    let is_same = |present: &Quantity| present.nanos() == quantity.nanos();
    if !quantities.get(name).is_some_and(is_same) {
        quantities.insert(name.to_owned(), quantity);
    }
}
