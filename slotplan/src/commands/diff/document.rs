//! The document of `slotplan diff`.

use cost::{Change, Resource, WorkloadCost};
use serde::Serialize;

use super::Compared;
use crate::answer::Header;
use crate::commands::places::Places;

#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    header: Header,
    currency: String,
    before: Totals,
    after: Totals,
    /// Change of the cost of a month.
    change_per_month: f64,
    /// Change in percent; null if nothing was paid before.
    change_percent: Option<f64>,
    workloads: Vec<Workload>,
    stops_fitting: Vec<Stops>,
    exceeded: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Totals {
    #[serde(flatten)]
    cost: Cost,
    #[serde(skip_serializing_if = "Option::is_none")]
    provisioned_per_month: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<Nodes>,
}

#[derive(Debug, Serialize)]
struct Cost {
    per_month: f64,
    #[serde(flatten)]
    requests: Option<Requests>,
}

#[derive(Debug, Serialize)]
struct Requests {
    pods: u64,
    cores: f64,
    gib: f64,
    gpus: f64,
}

#[derive(Debug, Serialize)]
struct Nodes {
    all: u64,
    used: u64,
    pods_placed: u64,
    pods_without_node: u64,
}

#[derive(Debug, Serialize)]
struct Workload {
    #[serde(rename = "workload")]
    name: String,
    change: &'static str,
    change_per_month: f64,
    before: Option<Cost>,
    after: Option<Cost>,
}

#[derive(Debug, Serialize)]
struct Stops {
    workload: String,
    pods_before: u64,
    pods_after: u64,
    message: String,
}

/// Returns the document.
///
/// # Errors
/// None that is known.
pub fn document(header: Header, compared: &Compared) -> serde_json::Result<serde_json::Value> {
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
