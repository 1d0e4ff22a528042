//! Outcome for every pod.

use std::collections::BTreeMap;

use inventory::{Inventory, Pod};
use scheduler::{Cluster, NodeState, Outcome, PodId, Profile, Settings, Ties, Waiting};

use crate::placement::Placement;

/// Cluster after all pods have been placed, and the outcome for each pod.
#[derive(Debug)]
pub struct Plan<'a> {
    pub inventory: &'a Inventory,
    pub cluster: Cluster,
    /// Number of pods that waited.
    pub waiting: usize,
    pub outcomes: BTreeMap<PodId, Outcome>,
}

impl<'a> Plan<'a> {
    /// Places all pods that wait.
    pub fn new(
        inventory: &'a Inventory,
        placement: Placement,
        profile: &Profile,
        ties: Ties,
        preempts: bool,
    ) -> Self {
        let waiting = placement.waiting.len();
        let (cluster, outcomes) =
            place(inventory, placement, profile, ties, preempts, |_, _, _| {});
        Self {
            inventory,
            cluster,
            waiting,
            outcomes,
        }
    }

    /// Returns a pod.
    pub fn pod(&self, id: PodId) -> &'a Pod {
        &self.inventory.pods[id.0 as usize]
    }

    /// Returns the name of a node.
    pub fn node(&self, number: usize) -> &str {
        &self.cluster.nodes()[number].node().name
    }
}

/// Places all pods that wait and shows `watch` the cluster before each.
pub fn place(
    inventory: &Inventory,
    mut placement: Placement,
    profile: &Profile,
    ties: Ties,
    preempts: bool,
    watch: impl FnMut(&Cluster, Waiting, u64),
) -> (Cluster, BTreeMap<PodId, Outcome>) {
    let settings = Settings {
        profile,
        ties,
        preemption: preempts.then_some(&placement.budgets),
    };
    let classes: BTreeMap<PodId, Waiting> = placement
        .waiting
        .iter()
        .map(|waiting| (waiting.id, *waiting))
        .collect();
    let running: BTreeMap<PodId, _> = placement
        .cluster
        .nodes()
        .iter()
        .flat_map(NodeState::pods)
        .map(|pod| (pod.id, pod.class))
        .collect();
    let remake = |id: PodId, node: usize| {
        let owner = inventory.pods[id.0 as usize].owner.as_ref()?;
        if let Some(waiting) = classes.get(&id) {
            return Some(*waiting);
        }
        let class = *running.get(&id)?;
        Some(Waiting {
            id,
            class,
            only: (&*owner.kind == "DaemonSet").then_some(node),
            arrival: None,
        })
    };
    let outcomes = placement
        .cluster
        .schedule(placement.waiting, &settings, remake, watch);
    (placement.cluster, outcomes)
}

/// Returns the name of a pod with its namespace.
pub fn name(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}
