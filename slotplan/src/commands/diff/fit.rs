//! Places of pods on the nodes of the input.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::anyhow;
use inventory::{Inventory, Pod};
use scheduler::{Cluster, Outcome, PodId, PodOnNode, Profile, Settings, Ties, Waiting};

/// Places of all pods that stay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// Number of nodes.
    pub nodes: u64,
    /// Number of nodes with pods.
    pub used: u64,
    /// Number of pods with a node.
    pub placed: u64,
    /// Number of pods without a node, by workload, with the scheduler's message for the first.
    pub pending: BTreeMap<String, (u64, String)>,
}

impl Fit {
    /// Places the pods that stay: those with a node are on it, the others wait in the order of the
    /// scheduler's queue. No pod is removed for another.
    ///
    /// # Errors
    /// Nodes of one name, a selector that no API server accepts, too many pods.
    pub fn of(inventory: &Inventory) -> anyhow::Result<Self> {
        let mut cluster = Cluster::new(&inventory.nodes, BTreeMap::new())?;
        let mut waiting = Vec::new();
        let staying: Vec<_> = inventory
            .pods
            .iter()
            .filter(|pod| pod.departure.is_none())
            .collect();
        let mut placed = 0;
        for (place, pod) in staying.iter().enumerate() {
            let id = PodId(u32::try_from(place)?);
            let class = cluster
                .class(&pod.namespace, &pod.template, None)
                .map_err(|error| anyhow!("{}: {error}", pod.source))?;
            let node = pod.node.as_deref().and_then(|name| cluster.find_node(name));
            if let Some(node) = node {
                let start = pod.arrival.unwrap_or(PodOnNode::NOT_STARTED);
                cluster.add(node, PodOnNode { id, class, start });
                placed += 1;
            } else {
                waiting.push(Waiting {
                    id,
                    class,
                    arrival: pod.arrival,
                });
            }
        }
        let settings = Settings {
            profile: &Profile::default(),
            ties: Ties::First,
            preemption: None,
        };
        let outcomes = cluster.schedule(waiting, &settings, |_| false);
        let mut pending: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for (id, outcome) in outcomes {
            let message = match outcome {
                Outcome::Placed { .. } => {
                    placed += 1;
                    continue;
                }
                Outcome::Unschedulable(message) => message,
                Outcome::Gated => scheduler::GATED.to_owned(),
                Outcome::Evicted => "removed for another pod".to_owned(),
            };
            let Some(pod) = staying.get(id.0 as usize) else {
                continue;
            };
            let entry = pending.entry(workload(pod)).or_insert((0, message));
            entry.0 += 1;
        }
        let nodes = cluster.nodes().iter();
        let used = nodes.filter(|node| !node.pods().is_empty()).count();
        Ok(Self {
            nodes: inventory.nodes.len() as u64,
            used: used as u64,
            placed,
            pending,
        })
    }

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
