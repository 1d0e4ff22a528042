//! The document of `slotplan cost`.

use std::collections::BTreeMap;

use cost::prices::NodePrice;
use cost::{Group, GroupKind, HOUR_NS, MONTH_HOURS, Money, NodeCost, PerResource, Resource};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::Shown;
use crate::answer::Header;

/// Nanoseconds of a month.
const MONTH_NS: u128 = HOUR_NS * MONTH_HOURS as u128;

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/cost/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Document. Money is in the currency unit: exact to 16 digits as a number, and in billionths as
/// an integer where parts must sum to the whole.
#[derive(Debug, Serialize, JsonSchema)]
struct Document {
    #[serde(flatten)]
    header: Header,
    /// Code of the currency, such as `USD`.
    currency: String,
    /// Time for which costs are computed.
    window: Window,
    /// Properties by which the groups are formed.
    by: Vec<String>,
    /// Sums over all groups.
    total: Totals,
    /// Budget of `--max-monthly-cost`; absent without the option.
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<Budget>,
    /// Cheapest nodes of the shapes that can be bought.
    #[serde(skip_serializing_if = "Option::is_none")]
    cheapest: Option<Cheapest>,
    /// Costs by group.
    groups: Vec<GroupDocument>,
    /// Costs by node, in the order of the input.
    nodes: Vec<NodeDocument>,
}

/// Time for which costs are computed.
#[derive(Debug, Serialize, JsonSchema)]
struct Window {
    /// Beginning (RFC 3339, UTC).
    start: String,
    /// End (RFC 3339, UTC).
    end: String,
    /// Length in hours.
    hours: f64,
    /// Whether the window is a month to come.
    projection: bool,
}

/// Sums of costs over the window.
#[derive(Debug, Serialize, JsonSchema)]
struct Totals {
    /// Cost of resources that containers request or use.
    allocated: f64,
    /// Cost of resources that nothing requests or uses.
    idle: f64,
    /// Cost of `--overhead`.
    overhead: f64,
    /// Sum of all groups.
    total: f64,
    /// Sum of all groups in billionths of the currency unit, rounded; null beyond 64 bits.
    total_nano: Option<i64>,
    /// Sum of all groups for an hour, at the same rate.
    per_hour: f64,
    /// Sum of all groups for a month of 730 hours, at the same rate.
    per_month: f64,
    /// Cost of all nodes; absent without nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned: Option<f64>,
    /// Cost of all nodes for a month of 730 hours; absent without nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_per_month: Option<f64>,
}

/// Cheapest nodes of the shapes that can be bought.
#[derive(Debug, Serialize, JsonSchema)]
struct Cheapest {
    /// Number of nodes by shape.
    nodes: BTreeMap<String, usize>,
    /// Cost of the nodes per hour.
    per_hour: f64,
    /// Cost of the nodes for a month of 730 hours.
    per_month: f64,
    /// Cost per hour below which no nodes of these shapes have room.
    at_least_per_hour: f64,
}

/// Largest cost that is allowed.
#[derive(Debug, Serialize, JsonSchema)]
struct Budget {
    /// Largest cost for a month of 730 hours.
    per_month: f64,
    /// Whether the sum of all groups costs more.
    exceeded: bool,
}

/// Costs of one group over the window.
#[derive(Debug, Serialize, JsonSchema)]
struct GroupDocument {
    /// Values of the properties, separated by `/`.
    key: String,
    /// `containers`, or `idle` or `shared` for costs that no group bears.
    kind: &'static str,
    /// Cost of CPU.
    cpu: f64,
    /// Cost of memory.
    memory: f64,
    /// Cost of graphics processors.
    gpu: f64,
    /// Part of shared costs that the group bears.
    shared: f64,
    /// Part of the costs of resources that is idle cost.
    idle: f64,
    /// Sum of the costs.
    total: f64,
    /// Total in billionths of the currency unit, which sum to that of the document; null beyond 64
    /// bits.
    total_nano: Option<i64>,
    /// Total for an hour, at the same rate.
    per_hour: f64,
    /// Total for a month of 730 hours, at the same rate.
    per_month: f64,
    /// Core-hours that are paid for.
    core_hours: f64,
    /// Memory that is paid for, in hours of 2^30 bytes.
    gib_hours: f64,
    /// Hours of graphics processors that are paid for.
    gpu_hours: f64,
    /// Requested amounts, on average over the window.
    requested_cores: f64,
    /// Requested memory in units of 2^30 bytes, on average over the window.
    requested_gib: f64,
    /// Requested graphics processors, on average over the window.
    requested_gpus: f64,
    /// Null without usage in the input.
    cpu_efficiency: Option<f64>,
    /// Memory in use divided by the requested one; null without usage in the input.
    memory_efficiency: Option<f64>,
    /// Mean of both efficiencies, weighted by cost; null without usage in the input.
    efficiency: Option<f64>,
}

/// Costs of one node over the window.
#[derive(Debug, Serialize, JsonSchema)]
struct NodeDocument {
    /// Name of the node.
    name: String,
    /// Source of the price.
    price: &'static str,
    /// Price of a core for an hour.
    cpu_core_hour: f64,
    /// Price of 2^30 bytes of memory for an hour.
    memory_gib_hour: f64,
    /// Price of a graphics processor for an hour.
    gpu_hour: f64,
    /// Costs of all resources of the node.
    capacity: Amounts,
    /// Costs of the resources that containers request or use.
    allocated: Amounts,
    /// Costs of the other resources.
    idle: Amounts,
}

/// Costs by resource.
#[derive(Debug, Serialize, JsonSchema)]
struct Amounts {
    /// Cost of CPU.
    cpu: f64,
    /// Cost of memory.
    memory: f64,
    /// Cost of graphics processors.
    gpu: f64,
    /// Sum of the costs.
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
pub(super) fn document(header: Header, shown: &Shown) -> serde_json::Result<serde_json::Value> {
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
            total_nano: i64::try_from(total.nano()).ok(),
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

fn of_group(shown: &Shown, group: &Group, nano: u128) -> GroupDocument {
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
        total_nano: i64::try_from(nano).ok(),
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
