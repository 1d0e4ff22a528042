//! The document of the answer.

use std::collections::BTreeMap;

use scheduler::{Cluster, GATED, NodeState, Outcome, ResourceIndex};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::compare::Comparison;
use super::plan::{Plan, name};
use crate::answer::Header;
use crate::commands::scheduler_options::ShownScheduler;

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/schedule/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Placement of the waiting pods on the nodes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document {
    #[serde(flatten)]
    pub header: Header,
    /// Scheduler that places the pods.
    pub scheduler: ShownScheduler,
    /// Numbers of pods.
    pub pods: Pods,
    /// Nodes after the placement, in the order of the input.
    pub nodes: Vec<Node>,
    /// Pods that got a node, in the order of the input.
    pub placements: Vec<Placed>,
    /// Pods without a node, in the order of the input.
    pub unschedulable: Vec<Refused>,
    /// Pods that are removed for others.
    pub evictions: Vec<Eviction>,
    /// Differences to the other version; absent without `--compare-schedulers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// Numbers of pods.
#[derive(Debug, Default, Serialize, JsonSchema)]
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

/// Node after the placement.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Node {
    /// Name.
    pub name: String,
    /// Number of pods on the node.
    pub pods: usize,
    /// Largest number of pods on the node.
    pub allowed_pods: i64,
    /// Requested amounts; names of resources end with the unit.
    pub requested: BTreeMap<String, i64>,
    /// Amounts that pods may request; names of resources end with the unit.
    pub allocatable: BTreeMap<String, i64>,
}

/// Pod that got a node.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Placed {
    /// Pod, as NAMESPACE/NAME.
    pub pod: String,
    /// Name of the node.
    pub node: String,
}

/// Pod without a node.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Refused {
    /// Pod, as NAMESPACE/NAME.
    pub pod: String,
    /// Kind and name of the workload; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// Reason of the condition `PodScheduled`.
    pub reason: &'static str,
    /// Message of the condition `PodScheduled`.
    pub message: String,
}

/// Pod that is removed for another.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Eviction {
    /// Pod that is removed, as NAMESPACE/NAME.
    pub pod: String,
    /// Name of its node.
    pub node: String,
    /// Pod that takes its room, as NAMESPACE/NAME.
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
