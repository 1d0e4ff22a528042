//! Tables for a terminal.

use std::fmt::{self, Write};

use display::{columns, human};

use super::figures::{ByResource, Figures, Group, KindCount, Shape, Times};

/// Most rows of one table; the document has them all.
const ROWS: usize = 30;

/// Writes all figures.
pub(super) fn write(out: &mut String, figures: &Figures, assumptions: &[String]) -> fmt::Result {
    overview(out, figures)?;
    if !figures.by_namespace_and_kind.is_empty() {
        groups(out, figures)?;
        times(out, &figures.times)?;
    }
    if !figures.shapes.is_empty() {
        shapes(out, &figures.shapes)?;
    }
    if !figures.per_node.is_empty() {
        let names = figures.per_node.join(", ");
        writeln!(out, "\nOn each node that is added: {names}")?;
    }
    kinds(out, "Kept for other commands", &figures.objects)?;
    kinds(
        out,
        "Read over, because it decides nothing",
        &figures.ignored,
    )?;
    if !assumptions.is_empty() {
        writeln!(out, "\nAssumed:")?;
        for assumption in assumptions {
            writeln!(out, "- {assumption}")?;
        }
    }
    Ok(())
}

fn overview(out: &mut String, figures: &Figures) -> fmt::Result {
    let mut rows = vec![
        ["", "count", "CPU", "memory"].map(str::to_owned),
        [
            "pods".to_owned(),
            count(figures.pods),
            cores(cpu(&figures.requests)),
            bytes(memory(&figures.requests)),
        ],
        [
            "pods at their peak".to_owned(),
            human::count(figures.peak.pods.unsigned_abs()),
            cores(figures.peak.cpu_millicores),
            bytes(figures.peak.memory_bytes),
        ],
        [
            "nodes".to_owned(),
            count(figures.nodes),
            cores(cpu(&figures.allocatable)),
            bytes(memory(&figures.allocatable)),
        ],
    ];
    if figures.usage.series > 0 {
        let label = "containers with usage".to_owned();
        rows.push([
            label,
            count(figures.usage.series),
            String::new(),
            String::new(),
        ]);
    }
    columns::write(out, &rows)?;
    let qos: Vec<_> = figures
        .qos
        .iter()
        .filter(|(_, pods)| **pods > 0)
        .map(|(class, pods)| format!("{} {class}", count(*pods)))
        .collect();
    if !qos.is_empty() {
        writeln!(out, "\nClasses of pods: {}", qos.join(", "))?;
    }
    let others = others(&figures.requests);
    if !others.is_empty() {
        writeln!(out, "Other requests: {others}")?;
    }
    Ok(())
}

fn groups(out: &mut String, figures: &Figures) -> fmt::Result {
    let groups = &figures.by_namespace_and_kind;
    let widest = groups
        .iter()
        .map(|group| group.namespace.chars().count())
        .max();
    let width = widest.unwrap_or(0).max("namespace".len());
    let row = |group: &Group| {
        [
            format!("{:<width$}  {}", group.namespace, group.kind),
            count(group.workloads),
            count(group.pods),
            cores(cpu(&group.requests)),
            bytes(memory(&group.requests)),
        ]
    };
    let heading = [
        format!("{:<width$}  kind", "namespace"),
        "workloads".to_owned(),
        "pods".to_owned(),
        "CPU".to_owned(),
        "memory".to_owned(),
    ];
    let mut rows = vec![heading];
    rows.extend(groups.iter().take(ROWS).map(row));
    writeln!(out)?;
    columns::write(out, &rows)?;
    more(out, groups.len())
}

fn times(out: &mut String, times: &Times) -> fmt::Result {
    writeln!(out)?;
    if times.from_the_start > 0 {
        writeln!(
            out,
            "There from the start: {} pods",
            count(times.from_the_start)
        )?;
    }
    if let (Some(first), Some(last)) = (&times.first_arrival, &times.last_arrival) {
        writeln!(out, "Arrivals: {first} to {last}")?;
    }
    if let Some(last) = &times.last_departure {
        let departing = count(times.departing);
        writeln!(out, "Departures: {departing} pods, the last at {last}")?;
    }
    Ok(())
}

fn shapes(out: &mut String, shapes: &[Shape]) -> fmt::Result {
    let mut rows = vec![["nodes", "CPU", "memory", "pods", "other"].map(str::to_owned)];
    rows.extend(shapes.iter().take(ROWS).map(|shape| {
        [
            count(shape.nodes),
            cores(cpu(&shape.allocatable)),
            bytes(memory(&shape.allocatable)),
            human::count(amount(&shape.allocatable, "pods").unsigned_abs()),
            others(&shape.allocatable),
        ]
    }));
    writeln!(out)?;
    columns::write(out, &rows)?;
    more(out, shapes.len())
}

fn more(out: &mut String, rows: usize) -> fmt::Result {
    if rows > ROWS {
        writeln!(out, "and {} more (--json has all)", count(rows - ROWS))?;
    }
    Ok(())
}

fn kinds(out: &mut String, title: &str, kinds: &[KindCount]) -> fmt::Result {
    if kinds.is_empty() {
        return Ok(());
    }
    let kinds: Vec<_> = kinds
        .iter()
        .map(|kind| format!("{} {}", human::count(kind.count), kind.kind))
        .collect();
    writeln!(out, "\n{title}: {}", kinds.join(", "))
}

/// Returns the amounts of resources that have no column of their own.
pub(super) fn others(amounts: &ByResource) -> String {
    let other = |name: &str| !matches!(name, "cpu" | "memory" | "pods" | "ephemeral-storage");
    let texts: Vec<_> = amounts
        .iter()
        .filter(|(name, amount)| other(name) && **amount > 0)
        .map(|(name, amount)| format!("{} {name}", human::count(amount.unsigned_abs())))
        .collect();
    texts.join(", ")
}

fn amount(amounts: &ByResource, name: &str) -> i64 {
    amounts.get(name).copied().unwrap_or(0)
}

fn cpu(amounts: &ByResource) -> i64 {
    amount(amounts, "cpu")
}

fn memory(amounts: &ByResource) -> i64 {
    amount(amounts, "memory")
}

fn count(number: usize) -> String {
    human::count(number as u64)
}

/// Formats millicores as cores, with as many decimals as they need.
pub(super) fn cores(millicores: i64) -> String {
    let whole = human::count(millicores.unsigned_abs() / 1000);
    match millicores.unsigned_abs() % 1000 {
        0 => whole,
        rest => format!("{whole}.{}", format!("{rest:03}").trim_end_matches('0')),
    }
}

/// Formats bytes.
pub(super) fn bytes(amount: i64) -> String {
    human::bytes(amount.unsigned_abs())
}
