//! Tables for a terminal.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use display::{columns, human};

use super::compare::Comparison;
use super::document::{Document, Node, Refused, SCHEDULING_GATED};

/// Largest number of nodes, pods or groups that a table lists.
const MOST_ROWS: usize = 50;

/// Writes the answer.
pub fn write(document: &Document) -> Result<String, fmt::Error> {
    let mut text = String::new();
    for [name, value] in summary(document) {
        writeln!(text, "{name:<11}  {value}")?;
    }
    if !document.nodes.is_empty() {
        writeln!(text)?;
        columns::write(&mut text, &nodes(document.nodes.iter().take(MOST_ROWS)))?;
        more(&mut text, document.nodes.len(), "nodes")?;
    }
    refused(&mut text, document)?;
    evictions(&mut text, document)?;
    if let Some(comparison) = &document.comparison {
        compared(&mut text, document.scheduler.version, comparison)?;
    }
    for assumption in &document.header.assumptions {
        write!(text, "\nassumed: {assumption}")?;
    }
    if !document.header.assumptions.is_empty() {
        writeln!(text)?;
    }
    Ok(text)
}

fn summary(document: &Document) -> Vec<[String; 2]> {
    let pods = &document.pods;
    let used = document.nodes.iter().filter(|node| node.pods > 0).count();
    let mut rows = vec![
        [
            "placed".to_owned(),
            format!(
                "{} of {} waiting pods",
                human::count(pods.placed as u64),
                human::count(pods.waiting as u64)
            ),
        ],
        [
            "nodes".to_owned(),
            format!(
                "{} of {} have pods",
                human::count(used as u64),
                human::count(document.nodes.len() as u64)
            ),
        ],
        ["scheduler".to_owned(), document.scheduler.to_string()],
    ];
    for (name, count) in [
        ("running", pods.running),
        ("fit nowhere", pods.unschedulable),
        ("gated", pods.gated),
        ("removed", document.evictions.len()),
    ] {
        if count > 0 {
            rows.push([name.to_owned(), human::count(count as u64)]);
        }
    }
    rows
}

/// Returns the rows of a table of nodes, of which the first has the names of the columns.
pub fn nodes<'a>(nodes: impl Iterator<Item = &'a Node>) -> Vec<[String; 6]> {
    let header = ["node", "pods", "cpu", "cpu%", "memory", "mem%"].map(str::to_owned);
    let row = |node: &Node| {
        let (cpu, all_cpu) = node.cpu();
        let (memory, all_memory) = node.memory();
        [
            node.name.clone(),
            format!("{}/{}", node.pods, node.allowed_pods),
            cores(cpu),
            percent(cpu, all_cpu),
            human::bytes(u64::try_from(memory).unwrap_or(0)),
            percent(memory, all_memory),
        ]
    };
    std::iter::once(header).chain(nodes.map(row)).collect()
}

fn more(text: &mut String, count: usize, of: &str) -> fmt::Result {
    match count.saturating_sub(MOST_ROWS) {
        0 => Ok(()),
        left => writeln!(
            text,
            "and {} more {of} (--json shows all)",
            human::count(left as u64)
        ),
    }
}

/// Writes the pods without a node.
fn refused(text: &mut String, document: &Document) -> fmt::Result {
    let groups = groups(document);
    for (names, message) in groups.iter().take(MOST_ROWS) {
        writeln!(text, "\n{names}:\n  {message}")?;
    }
    more(text, groups.len(), "groups of pods")
}

/// Returns the pods without a node by message, those of one workload together.
pub fn groups(document: &Document) -> Vec<(String, &str)> {
    let mut groups: BTreeMap<(&str, &str), (&Refused, usize)> = BTreeMap::new();
    for refused in &document.unschedulable {
        let of = refused.workload.as_deref().unwrap_or(&refused.pod);
        let key = (of, refused.message.as_str());
        groups.entry(key).or_insert((refused, 0)).1 += 1;
    }
    let named = groups.into_values().map(|(first, count)| {
        let others = match (&first.workload, count) {
            (Some(workload), 2..) => {
                let others = human::count(count as u64 - 1);
                format!(" and {others} more of {workload}")
            }
            _ => String::new(),
        };
        let verb = match (first.reason, count) {
            (SCHEDULING_GATED, 1) => "waits",
            (SCHEDULING_GATED, _) => "wait",
            (_, 1) => "fits nowhere",
            _ => "fit nowhere",
        };
        let names = format!("{}{others} {verb}", first.pod);
        (names, first.message.as_str())
    });
    named.collect()
}

fn evictions(text: &mut String, document: &Document) -> fmt::Result {
    if document.evictions.is_empty() {
        return Ok(());
    }
    writeln!(text)?;
    for eviction in document.evictions.iter().take(MOST_ROWS) {
        writeln!(
            text,
            "{} is removed from {} for {}",
            eviction.pod, eviction.node, eviction.for_pod
        )?;
    }
    more(text, document.evictions.len(), "removed pods")
}

fn compared(text: &mut String, version: &str, comparison: &Comparison) -> fmt::Result {
    let (other_alone, chosen_alone) = comparison.alone();
    let count = |count: usize| human::count(count as u64);
    writeln!(
        text,
        "\nThe scheduler of {} places {} pods elsewhere than that of {version};\n\
         {} pods fit with {} alone, {} with {version} alone.",
        comparison.with,
        count(comparison.moved.len()),
        count(other_alone),
        comparison.with,
        count(chosen_alone),
    )?;
    if comparison.moved.is_empty() {
        return Ok(());
    }
    let header = [
        "pod".to_owned(),
        version.to_owned(),
        comparison.with.to_owned(),
    ];
    let none = || "-".to_owned();
    let moved = comparison.moved.iter().take(MOST_ROWS).map(|moved| {
        [
            moved.pod.clone(),
            moved.node.clone().unwrap_or_else(none),
            moved.other.clone().unwrap_or_else(none),
        ]
    });
    let rows: Vec<_> = std::iter::once(header).chain(moved).collect();
    columns::write(text, &rows)?;
    more(text, comparison.moved.len(), "pods")
}

/// Writes millicores as cores.
pub fn cores(milli: i64) -> String {
    format!("{:.2}", milli as f64 / 1000.0)
}

/// Writes a share in whole percent, rounded down.
pub fn percent(part: i64, whole: i64) -> String {
    let share = (i128::from(part) * 100).checked_div(i128::from(whole));
    share.map_or_else(|| "-".to_owned(), |share| format!("{share}%"))
}
