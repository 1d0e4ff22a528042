//! One line for each pod.

use std::fmt;

use display::columns;
use inventory::{Inventory, Pod};
use schemars::JsonSchema;
use serde::Serialize;

use super::figures::{ByResource, by_resource, kind};
use super::text::{bytes, cores};

/// Pod in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PodLine {
    /// Namespace.
    namespace: String,
    /// Name.
    name: String,
    /// Kind of the workload; `Pod` without one.
    kind: String,
    /// Name of the workload; null without one.
    owner: Option<String>,
    /// Requests by resource: CPU in millicores, memory in bytes, others in their unit.
    requests: ByResource,
    /// Limits by resource, in the same units.
    limits: ByResource,
    /// Class of quality of service.
    qos: &'static str,
    /// Priority.
    priority: i32,
    /// Name of the node; null without one.
    node: Option<String>,
    /// Time of the arrival (RFC 3339, UTC); null for a pod that is there from the start.
    arrival: Option<String>,
    /// Time of the departure (RFC 3339, UTC); null for a pod that stays.
    departure: Option<String>,
    /// File and line.
    source: String,
}

/// Returns the lines of all pods, in their order.
pub(super) fn lines(inventory: &Inventory) -> Vec<PodLine> {
    let line = |pod: &Pod| {
        let effective = &pod.template.effective;
        PodLine {
            namespace: pod.namespace.to_string(),
            name: pod.name.to_string(),
            kind: kind(pod).to_owned(),
            owner: pod.owner.as_ref().map(|owner| owner.name.to_string()),
            requests: by_resource(&effective.requests),
            limits: by_resource(&effective.limits),
            qos: effective.qos.name(),
            priority: effective.priority,
            node: pod.node.as_ref().map(ToString::to_string),
            arrival: pod.arrival.map(|time| time.to_string()),
            departure: pod.departure.map(|time| time.to_string()),
            source: pod.source.to_string(),
        }
    };
    inventory.pods.iter().map(line).collect()
}

impl PodLine {
    /// Names of the columns of a table.
    pub(super) const COLUMNS: [&str; 9] = [
        "pod",
        "kind",
        "CPU",
        "memory",
        "class",
        "priority",
        "node",
        "arrival",
        "departure",
    ];

    /// Returns the cells of the pod's row.
    pub(super) fn cells(&self) -> [String; 9] {
        let either = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let amount = |name: &str| self.requests.get(name).copied().unwrap_or(0);
        [
            format!("{}/{}", self.namespace, self.name),
            self.kind.clone(),
            cores(amount("cpu")),
            bytes(amount("memory")),
            self.qos.to_owned(),
            self.priority.to_string(),
            either(&self.node),
            either(&self.arrival),
            either(&self.departure),
        ]
    }
}

/// Writes the lines as a table.
pub(super) fn write(out: &mut String, lines: &[PodLine]) -> fmt::Result {
    let mut rows = vec![PodLine::COLUMNS.map(str::to_owned)];
    rows.extend(lines.iter().map(PodLine::cells));
    out.push('\n');
    columns::write(out, &rows)
}
