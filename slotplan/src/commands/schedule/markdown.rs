//! Tables for a pull request.

use std::fmt::Write;

use display::human;

use super::document::Document;
use super::text::{groups, nodes};
use crate::markdown::{assumed, escaped, table};

/// Largest number of groups of pods without a node.
const MOST: usize = 20;

/// Writes the tables. Writing to a string cannot fail.
pub fn write(document: &Document) -> String {
    let pods = &document.pods;
    let count = |number: usize| human::count(number as u64);
    let mut out = format!(
        "**{} of {} waiting pods placed, {} fit nowhere**\n\n{}\n",
        count(pods.placed),
        count(pods.waiting),
        count(pods.unschedulable),
        document.scheduler
    );
    let mut rows = nodes(document.nodes.iter()).into_iter();
    if let Some(head) = rows.next() {
        let head = head.each_ref().map(String::as_str);
        table(&mut out, head, rows);
    }
    let groups = groups(document);
    if !groups.is_empty() {
        let _ = write!(out, "\n**Without a node:**\n\n");
    }
    for (names, message) in groups.iter().take(MOST) {
        let _ = writeln!(out, "- {}: {}", escaped(names), escaped(message));
    }
    if groups.len() > MOST {
        let _ = writeln!(out, "- and {} more groups of pods", groups.len() - MOST);
    }
    let evictions = document.evictions.iter().map(|eviction| {
        let eviction = [&eviction.pod, &eviction.node, &eviction.for_pod];
        eviction.map(String::clone)
    });
    table(&mut out, ["removed pod", "node", "for"], evictions);
    if let Some(comparison) = &document.comparison {
        let either = |node: &Option<String>| node.clone().unwrap_or_else(|| "none".to_owned());
        let rows = comparison
            .moved
            .iter()
            .map(|moved| [moved.pod.clone(), either(&moved.node), either(&moved.other)]);
        let head = ["pod", document.scheduler.version, comparison.with];
        table(&mut out, head, rows);
    }
    assumed(&mut out, &document.header.assumptions);
    out
}
