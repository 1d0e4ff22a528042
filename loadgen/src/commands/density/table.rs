//! Printed result of a density measurement.

use std::fmt::{self, Write};

use crate::result::density::{DensityResult, PerPod};
use crate::show::table;
use display::human;
use display::output::{Form, Output};

/// Returns the memory at each density and the cost of a pod.
pub fn render(result: &DensityResult, form: Form) -> String {
    let mut out = Output::new(form);
    // Writing to a string cannot fail.
    let _ = write(&mut out, result);
    out.finish()
}

fn write(out: &mut Output, result: &DensityResult) -> fmt::Result {
    let roles = result.points.first().map_or(&[][..], |p| &p.processes);
    let mut rows = vec![vec!["pods alive".to_owned()]];
    rows[0].extend(roles.iter().map(|process| process.role.clone()));
    for point in &result.points {
        let mut row = vec![human::count(point.pods)];
        row.extend(point.processes.iter().map(|p| human::bytes(p.rss_bytes)));
        rows.push(row);
    }
    out.table(&rows)?;
    out.gap();
    out.line("resident memory of a pod, by the line through them:")?;
    for process in &result.per_pod {
        out.line(format_args!("{:<10} {}", process.role, cost(process)))?;
    }
    write_problems(out, result)?;
    out.line(format_args!(
        "plan       {} (seed {})",
        result.plan_hash, result.scenario.seed
    ))
}

/// Returns the problems of the figures; empty if there are none.
pub fn problems(result: &DensityResult) -> String {
    let mut out = Output::new(Form::Text);
    let _ = write_problems(&mut out, result);
    out.finish()
}

fn write_problems(out: &mut Output, result: &DensityResult) -> fmt::Result {
    let mut errors = String::new();
    table::errors(&mut errors, &result.errors)?;
    out.write_str(&errors)?;
    let reasons = &mut result.reasons.iter();
    reasons.try_for_each(|reason| out.line(format_args!("not valid: {reason}")))
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
