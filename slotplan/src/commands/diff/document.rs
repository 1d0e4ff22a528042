//! The document of `slotplan diff`.

use cost::{Change, Resource, WorkloadCost};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::Compared;
use crate::answer::Header;
use crate::commands::places::Places;

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/diff/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Differences between two inputs: money, requests, nodes. Money is in the currency unit.
#[derive(Debug, Serialize, JsonSchema)]
struct Document {
    #[serde(flatten)]
    header: Header,
    /// Code of the currency, such as `USD`.
    currency: String,
    /// Sums of the first input.
    before: Totals,
    /// Sums of the second input.
    after: Totals,
    /// Change of the cost of a month.
    change_per_month: f64,
    /// Change in percent; null if nothing was paid before.
    change_percent: Option<f64>,
    /// Workloads that differ.
    workloads: Vec<Workload>,
    /// Workloads with more pods without a node than before.
    stops_fitting: Vec<Stops>,
    /// Limits of the command line that the change exceeds.
    exceeded: Vec<String>,
}

/// Sums of one input.
#[derive(Debug, Serialize, JsonSchema)]
struct Totals {
    #[serde(flatten)]
    cost: Cost,
    /// Cost of all nodes for a month of 730 hours; absent unless both inputs have nodes.
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_per_month: Option<f64>,
    /// Nodes with the pods on them; absent unless the pods were placed.
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Nodes>,
}

/// Cost of pods, and their requests.
#[derive(Debug, Serialize, JsonSchema)]
struct Cost {
    /// Cost for a month of 730 hours.
    per_month: f64,
    #[serde(flatten)]
    requests: Option<Requests>,
}

/// Pods and their requests; absent if an input is a result of `slotplan cost`.
#[derive(Debug, Serialize, JsonSchema)]
struct Requests {
    /// Number of pods.
    pods: u64,
    /// Requested cores.
    cores: f64,
    /// Requested memory in units of 2^30 bytes.
    gib: f64,
    /// Requested graphics processors.
    gpus: f64,
}

/// Nodes with the pods on them.
#[derive(Debug, Serialize, JsonSchema)]
struct Nodes {
    /// Number of nodes.
    all: u64,
    /// Number of nodes with pods.
    used: u64,
    /// Number of pods with a node.
    pods_placed: u64,
    /// Number of pods without a node.
    pods_without_node: u64,
}

/// Workload that differs.
#[derive(Debug, Serialize, JsonSchema)]
struct Workload {
    /// Name, as NAMESPACE/KIND/NAME.
    #[serde(rename = "workload")]
    name: String,
    /// Kind of the change.
    change: &'static str,
    /// Change of the cost for a month of 730 hours.
    change_per_month: f64,
    /// Cost and requests in the first input; null if the workload is new.
    before: Option<Cost>,
    /// Cost and requests in the second input; null if the workload is gone.
    after: Option<Cost>,
}

/// Workload with more pods without a node than before.
#[derive(Debug, Serialize, JsonSchema)]
struct Stops {
    /// Name, as NAMESPACE/KIND/NAME.
    workload: String,
    /// Number of pods without a node in the first input.
    pods_before: u64,
    /// Number of pods without a node in the second input.
    pods_after: u64,
    /// Scheduler's message for the first of the pods.
    message: String,
}

/// Returns the document.
///
/// # Errors
/// None that is known.
pub(super) fn document(
    header: Header,
    compared: &Compared,
) -> serde_json::Result<serde_json::Value> {
    let (before, after) = (compared.before.per_month, compared.after.per_month);
    let provisioned = compared.provisioned;
    let fit = compared.fit.as_ref();
    serde_json::to_value(Document {
        header,
        currency: compared.currency.clone(),
        before: Totals {
            cost: cost(compared, &compared.before),
            provisioned_per_month: provisioned.map(|(before, _)| before.to_f64()),
            nodes: fit.map(|(before, _)| nodes(before)),
        },
        after: Totals {
            cost: cost(compared, &compared.after),
            provisioned_per_month: provisioned.map(|(_, after)| after.to_f64()),
            nodes: fit.map(|(_, after)| nodes(after)),
        },
        change_per_month: (after - before).to_f64(),
        change_percent: compared.percent(),
        workloads: compared
            .changes
            .iter()
            .map(|change| workload(compared, change))
            .collect(),
        stops_fitting: compared
            .stops_fitting()
            .map(|(workload, pods_before, pods_after, message)| Stops {
                workload: workload.to_owned(),
                pods_before,
                pods_after,
                message: message.to_owned(),
            })
            .collect(),
        exceeded: compared.exceeded.clone(),
    })
}

fn cost(compared: &Compared, cost: &WorkloadCost) -> Cost {
    let requested = |resource: Resource| cost.requested[resource] as f64 / resource.priced() as f64;
    Cost {
        per_month: cost.per_month.to_f64(),
        requests: compared.has_pods.then(|| Requests {
            pods: cost.pods,
            cores: requested(Resource::Cpu),
            gib: requested(Resource::Memory),
            gpus: requested(Resource::Gpu),
        }),
    }
}

fn nodes(fit: &Places) -> Nodes {
    Nodes {
        all: fit.nodes,
        used: fit.used,
        pods_placed: fit.placed,
        pods_without_node: fit.without_node(),
    }
}

fn workload(compared: &Compared, change: &Change) -> Workload {
    Workload {
        name: change.workload.clone(),
        change: change.name(),
        change_per_month: change.per_month().to_f64(),
        before: change.before.map(|side| cost(compared, &side)),
        after: change.after.map(|side| cost(compared, &side)),
    }
}
