//! Metrics of sandboxes and containers, and of the resources they ask for.

use std::fmt;
use std::sync::Arc;

use exposition::Descriptor;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::census::{CONTAINER_STATES, Census, Group, SANDBOX_STATES};
use super::oldest::Pod;
use super::resources::RESOURCES;
use crate::live::ResourceSlotSandboxer;
use slot::SandboxState;

const SANDBOXES: Descriptor = Descriptor {
    name: "resource_slot_sandboxes",
    help: "Sandboxes in a state",
    unit: "",
};
const CONTAINERS: Descriptor = Descriptor {
    name: "resource_slot_containers",
    help: "Containers by the state of their first process",
    unit: "",
};
const NAMESPACE_SANDBOXES: Descriptor = Descriptor {
    name: "resource_slot_namespace_sandboxes",
    help: "A namespace's sandboxes with a handler, in a state",
    unit: "",
};
const POD_CONTAINERS: Descriptor = Descriptor {
    name: "resource_slot_pod_containers",
    help: "Containers of a pod",
    unit: "",
};
const LEFT_OUT: Descriptor = Descriptor {
    name: "resource_slot_pods_left_out",
    help: "Pods that have no series of their own, because there would be too many",
    unit: "",
};

/// Counts the slots, one at a time.
pub(super) struct Slots {
    /// Sandboxer with the slots.
    pub(super) sandboxer: Arc<ResourceSlotSandboxer>,
    /// Largest number of pods that have series of their own.
    pub(super) per_pod: usize,
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slots").finish_non_exhaustive()
    }
}

impl Collector for Slots {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut census = Census::new(self.per_pod);
        self.sandboxer.each_slot(|key, slot| census.add(key, slot));
        encode_totals(&census, &mut encoder)?;
        encode_groups(&census, &mut encoder)?;
        if self.per_pod > 0 {
            encode_pods(&census, &mut encoder)?;
        }
        Ok(())
    }
}

/// Returns the value of the label for a state.
fn label(state: SandboxState) -> &'static str {
    match state {
        SandboxState::Created => "created",
        SandboxState::Ready => "ready",
        SandboxState::NotReady => "not_ready",
    }
}

fn encode_totals(census: &Census, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let total = census.total();
    let by_state = || SANDBOX_STATES.into_iter().map(label).zip(total);
    SANDBOXES.gauge(encoder, |samples| {
        by_state().try_for_each(|(state, total)| {
            samples.value_of(&[("state", state)], total.sandboxes as f64)
        })
    })?;
    CONTAINERS.gauge(encoder, |samples| {
        let by_state = CONTAINER_STATES.into_iter().zip(census.containers);
        for (state, count) in by_state {
            samples.value_of(&[("state", state.name())], count as f64)?;
        }
        Ok(())
    })?;
    for resource in RESOURCES {
        resource.total.gauge(encoder, |samples| {
            by_state().try_for_each(|(state, total)| {
                // A sum over nothing is 0, as for a client that adds the series up.
                let value = resource.of(&total.info).unwrap_or(0.0);
                samples.value_of(&[("state", state)], value)
            })
        })?;
    }
    Ok(())
}

fn encode_groups(census: &Census, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let groups = census.groups();
    let series: Vec<_> = groups
        .iter()
        .flat_map(|(group, totals)| {
            let totals = SANDBOX_STATES.into_iter().zip(totals);
            let totals = totals.filter(|(_, total)| total.sandboxes > 0);
            totals.map(move |(state, total)| (group_labels(group, state), total))
        })
        .collect();
    NAMESPACE_SANDBOXES.gauge(encoder, |samples| {
        let mut series = series.iter();
        series.try_for_each(|(labels, total)| samples.value_of(labels, total.sandboxes as f64))
    })?;
    for resource in RESOURCES {
        let infos = series.iter().map(|(labels, total)| (*labels, &total.info));
        resource.encode(resource.namespace, encoder, infos)?;
    }
    Ok(())
}

fn encode_pods(census: &Census, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    POD_CONTAINERS.gauge(encoder, |samples| {
        let mut pods = census.pods.kept();
        pods.try_for_each(|pod| samples.value_of(&pod_labels(pod), pod.containers as f64))
    })?;
    for resource in RESOURCES {
        let infos = census.pods.kept().map(|pod| (pod_labels(pod), &pod.info));
        resource.encode(resource.pod, encoder, infos)?;
    }
    LEFT_OUT.gauge(encoder, |s| s.value(census.pods.left_out() as f64))
}

fn group_labels(group: &Group, state: SandboxState) -> [(&'static str, &str); 4] {
    [
        ("containerd_namespace", &group.containerd_namespace),
        ("namespace", &group.namespace),
        ("handler", &group.handler),
        ("state", label(state)),
    ]
}

fn pod_labels(pod: &Pod) -> [(&'static str, &str); 4] {
    [
        ("containerd_namespace", pod.key.namespace()),
        ("sandbox", pod.key.id()),
        ("namespace", &pod.namespace),
        ("pod", &pod.name),
    ]
}
