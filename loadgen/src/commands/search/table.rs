//! Printed result of a search.

use std::fmt::{self, Write};

use crate::result::search::{Point, SearchResult};
use display::columns;
use display::human;

/// Returns all runs, the highest rate and the knee as text.
pub fn render(result: &SearchResult) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, result);
    text
}

fn write(out: &mut String, result: &SearchResult) -> fmt::Result {
    let head = ["offered", "started", "p50", "p99", "max", "lag p99", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(result.points.iter().map(|point| cells(point).to_vec()));
    columns::write(out, &rows)?;
    write!(out, "\n{}", result.conclude())?;
    if let Some(knee) = result.knee {
        writeln!(
            out,
            "{} is the knee: above it p99 takes off",
            human::rate(knee)
        )?;
    }
    write_problems(out, result)
}

/// Returns the problems of the search; empty if there are none.
pub fn problems(result: &SearchResult) -> String {
    let mut text = String::new();
    let _ = write_problems(&mut text, result);
    text
}

fn write_problems(out: &mut String, result: &SearchResult) -> fmt::Result {
    let mut reasons = result.reasons.iter();
    reasons.try_for_each(|reason| writeln!(out, "not valid: {reason}"))
}

fn cells(point: &Point) -> [String; 7] {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), human::rate);
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), human::nanoseconds);
    let pod = point.pod.as_ref();
    [
        human::rate(point.rate),
        rate(point.load.started_pods_per_s),
        time(pod.map(|pod| pod.p50_ns)),
        time(pod.map(|pod| pod.p99_ns)),
        time(pod.map(|pod| pod.max_ns)),
        time(point.load.lag.map(|lag| lag.p99_ns)),
        point.verdict(),
    ]
}

/// Returns one run in one line.
pub fn line(point: &Point) -> String {
    let [_, started, p50, p99, _, _, verdict] = cells(point);
    format!("{verdict}: {started} started, p50 {p50}, p99 {p99}")
}

/// Returns the curve as CSV: rates in pods per second, times in nanoseconds.
pub fn csv(result: &SearchResult) -> String {
    let mut text =
        "offered,started,completed,p50_ns,p90_ns,p99_ns,max_ns,met,counts,runs\n".to_owned();
    for point in &result.points {
        let started = point.load.started_pods_per_s.unwrap_or_default();
        let pod = |of: fn(&crate::result::OperationResult) -> u64| point.pod.as_ref().map_or(0, of);
        let _ = writeln!(
            text,
            "{},{started},{},{},{},{},{},{},{},{}",
            point.rate,
            point.pods_per_s,
            pod(|pod| pod.p50_ns),
            pod(|pod| pod.p90_ns),
            pod(|pod| pod.p99_ns),
            pod(|pod| pod.max_ns),
            point.met,
            point.counts,
            point.runs,
        );
    }
    text
}
