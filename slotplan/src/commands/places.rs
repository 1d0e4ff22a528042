//! Places of pods on the nodes of the input, as kube-scheduler chooses them.

use std::collections::BTreeMap;
use std::sync::Arc;

use inventory::{Assumption, Inventory, Pod};
use scheduler::{Outcome, Profile, Settings, Ties};

use crate::placement::Placement;

/// Largest number of pods times nodes for which pods are placed; the scheduler looks at every node
/// for every pod, a hundred million of them in a few seconds.
const MOST_LOOKS: usize = 200_000_000;

/// Places of all pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Number of nodes.
    pub nodes: u64,
    /// Number of nodes with pods.
    pub used: u64,
    /// Number of pods with a node.
    pub placed: u64,
    /// Number of pods without a node, by workload, with the scheduler's message for the first.
    pub pending: BTreeMap<String, (u64, String)>,
}

/// Puts the pods of an inventory that have no node on its nodes: in the order of the scheduler's
/// queue, of equal nodes on the first, without removing a pod for another.
///
/// Returns `None` and changes nothing without nodes, if a pod has ended (the nodes that it left
/// would have to be followed over time), or if there are too many pods and nodes; an assumption
/// tells the last.
///
/// # Errors
/// Two nodes of one name, or a selector that no API server accepts.
pub fn place(inventory: &mut Inventory) -> anyhow::Result<Option<Places>> {
    let (pods, nodes) = (inventory.pods.len(), inventory.nodes.len());
    if nodes == 1 && inventory.pods.iter().any(|pod| pod.departure.is_some()) {
        put_on_the_only_node(inventory);
    }
    if nodes == 0 || inventory.pods.iter().any(|pod| pod.departure.is_some()) {
        return Ok(None);
    }
    if pods.saturating_mul(nodes) > MOST_LOOKS {
        let told = format!("{pods} pods are not placed on {nodes} nodes, which would take long");
        inventory.assumptions.push(Assumption(told));
        return Ok(None);
    }
    let placement = Placement::new(inventory)?;
    let (mut cluster, waiting) = (placement.cluster, placement.waiting);
    inventory.assumptions.extend(placement.assumptions);
    let settings = Settings {
        profile: &Profile::default(),
        ties: Ties::First,
        preemption: None,
    };
    let chosen = waiting.len();
    let outcomes = cluster.schedule(waiting, &settings, |_, _| None, |_, _, _| ());
    let mut pending: BTreeMap<String, (u64, String)> = BTreeMap::new();
    for (id, outcome) in outcomes {
        let Some(pod) = inventory.pods.get_mut(id.0 as usize) else {
            continue;
        };
        let message = match outcome {
            Outcome::Placed { node, .. } => {
                pod.node = Some(Arc::clone(&cluster.nodes()[node].node().name));
                continue;
            }
            Outcome::Unschedulable(message) => message,
            Outcome::Gated => scheduler::GATED.to_owned(),
            Outcome::Evicted => "removed for another pod".to_owned(),
        };
        let entry = pending.entry(workload(pod)).or_insert((0, message));
        entry.0 += 1;
    }
    if chosen > 0 {
        let told = "pods without a node are where the scheduler places them, of equal nodes on the \
                    first";
        inventory.assumptions.push(Assumption(told.to_owned()));
    }
    let used = cluster
        .nodes()
        .iter()
        .filter(|node| !node.pods().is_empty());
    Ok(Some(Places {
        nodes: nodes as u64,
        used: used.count() as u64,
        placed: inventory
            .pods
            .iter()
            .filter(|pod| pod.node.is_some())
            .count() as u64,
        pending,
    }))
}

/// Puts pods without a node on the only one: they ran, and there they did.
fn put_on_the_only_node(inventory: &mut Inventory) {
    let Some(name) = inventory.nodes.first().map(|node| Arc::clone(&node.name)) else {
        return;
    };
    let without = inventory.pods.iter_mut().filter(|pod| pod.node.is_none());
    let count = without
        .map(|pod| pod.node = Some(Arc::clone(&name)))
        .count();
    if count > 0 {
        let told = format!("{count} pods without a node ran on the only one, {name}");
        inventory.assumptions.push(Assumption(told));
    }
}

impl Places {
    /// Returns the number of pods without a node.
    pub fn without_node(&self) -> u64 {
        self.pending.values().map(|(count, _)| count).sum()
    }
}

/// Returns the name of a pod's workload, as costs name it.
fn workload(pod: &Pod) -> String {
    let (kind, name): (&str, &Arc<str>) = match &pod.owner {
        Some(owner) => (&owner.kind, &owner.name),
        None => ("Pod", &pod.name),
    };
    format!("{}/{kind}/{name}", pod.namespace)
}
