//! Tables for a pull request.

use display::human;

use super::Document;
use super::figures::ByResource;
use super::text::{bytes, cores};
use crate::markdown::{assumed, table};

/// Writes the tables. Writing to a string cannot fail.
pub(super) fn write(document: &Document<'_>) -> String {
    let figures = document.figures;
    let count = |number: usize| human::count(number as u64);
    let mut out = format!(
        "**{} pods, {} nodes**\n",
        count(figures.pods),
        count(figures.nodes)
    );
    let amounts = |amounts: &ByResource| {
        let of = |name: &str| amounts.get(name).copied().unwrap_or(0);
        (cores(of("cpu")), bytes(of("memory")))
    };
    let row = |name: &str, number: String, (cpu, memory): (String, String)| {
        [name.to_owned(), number, cpu, memory]
    };
    let peak = &figures.peak;
    let rows = [
        row("pods", count(figures.pods), amounts(&figures.requests)),
        row(
            "pods at their peak",
            human::count(peak.pods.unsigned_abs()),
            (cores(peak.cpu_millicores), bytes(peak.memory_bytes)),
        ),
        row("nodes", count(figures.nodes), amounts(&figures.allocatable)),
    ];
    table(&mut out, ["", "count", "CPU", "memory"], rows);
    let groups = figures.by_namespace_and_kind.iter().map(|group| {
        let name = format!("{} {}", group.namespace, group.kind);
        let (cpu, memory) = amounts(&group.requests);
        [name, count(group.workloads), count(group.pods), cpu, memory]
    });
    let head = ["namespace and kind", "workloads", "pods", "CPU", "memory"];
    table(&mut out, head, groups);
    let shapes = figures.shapes.iter().map(|shape| {
        let (cpu, memory) = amounts(&shape.allocatable);
        [format!("{cpu} cores, {memory}"), count(shape.nodes)]
    });
    table(&mut out, ["shape of node", "nodes"], shapes);
    if let Some(pods) = document.pod_list {
        let rows = pods.iter().map(|pod| {
            let [name, kind, cpu, memory, ..] = pod.cells();
            [name, kind, cpu, memory]
        });
        table(&mut out, ["pod", "kind", "CPU", "memory"], rows);
    }
    assumed(&mut out, &document.header.assumptions);
    out
}
