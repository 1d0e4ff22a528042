//! Printed result of a search.

use std::fmt::{self, Write};

use crate::result::search::{Point, SearchResult};
use display::human;
use display::output::{Form, Output};

/// Returns all runs, the highest rate and the knee.
pub fn render(result: &SearchResult, form: Form) -> String {
    let mut out = Output::new(form);
    // Writing to a string cannot fail.
    let _ = write(&mut out, result);
    out.finish()
}

fn write(out: &mut Output, result: &SearchResult) -> fmt::Result {
    let head = ["offered", "started", "p50", "p99", "max", "lag p99", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(result.points.iter().map(|point| cells(point).to_vec()));
    out.table(&rows)?;
    out.gap();
    for line in result.conclude().to_string().lines() {
        out.line(line)?;
    }
    if let Some(knee) = result.knee {
        out.line(format_args!(
            "{} is the knee: above it p99 takes off",
            human::rate(knee)
        ))?;
    }
    write_problems(out, result)
}

/// Returns the problems of the search; empty if there are none.
pub fn problems(result: &SearchResult) -> String {
    let mut out = Output::new(Form::Text);
    let _ = write_problems(&mut out, result);
    out.finish()
}

fn write_problems(out: &mut Output, result: &SearchResult) -> fmt::Result {
    let mut reasons = result.reasons.iter();
    reasons.try_for_each(|reason| out.line(format_args!("not valid: {reason}")))
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
