//! Printed result of a density measurement.

use std::fmt::{self, Write};

use crate::result::density::{DensityResult, PerPod};
use crate::show::table;
use display::columns;
use display::human;

/// Returns the memory at each density and the cost of a pod as text.
pub fn render(result: &DensityResult) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, result);
    text
}

fn write(out: &mut String, result: &DensityResult) -> fmt::Result {
    let roles = result.points.first().map_or(&[][..], |p| &p.processes);
    let mut rows = vec![vec!["pods alive".to_owned()]];
    rows[0].extend(roles.iter().map(|process| process.role.clone()));
    for point in &result.points {
        let mut row = vec![human::count(point.pods)];
        row.extend(point.processes.iter().map(|p| human::bytes(p.rss_bytes)));
        rows.push(row);
    }
    columns::write(out, &rows)?;
    writeln!(out, "\nresident memory of a pod, by the line through them:")?;
    for process in &result.per_pod {
        writeln!(out, "{:<10} {}", process.role, cost(process))?;
    }
    write_problems(out, result)?;
    writeln!(
        out,
        "plan       {} (seed {})",
        result.plan_hash, result.scenario.seed
    )
}

/// Returns the problems of the figures; empty if there are none.
pub fn problems(result: &DensityResult) -> String {
    let mut text = String::new();
    let _ = write_problems(&mut text, result);
    text
}

fn write_problems(out: &mut String, result: &DensityResult) -> fmt::Result {
    table::errors(out, &result.errors)?;
    let reasons = &mut result.reasons.iter();
    reasons.try_for_each(|reason| writeln!(out, "not valid: {reason}"))
}

fn cost(process: &PerPod) -> String {
    let kib = |bytes: f64| format!("{:.2}", bytes / 1024.0);
    let interval = match (process.rss_low, process.rss_high) {
        (Some(low), Some(high)) => {
            format!(" (95 % interval {} to {})", kib(low), kib(high))
        }
        _ => String::new(),
    };
    let fds = process.fds.unwrap_or_default();
    format!(
        "{} KiB{interval}, {fds:.2} file descriptors",
        kib(process.rss_bytes)
    )
}
