//! Tables for a pull request.

use std::fmt::Write;

use display::human;

use super::document::Document;
use super::nodes::Nodes;
use crate::markdown::{assumed, escaped, table};

/// Writes the tables. Writing to a string cannot fail.
pub(super) fn write(document: &Document, before: &Nodes) -> String {
    let mut out = format!(
        "**{} more pods like {} fit**\n",
        human::count(document.replicas),
        escaped(&document.pod)
    );
    if let Some(stop) = &document.stop {
        let _ = write!(out, "\n{}\n", escaped(stop));
    }
    let with = document.nodes.iter().filter(|node| node.replicas > 0);
    let rows = with.map(|node| [node.node.clone(), human::count(node.replicas)]);
    table(&mut out, ["node", "more pods"], rows);
    let reasons = before.by_reason().into_iter();
    let rows = reasons.map(|(reason, nodes)| [reason.to_owned(), nodes.len().to_string()]);
    table(&mut out, ["refused from the start", "nodes"], rows);
    assumed(&mut out, &document.header.assumptions);
    out
}
