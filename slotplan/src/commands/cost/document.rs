//! The document of `slotplan cost`.

use std::collections::BTreeMap;

use cost::prices::NodePrice;
use cost::{Group, GroupKind, HOUR_NS, MONTH_HOURS, Money, NodeCost, PerResource, Resource};
use serde::Serialize;

use super::Shown;
use crate::answer::Header;

/// Nanoseconds of a month.
const MONTH_NS: u128 = HOUR_NS * MONTH_HOURS as u128;

/// Document. Money is in the currency unit: exact to 16 digits as a number, and in billionths as
/// an integer where parts must sum to the whole.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    header: Header,
    currency: String,
    window: Window,
    by: Vec<String>,
    total: Totals,
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<Budget>,
    /// Cheapest nodes of the shapes that can be bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    cheapest: Option<Cheapest>,
    groups: Vec<GroupDocument>,
    nodes: Vec<NodeDocument>,
}

#[derive(Debug, Serialize)]
struct Window {
    start: String,
    end: String,
    hours: f64,
    /// Whether the window is a month to come.
    projection: bool,
}

#[derive(Debug, Serialize)]
struct Totals {
    allocated: f64,
    idle: f64,
    overhead: f64,
    total: f64,
    total_nano: i128,
    per_hour: f64,
    per_month: f64,
    /// Cost of all nodes; absent without nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_per_month: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Cheapest {
    /// Number of nodes by shape.
    nodes: BTreeMap<String, usize>,
    per_hour: f64,
    per_month: f64,
    /// Cost per hour below which no nodes of these shapes have room.
    at_least_per_hour: f64,
}

#[derive(Debug, Serialize)]
struct Budget {
    per_month: f64,
    exceeded: bool,
}

#[derive(Debug, Serialize)]
struct GroupDocument {
    key: String,
    kind: &'static str,
    cpu: f64,
    memory: f64,
    gpu: f64,
    shared: f64,
    /// Part of the costs of resources that is idle cost.
    idle: f64,
    total: f64,
    /// Total in billionths; these sum to the total of the document.
    total_nano: u128,
    per_hour: f64,
    per_month: f64,
    core_hours: f64,
    gib_hours: f64,
    gpu_hours: f64,
    /// Requested amounts, on average over the window.
    requested_cores: f64,
    requested_gib: f64,
    requested_gpus: f64,
    /// Null without usage in the input.
    cpu_efficiency: Option<f64>,
    memory_efficiency: Option<f64>,
    efficiency: Option<f64>,
}

#[derive(Debug, Serialize)]
struct NodeDocument {
    name: String,
    price: &'static str,
    cpu_core_hour: f64,
    memory_gib_hour: f64,
    gpu_hour: f64,
    capacity: Amounts,
    allocated: Amounts,
    idle: Amounts,
}

#[derive(Debug, Serialize)]
struct Amounts {
    cpu: f64,
    memory: f64,
    gpu: f64,
    total: f64,
}

impl From<PerResource<Money>> for Amounts {
    fn from(money: PerResource<Money>) -> Self {
        Self {
            cpu: money.cpu.to_f64(),
            memory: money.memory.to_f64(),
            gpu: money.gpu.to_f64(),
            total: money.total().to_f64(),
        }
    }
}

/// Returns the document.
///
/// # Errors
/// None that is known.
pub fn document(header: Header, shown: &Shown) -> serde_json::Result<serde_json::Value> {
    let (estimate, grouped) = (shown.estimate, shown.grouped);
    let nanoseconds = estimate.window.nanoseconds();
    let total = grouped.total();
    let provisioned = (!estimate.nodes.is_empty()).then(|| estimate.provisioned().total());
    let groups = grouped.groups.iter().zip(grouped.nanos());
    let nodes = estimate.nodes.iter().zip(&estimate.prices);
    serde_json::to_value(Document {
        header,
        currency: estimate.currency.clone(),
        window: Window {
            start: estimate.window.start().to_string(),
            end: estimate.window.end().to_string(),
            hours: nanoseconds as f64 / HOUR_NS as f64,
            projection: estimate.is_projection,
        },
        by: shown.by.iter().map(ToString::to_string).collect(),
        total: Totals {
            allocated: grouped.allocated.total().to_f64(),
            idle: grouped.idle.total().to_f64(),
            overhead: grouped.overhead.to_f64(),
            total: total.to_f64(),
            total_nano: total.nano(),
            per_hour: shown.per_hour(total).to_f64(),
            per_month: shown.per_month(total).to_f64(),
            provisioned: provisioned.map(Money::to_f64),
            provisioned_per_month: provisioned.map(|money| shown.per_month(money).to_f64()),
        },
        budget: shown.budget.map(|budget| Budget {
            per_month: budget.to_f64(),
            exceeded: shown.is_over_budget(),
        }),
        cheapest: shown.cheapest.map(|cheapest| Cheapest {
            nodes: cheapest.nodes.iter().cloned().collect(),
            per_hour: cheapest.per_hour.to_f64(),
            per_month: cheapest.per_hour.over(MONTH_NS).to_f64(),
            at_least_per_hour: cheapest.at_least.to_f64(),
        }),
        groups: groups
            .map(|(group, nano)| of_group(shown, group, nano))
            .collect(),
        nodes: nodes.map(|(cost, price)| of_node(cost, price)).collect(),
    })
}

fn of_group(shown: &Shown, group: &Group, total_nano: u128) -> GroupDocument {
    let total = group.total();
    let hours = |resource: Resource| group.allocated[resource] as f64 / resource.unit_hour() as f64;
    let length = shown.estimate.window.nanoseconds() as f64;
    let requested =
        |resource: Resource| group.requested[resource] as f64 / resource.priced() as f64 / length;
    let is_measured = shown.has_usage && group.kind == GroupKind::Containers;
    GroupDocument {
        key: group.key.clone(),
        kind: match group.kind {
            GroupKind::Containers => "containers",
            GroupKind::Idle => "idle",
            GroupKind::Shared => "shared",
        },
        cpu: group.cost.cpu.to_f64(),
        memory: group.cost.memory.to_f64(),
        gpu: group.cost.gpu.to_f64(),
        shared: group.shared.to_f64(),
        idle: group.idle.total().to_f64(),
        total: total.to_f64(),
        total_nano,
        per_hour: shown.per_hour(total).to_f64(),
        per_month: shown.per_month(total).to_f64(),
        core_hours: hours(Resource::Cpu),
        gib_hours: hours(Resource::Memory),
        gpu_hours: hours(Resource::Gpu),
        requested_cores: requested(Resource::Cpu),
        requested_gib: requested(Resource::Memory),
        requested_gpus: requested(Resource::Gpu),
        cpu_efficiency: is_measured.then(|| group.cpu_efficiency()),
        memory_efficiency: is_measured.then(|| group.memory_efficiency()),
        efficiency: is_measured.then(|| group.efficiency()),
    }
}

fn of_node(cost: &NodeCost, price: &NodePrice) -> NodeDocument {
    let prices = price.node.prices;
    NodeDocument {
        name: cost.node.to_string(),
        price: price.source.name(),
        cpu_core_hour: prices.cpu.to_f64(),
        memory_gib_hour: prices.memory.to_f64(),
        gpu_hour: prices.gpu.to_f64(),
        capacity: cost.capacity.into(),
        allocated: cost.allocated.into(),
        idle: cost.idle.into(),
    }
}
