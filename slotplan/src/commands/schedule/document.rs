//! The document of the answer.

use std::collections::BTreeMap;

use scheduler::{Cluster, GATED, NodeState, Outcome, ResourceIndex};
use serde::Serialize;

use super::compare::Comparison;
use super::plan::{Plan, name};
use crate::answer::Header;
use crate::commands::scheduler_options::ShownScheduler;

#[derive(Debug, Serialize)]
pub struct Document {
    #[serde(flatten)]
    pub header: Header,
    pub scheduler: ShownScheduler,
    pub pods: Pods,
    pub nodes: Vec<Node>,
    pub placements: Vec<Placed>,
    pub unschedulable: Vec<Refused>,
    pub evictions: Vec<Eviction>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// Numbers of pods.
#[derive(Debug, Default, Serialize)]
pub struct Pods {
    /// Pods that had a node from the start.
    pub running: usize,
    /// Pods that waited for one.
    pub waiting: usize,
    /// Pods that waited and are on a node.
    pub placed: usize,
    /// Pods that no node takes.
    pub unschedulable: usize,
    /// Pods that gates keep from the scheduler.
    pub gated: usize,
    /// Pods that were removed for others and are on no node.
    pub evicted: usize,
}

#[derive(Debug, Serialize)]
pub struct Node {
    pub name: String,
    pub pods: usize,
    pub allowed_pods: i64,
    pub requested: BTreeMap<String, i64>,
    pub allocatable: BTreeMap<String, i64>,
}

#[derive(Debug, Serialize)]
pub struct Placed {
    pub pod: String,
    pub node: String,
}

#[derive(Debug, Serialize)]
pub struct Refused {
    pub pod: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    pub reason: &'static str,
    pub message: String,
}

#[derive(Debug, Serialize)]
pub struct Eviction {
    pub pod: String,
    pub node: String,
    pub for_pod: String,
}

/// Reasons of the condition `PodScheduled`.
pub const UNSCHEDULABLE: &str = "Unschedulable";
pub const SCHEDULING_GATED: &str = "SchedulingGated";

impl Document {
    pub fn new(
        header: Header,
        scheduler: ShownScheduler,
        plan: &Plan<'_>,
        comparison: Option<Comparison>,
    ) -> Self {
        let nodes = plan.cluster.nodes().iter();
        let mut document = Self {
            header,
            scheduler,
            pods: Pods {
                waiting: plan.waiting,
                ..Pods::default()
            },
            nodes: nodes.map(|node| Node::new(&plan.cluster, node)).collect(),
            placements: Vec::new(),
            unschedulable: Vec::new(),
            evictions: Vec::new(),
            comparison,
        };
        for (&id, outcome) in &plan.outcomes {
            document.add(plan, name(plan.pod(id)), outcome, id);
        }
        let on_nodes: usize = document.nodes.iter().map(|node| node.pods).sum();
        document.pods.running = on_nodes.saturating_sub(document.pods.placed);
        document
    }

    fn add(&mut self, plan: &Plan<'_>, pod: String, outcome: &Outcome, id: scheduler::PodId) {
        let (reason, message) = match outcome {
            Outcome::Placed { node, victims } => {
                self.pods.placed += 1;
                let node = plan.node(*node).to_owned();
                self.evictions.extend(victims.iter().map(|victim| Eviction {
                    pod: name(plan.pod(victim.id)),
                    node: node.clone(),
                    for_pod: pod.clone(),
                }));
                self.placements.push(Placed { pod, node });
                return;
            }
            Outcome::Evicted => {
                self.pods.evicted += 1;
                return;
            }
            Outcome::Unschedulable(message) => {
                self.pods.unschedulable += 1;
                (UNSCHEDULABLE, message.clone())
            }
            Outcome::Gated => {
                self.pods.gated += 1;
                (SCHEDULING_GATED, GATED.to_owned())
            }
        };
        let owner = plan.pod(id).owner.as_ref();
        self.unschedulable.push(Refused {
            pod,
            workload: owner.map(|owner| format!("{} {}", owner.kind, owner.name)),
            reason,
            message,
        });
    }

    /// Returns whether every pod that may have a node has one.
    pub fn holds(&self) -> bool {
        self.pods.unschedulable == 0 && self.pods.evicted == 0
    }
}

impl Node {
    fn new(cluster: &Cluster, node: &NodeState) -> Self {
        let mut requested = BTreeMap::new();
        let mut allocatable = BTreeMap::new();
        for (name, _) in node.node().allocatable.iter() {
            if let Some(resource) = cluster.resource(name) {
                let shown = shown(name);
                requested.insert(shown.clone(), node.requested(resource));
                allocatable.insert(shown, node.allocatable(resource));
            }
        }
        Self {
            name: node.node().name.to_string(),
            pods: node.pods().len(),
            allowed_pods: node.allowed_pods(),
            requested,
            allocatable,
        }
    }

    /// Returns the requested and the allocatable amount of CPU in millicores.
    pub fn cpu(&self) -> (i64, i64) {
        self.amounts("cpu_millicores")
    }

    /// Returns the requested and the allocatable amount of memory in bytes.
    pub fn memory(&self) -> (i64, i64) {
        self.amounts("memory_bytes")
    }

    fn amounts(&self, name: &str) -> (i64, i64) {
        let of = |amounts: &BTreeMap<String, i64>| amounts.get(name).copied().unwrap_or(0);
        (of(&self.requested), of(&self.allocatable))
    }
}

/// Returns the name of a resource with its unit.
fn shown(name: &str) -> String {
    match name {
        "cpu" => "cpu_millicores".to_owned(),
        "memory" => "memory_bytes".to_owned(),
        "ephemeral-storage" => "ephemeral_storage_bytes".to_owned(),
        other => other.to_owned(),
    }
}

/// Returns the amounts of CPU and memory that a pod's node must have left.
pub fn requests(plan: &Plan<'_>, pod: &scheduler::PodOnNode) -> (i64, i64) {
    let class = plan.cluster.class_of(pod.class);
    let of = |resource: ResourceIndex| {
        let found = class
            .requests()
            .iter()
            .find(|(index, _)| *index == resource);
        found.map_or(0, |&(_, amount)| amount)
    };
    (of(ResourceIndex::CPU), of(ResourceIndex::MEMORY))
}
