//! The document of the answer.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::answer::Header;
use crate::commands::scheduler_options::ShownScheduler;

#[derive(Debug, Serialize)]
pub struct Document {
    #[serde(flatten)]
    pub header: Header,
    pub scheduler: ShownScheduler,
    pub pods: usize,
    pub existing_nodes: usize,
    /// Whether every pod fits, on no more nodes than are allowed.
    pub holds: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_nodes: Option<usize>,
    pub shapes: Vec<Shape>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mixture: Option<Mixture>,
    /// Pods that fit on no node of any shape.
    pub nowhere: Vec<Nowhere>,
}

/// Plan for one shape.
#[derive(Debug, Serialize)]
pub struct Shape {
    pub name: String,
    pub allocatable: BTreeMap<String, i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_per_hour: Option<String>,
    #[serde(skip)]
    pub price: Option<i128>,
    /// Number of new nodes that the chosen scheduler needs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    pub ways: Vec<ShownWay>,
    pub bounds: Bounds,
    pub daemons: Vec<String>,
    pub nowhere: Vec<Nowhere>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak: Option<Peak>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placed: Option<ShownPlaced>,
}

#[derive(Debug, Serialize)]
pub struct ShownWay {
    pub strategy: &'static str,
    pub order: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<usize>,
    /// Whether every smaller number was tried in vain.
    pub proven: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub left_over_with_fewer: Option<Vec<usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Nowhere>,
}

/// Numbers of nodes without a scheduler.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Clone, Serialize)]
pub struct Nowhere {
    pub workload: String,
    /// First of the pods.
    pub pod: String,
    pub pods: usize,
    pub message: String,
}

#[derive(Debug, Serialize)]
pub struct Peak {
    /// Nodes for the sums of the pods that are there together.
    pub sum_bound: usize,
    pub pods: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
}

/// Placement on the planned nodes.
#[derive(Debug, Serialize)]
pub struct ShownPlaced {
    pub nodes: usize,
    pub left_over: usize,
    pub requested_share: Share,
    pub loss_of_nodes: Losses,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_of_zones: Option<Losses>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more: Option<More>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_time: Option<OverTime>,
}

/// Shares of CPU and memory, 0 to 1.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Share {
    pub cpu: f64,
    pub memory: f64,
}

#[derive(Debug, Serialize)]
pub struct Losses {
    pub tried: usize,
    /// Number of those with pods that fit nowhere.
    pub broken: usize,
    pub worst: Vec<ShownLoss>,
}

#[derive(Debug, Serialize)]
pub struct ShownLoss {
    pub lost: String,
    pub nodes: usize,
    pub pods: usize,
    pub homeless: usize,
    pub message: String,
}

#[derive(Debug, Serialize)]
pub struct More {
    pub workload: String,
    pub pods: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct OverTime {
    pub start: String,
    pub end: String,
    pub high_water_nodes: usize,
    pub high_water_at: String,
    pub waited_pods: usize,
    pub longest_wait_seconds: f64,
    pub never_placed: usize,
    pub intervals: Vec<ShownInterval>,
}

#[derive(Debug, Serialize)]
pub struct ShownInterval {
    pub start: String,
    pub end: String,
    pub requested_share: Share,
    pub nodes_in_use: usize,
    pub waiting: usize,
    pub fragmented_share: Share,
}

#[derive(Debug, Serialize)]
pub struct Mixture {
    /// Number of nodes of each shape in the cheapest packing that was found.
    pub packing: BTreeMap<String, usize>,
    pub packing_cost_per_hour: String,
    /// No mixture costs less.
    pub lower_bound_per_hour: String,
    /// Cost of the packing above the bound, in percent of the bound.
    pub gap_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<ShownScheduled>,
}

/// Nodes on which the scheduler places every pod.
#[derive(Debug, Serialize)]
pub struct ShownScheduled {
    pub nodes: BTreeMap<String, usize>,
    pub cost_per_hour: String,
    #[serde(skip)]
    pub cost: i128,
    pub strategy: &'static str,
    pub order: &'static str,
}
