//! The tables for a pull request.

use std::fmt::Write;

use display::human;

use super::document::Document;
use crate::markdown::escaped;

/// Number of rows of a table.
const MOST: usize = 20;

/// Writes the tables. Writing to a string cannot fail.
pub(super) fn write(document: &Document) -> String {
    let pods = &document.pods;
    let mut out = format!(
        "### Policy: {} of {} pods refused\n\n{} admitted, {} of them with defaults of LimitRange.\n",
        human::count(pods.refused),
        human::count(pods.total),
        human::count(pods.admitted),
        human::count(pods.changed)
    );
    let reasons = document.reasons.iter().map(|reason| {
        [
            reason.namespace.clone(),
            human::count(reason.pods),
            reason.first.clone(),
        ]
    });
    table(
        &mut out,
        ["namespace", "pods", "first refusal"],
        reasons.collect(),
    );
    let keys = document.quotas.iter().flat_map(|quota| {
        quota.keys.iter().map(|key| {
            [
                format!("{}/{} `{}`", quota.namespace, quota.name, key.key),
                key.hard.clone(),
                format!("{} (sufficient: {})", key.peak, key.sufficient),
            ]
        })
    });
    table(
        &mut out,
        ["quota", "bound", "high-water mark"],
        keys.collect(),
    );
    for assumption in &document.header.assumptions {
        let _ = write!(out, "\nAssumed: {}\n", escaped(assumption));
    }
    out
}

fn table(out: &mut String, head: [&str; 3], rows: Vec<[String; 3]>) {
    if rows.is_empty() {
        return;
    }
    let _ = write!(out, "\n| {} |\n| --- | ---: | --- |\n", head.join(" | "));
    let count = rows.len();
    for row in rows.into_iter().take(MOST) {
        let cells = row.map(|cell| escaped(&cell));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
    if count > MOST {
        let _ = write!(out, "\nand {} more\n", count - MOST);
    }
}
