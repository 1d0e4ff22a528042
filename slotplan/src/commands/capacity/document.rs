//! The document of the answer.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::answer::Header;
use crate::commands::scheduler_options::ShownScheduler;

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/capacity/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Number of nodes that the pods need, by shape.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document {
    #[serde(flatten)]
    pub header: Header,
    /// Scheduler that places the pods.
    pub scheduler: ShownScheduler,
    /// Number of pods to place.
    pub pods: usize,
    /// Number of nodes in the input, which take pods first.
    pub existing_nodes: usize,
    /// Whether every pod fits, on no more nodes than are allowed.
    pub holds: bool,
    /// Largest number of nodes that `--max-nodes` allows; absent without the option.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_nodes: Option<usize>,
    /// Plans, one for each shape of node.
    pub shapes: Vec<Shape>,
    /// Nodes of several shapes together; absent without prices or with one shape.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixture>,
    /// Pods that fit on no node of any shape.
    pub nowhere: Vec<Nowhere>,
}

/// Plan for one shape.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Shape {
    /// Name of the shape, as the option `--node` states it.
    pub name: String,
    /// Resources for pods by name: CPU in millicores, memory in bytes, others in their
    /// unit.
    pub allocatable: BTreeMap<String, i64>,
    /// Price of a node per hour, as an exact decimal; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_per_hour: Option<String>,
    #[serde(skip)]
    pub price: Option<i128>,
    /// Number of new nodes that the chosen scheduler needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    /// Numbers of nodes by strategy and order; the first is the chosen scheduler's.
    pub ways: Vec<ShownWay>,
    /// Numbers of nodes without a scheduler.
    pub bounds: Bounds,
    /// Names of the DaemonSets with a pod on each node.
    pub daemons: Vec<String>,
    /// Pods that fit on no node of the shape.
    pub nowhere: Vec<Nowhere>,
    /// Peak of pods over time; absent if no pod has a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<Peak>,
    /// Placement on the planned nodes; absent if some pod fits on none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed: Option<ShownPlaced>,
}

/// Number of nodes by one strategy and one order of the pods.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownWay {
    /// Strategy of the scheduler.
    pub strategy: &'static str,
    /// Order in which the pods are placed.
    pub order: &'static str,
    /// Number of new nodes; absent if a pod fits on none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    /// Whether every smaller number was tried in vain.
    pub proven: bool,
    /// Numbers of pods without a node on 1, 2, ... nodes, up to one node fewer than `nodes`; absent
    /// if that would take long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_over_with_fewer: Option<Vec<usize>>,
    /// First pod that fits on no number of nodes; absent if all fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Nowhere>,
}

/// Numbers of nodes without a scheduler.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Bounds {
    /// Sum of each resource in nodes, the highest, rounded up; absent beside nodes that exist.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sum: Option<usize>,
    /// No placement has fewer nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower: Option<usize>,
    /// A packing with this number of nodes exists, whether or not a scheduler finds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packing: Option<usize>,
    /// Both, where they meet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub optimum: Option<usize>,
}

/// Pods that fit on no node.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Nowhere {
    /// Workload of the pods.
    pub workload: String,
    /// First of the pods.
    pub pod: String,
    /// Number of pods.
    pub pods: usize,
    /// Scheduler's message for the first of the pods.
    pub message: String,
}

/// Largest load over time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Peak {
    /// Nodes for the sums of the pods that are there together.
    pub sum_bound: usize,
    /// Number of pods at the peak.
    pub pods: usize,
    /// Time of the peak (RFC 3339, UTC); absent for a load without times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Placement on the planned nodes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownPlaced {
    /// Number of planned nodes.
    pub nodes: usize,
    /// Number of pods without a node.
    pub left_over: usize,
    /// Requested shares of the nodes' resources.
    pub requested_share: Share,
    /// Losses of one node each.
    pub loss_of_nodes: Losses,
    /// Losses of one zone each; absent without zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_of_zones: Option<Losses>,
    /// Further pods of a workload that fit; absent without pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<More>,
    /// Placement over time; absent if no pod has a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_time: Option<OverTime>,
}

/// Shares of CPU and memory, 0 to 1.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
pub struct Share {
    /// Share of CPU, 0 to 1.
    pub cpu: f64,
    /// Share of memory, 0 to 1.
    pub memory: f64,
}

/// Losses of nodes or zones that were tried.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Losses {
    /// Number of losses that were tried.
    pub tried: usize,
    /// Number of those with pods that fit nowhere.
    pub broken: usize,
    /// Losses that leave the most pods without a node.
    pub worst: Vec<ShownLoss>,
}

/// Loss of a node or a zone.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownLoss {
    /// Name of the node or zone.
    pub lost: String,
    /// Number of nodes that are lost.
    pub nodes: usize,
    /// Number of pods that lose their node.
    pub pods: usize,
    /// Number of these pods that fit on no other node.
    pub homeless: usize,
    /// Scheduler's message for the first pod that fits on no other node.
    pub message: String,
}

/// Further pods that fit on the planned nodes.
#[derive(Debug, Serialize, JsonSchema)]
pub struct More {
    /// Workload of the pods.
    pub workload: String,
    /// Number of further pods.
    pub pods: usize,
    /// Scheduler's message for the first that does not fit; absent if the limit was
    /// reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

/// Placement of pods that arrive and depart.
#[derive(Debug, Serialize, JsonSchema)]
pub struct OverTime {
    /// First time (RFC 3339, UTC).
    pub start: String,
    /// Last time (RFC 3339, UTC).
    pub end: String,
    /// Largest number of nodes with pods at one time.
    pub high_water_nodes: usize,
    /// First time with that number of nodes (RFC 3339, UTC).
    pub high_water_at: String,
    /// Number of pods that waited for a node.
    pub waited_pods: usize,
    /// Longest time that a pod waited, in seconds.
    pub longest_wait_seconds: f64,
    /// Number of pods that never got a node.
    pub never_placed: usize,
    /// Parts of equal length of the time.
    pub intervals: Vec<ShownInterval>,
}

/// Part of the time.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownInterval {
    /// Beginning (RFC 3339, UTC).
    pub start: String,
    /// End (RFC 3339, UTC).
    pub end: String,
    /// Requested shares of all nodes' resources, on average.
    pub requested_share: Share,
    /// Largest number of nodes with pods.
    pub nodes_in_use: usize,
    /// Largest number of pods that wait.
    pub waiting: usize,
    /// Shares of the free amounts, at the end, on nodes that take a pod of no class.
    pub fragmented_share: Share,
}

/// Nodes of several shapes together.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Mixture {
    /// Number of nodes of each shape in the cheapest packing that was found.
    pub packing: BTreeMap<String, usize>,
    /// Cost of the packing per hour, as an exact decimal.
    pub packing_cost_per_hour: String,
    /// Cost per hour below which no mixture has room, as an exact decimal.
    pub lower_bound_per_hour: String,
    /// Cost of the packing above the bound, in percent of the bound.
    pub gap_percent: f64,
    /// Nodes on which the scheduler places every pod; absent if none were found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<ShownScheduled>,
}

/// Nodes on which the scheduler places every pod.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShownScheduled {
    /// Number of nodes of each shape.
    pub nodes: BTreeMap<String, usize>,
    /// Cost of the nodes per hour, as an exact decimal.
    pub cost_per_hour: String,
    #[serde(skip)]
    pub cost: i128,
    /// Strategy of the scheduler.
    pub strategy: &'static str,
    /// Order in which the pods are placed.
    pub order: &'static str,
}
