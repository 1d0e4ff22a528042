//! Outcome for every pod.

use std::collections::BTreeMap;

use anyhow::Context;
use inventory::{Inventory, Pod};
use scheduler::{Cluster, Engine, NodeState, Outcome, PodId, Profile, Settings, Ties, Waiting};

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
    ///
    /// # Errors
    /// None that the options admit.
    pub fn new(
        inventory: &'a Inventory,
        placement: Placement,
        profile: &Profile,
        ties: Ties,
        preempts: bool,
    ) -> anyhow::Result<Self> {
        let waiting = placement.waiting.len();
        let (cluster, outcomes) =
            place(inventory, placement, profile, ties, preempts, |_, _, _| {})?;
        Ok(Self {
            inventory,
            cluster,
            waiting,
            outcomes,
        })
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

/// Largest number of scores that are kept, one for each class and node; beyond it, every node is
/// looked at for every pod.
const MOST_SCORES: usize = 20_000_000;

/// Places all pods that wait and shows `watch` the cluster before each.
pub fn place(
    inventory: &Inventory,
    placement: Placement,
    profile: &Profile,
    ties: Ties,
    preempts: bool,
    watch: impl FnMut(&Cluster, Waiting, u64),
) -> anyhow::Result<(Cluster, BTreeMap<PodId, Outcome>)> {
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
    let budgets = preempts.then_some(placement.budgets.as_slice());
    let (mut cluster, waiting) = (placement.cluster, placement.waiting);
    let scores = cluster
        .classes()
        .len()
        .saturating_mul(cluster.nodes().len());
    if scores <= MOST_SCORES {
        // The options admit no profile that the engine refuses.
        let engine = Engine::new(cluster, profile.clone(), ties);
        let mut engine = engine.context("the profile of the scheduler")?;
        let outcomes = engine.schedule(waiting, budgets, remake, watch);
        return Ok((engine.cluster().clone(), outcomes));
    }
    let settings = Settings {
        profile,
        ties,
        preemption: budgets,
    };
    let outcomes = cluster.schedule(waiting, &settings, remake, watch);
    Ok((cluster, outcomes))
}

/// Returns the name of a pod with its namespace.
pub fn name(pod: &Pod) -> String {
    format!("{}/{}", pod.namespace, pod.name)
}
