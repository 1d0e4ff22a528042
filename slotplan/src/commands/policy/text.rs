//! The tables for a terminal.

use std::fmt::{self, Write};

use display::{columns, human};

use super::document::{Document, Refusals};

/// Number of rows of a table that is not asked for as a whole.
const MOST: usize = 20;

/// Width of wrapped texts.
const WIDTH: usize = 80;

/// Writes the tables.
pub(super) fn write(document: &Document, all: bool) -> Result<String, fmt::Error> {
    let mut out = String::new();
    summary(&mut out, document)?;
    refusals(&mut out, "namespace", &document.refusals_by_namespace)?;
    refusals(&mut out, &document.team_label, &document.refusals_by_team)?;
    reasons(&mut out, document)?;
    quotas(&mut out, document)?;
    changes(&mut out, document)?;
    evictions(&mut out, document)?;
    if all {
        decisions(&mut out, document)?;
    }
    if !document.header.assumptions.is_empty() {
        out.push_str("\nassumed\n");
        for assumption in &document.header.assumptions {
            wrapped(&mut out, "  ", assumption)?;
        }
    }
    Ok(out)
}

fn summary(out: &mut String, document: &Document) -> fmt::Result {
    let pods = &document.pods;
    let by = &pods.refused_by;
    let mut rows = vec![
        row("pods", pods.total),
        row("admitted", pods.admitted),
        row("  with defaults of LimitRange", pods.changed),
        row("refused", pods.refused),
    ];
    for (name, count) in [
        ("  by LimitRange", by.limit_range),
        (
            "  by ValidatingAdmissionPolicy",
            by.validating_admission_policy,
        ),
        ("  by ResourceQuota", by.resource_quota),
        ("warned", pods.warned),
    ] {
        if count > 0 {
            rows.push(row(name, count));
        }
    }
    columns::write(out, &rows)
}

fn row(name: &str, count: u64) -> [String; 2] {
    [name.to_owned(), human::count(count)]
}

fn refusals(out: &mut String, name: &str, all: &[Refusals]) -> fmt::Result {
    if all.is_empty() {
        return Ok(());
    }
    let mut rows =
        vec![[name, "pods", "refused", "LimitRange", "policy", "quota"].map(str::to_owned)];
    for of in all.iter().take(MOST) {
        rows.push([
            of.name.clone(),
            human::count(of.pods),
            human::count(of.refused),
            human::count(of.by.limit_range),
            human::count(of.by.validating_admission_policy),
            human::count(of.by.resource_quota),
        ]);
    }
    writeln!(out, "\nrefusals by {name}")?;
    columns::write(out, &rows)?;
    more(out, all.len())
}

fn more(out: &mut String, rows: usize) -> fmt::Result {
    match rows.checked_sub(MOST) {
        Some(more @ 1..) => writeln!(out, "and {more} more (--json has all)"),
        _ => Ok(()),
    }
}

fn reasons(out: &mut String, document: &Document) -> fmt::Result {
    if document.reasons.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nreasons, each with the words on its first pod")?;
    for reason in document.reasons.iter().take(MOST) {
        let count = pods(reason.pods);
        writeln!(out, "{}: {count}, by {}", reason.namespace, reason.by)?;
        wrapped(out, "  ", &reason.first)?;
    }
    more(out, document.reasons.len())
}

fn quotas(out: &mut String, document: &Document) -> fmt::Result {
    if document.quotas.is_empty() {
        return Ok(());
    }
    let mut rows = vec![["quota", "key", "bound", "high-water", "sufficient"].map(str::to_owned)];
    for quota in &document.quotas {
        for key in &quota.keys {
            rows.push([
                format!("{}/{}", quota.namespace, quota.name),
                key.key.clone(),
                key.hard.clone(),
                key.peak.clone(),
                key.sufficient.clone(),
            ]);
        }
    }
    let count = rows.len() - 1;
    rows.truncate(MOST + 1);
    writeln!(
        out,
        "\nquotas: high-water mark, and the smallest bound that refuses no pod"
    )?;
    columns::write(out, &rows)?;
    more(out, count)
}

fn changes(out: &mut String, document: &Document) -> fmt::Result {
    if document.changes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\ndefaults that LimitRange sets")?;
    for change in document.changes.iter().take(MOST) {
        let count = pods(change.pods);
        writeln!(out, "{}: {}, {count}", change.namespace, change.workload)?;
        wrapped(out, "  ", &change.set)?;
    }
    more(out, document.changes.len())
}

fn evictions(out: &mut String, document: &Document) -> fmt::Result {
    if document.evictions.is_empty() {
        return Ok(());
    }
    let mut rows = vec![
        [
            "node",
            "peak",
            "evicted first",
            "uses",
            "requests",
            "priority",
        ]
        .map(str::to_owned),
    ];
    for eviction in document.evictions.iter().take(MOST) {
        let node = eviction.node.as_deref().unwrap_or("(no node)");
        let bytes = |bytes: i64| human::bytes(u64::try_from(bytes).unwrap_or(0));
        let [pod, usage, request, priority] = match eviction.first.first() {
            Some(first) => [
                format!("{}/{}", first.namespace, first.pod),
                first.memory_bytes.map_or("?".to_owned(), bytes),
                bytes(first.request_bytes),
                first.priority.to_string(),
            ],
            None => ["none", "", "", ""].map(str::to_owned),
        };
        let peak = bytes(eviction.memory_bytes);
        rows.push([node.to_owned(), peak, pod, usage, request, priority]);
    }
    writeln!(
        out,
        "\nfirst evicted if memory runs out at the peak of a node"
    )?;
    columns::write(out, &rows)?;
    more(out, document.evictions.len())
}

fn decisions(out: &mut String, document: &Document) -> fmt::Result {
    writeln!(out, "\ndecisions in the order of arrival")?;
    for decision in &document.decisions {
        let time = decision.arrival.as_deref().unwrap_or("at the start");
        writeln!(
            out,
            "{time}  {}/{}  {}",
            decision.namespace, decision.pod, decision.decision
        )?;
        let texts = decision.changed.iter().chain(&decision.message);
        for text in texts.chain(&decision.warnings) {
            wrapped(out, "  ", text)?;
        }
    }
    Ok(())
}

fn pods(count: u64) -> String {
    match count {
        1 => "1 pod".to_owned(),
        more => format!("{} pods", human::count(more)),
    }
}

/// Writes a text in lines of at most 80 characters, if its words allow it.
fn wrapped(out: &mut String, indent: &str, text: &str) -> fmt::Result {
    let mut line = String::new();
    for word in text.split(' ') {
        let length = indent.len() + line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && length > WIDTH {
            writeln!(out, "{indent}{line}")?;
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    writeln!(out, "{indent}{line}")
}
