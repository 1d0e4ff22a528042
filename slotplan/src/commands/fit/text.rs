//! Tables for a terminal.

use std::fmt::{self, Write};

use display::{columns, human};

use super::document::Document;

/// Largest number of nodes that the table lists.
const MOST_ROWS: usize = 50;

/// Writes the tables.
pub(super) fn write(document: &Document, limit: u64) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let count = human::count(document.replicas);
    writeln!(text, "{count} more pods like {} fit", document.pod)?;
    let stop = match &document.stop {
        Some(message) => message.clone(),
        None => format!("stopped at --limit {limit}"),
    };
    writeln!(text, "{stop}")?;
    let with = document.nodes.iter().filter(|node| node.replicas > 0);
    let rows: Vec<_> = with
        .clone()
        .take(MOST_ROWS)
        .map(|node| [node.node.clone(), human::count(node.replicas)])
        .collect();
    if !rows.is_empty() {
        let header = ["node", "pods"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(header).chain(rows).collect();
        writeln!(text)?;
        columns::write(&mut text, &rows)?;
    }
    let left = with.count().saturating_sub(MOST_ROWS);
    if left > 0 {
        writeln!(text, "and {left} more nodes (--json shows all)")?;
    }
    for assumption in &document.header.assumptions {
        write!(text, "\nassumed: {assumption}")?;
    }
    if !document.header.assumptions.is_empty() {
        writeln!(text)?;
    }
    Ok(text)
}
