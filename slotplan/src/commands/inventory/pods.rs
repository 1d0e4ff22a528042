//! One line for each pod.

use std::fmt;

use display::columns;
use inventory::{Inventory, Pod};
use serde::Serialize;

use super::figures::{ByResource, by_resource, kind};
use super::text::{bytes, cores};

/// Pod in a list.
#[derive(Debug, Serialize)]
pub(super) struct PodLine {
    namespace: String,
    name: String,
    /// Kind of the workload; `Pod` without one.
    kind: String,
    owner: Option<String>,
    requests: ByResource,
    limits: ByResource,
    qos: &'static str,
    priority: i32,
    node: Option<String>,
    arrival: Option<String>,
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

/// Writes the lines as a table.
pub(super) fn write(out: &mut String, lines: &[PodLine]) -> fmt::Result {
    let heading = [
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
    let mut rows = vec![heading.map(str::to_owned)];
    let either = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let amount = |line: &PodLine, name: &str| line.requests.get(name).copied().unwrap_or(0);
    rows.extend(lines.iter().map(|line| {
        [
            format!("{}/{}", line.namespace, line.name),
            line.kind.clone(),
            cores(amount(line, "cpu")),
            bytes(amount(line, "memory")),
            line.qos.to_owned(),
            line.priority.to_string(),
            either(&line.node),
            either(&line.arrival),
            either(&line.departure),
        ]
    }));
    out.push('\n');
    columns::write(out, &rows)
}
