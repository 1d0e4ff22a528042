//! The parts of a merged result as text.

use super::Part;
use crate::record::operation::Operation;
use crate::result::RunResult;
use display::columns;
use display::human;

const HEAD: [&str; 7] = [
    "part",
    "pods",
    "errors",
    "pods/s",
    "p50",
    "p99",
    "begun after",
];

/// Formats a row for each part.
pub fn render(parts: &[Part]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(parts.iter().map(row));
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = columns::write(&mut text, &rows);
    text
}

fn row(part: &Part) -> [String; 7] {
    let result = &part.result;
    let pod = result
        .operations
        .iter()
        .find(|one| one.operation == Operation::Pod);
    let pod = pod.filter(|pod| pod.count > 0);
    let time = |ns: Option<u64>| ns.map_or_else(|| "-".to_owned(), human::nanoseconds);
    [
        name(part, result),
        human::count(result.totals.pods),
        human::count(result.totals.errors),
        human::rate(result.totals.pods_per_s),
        time(pod.map(|pod| pod.p50_ns)),
        time(pod.map(|pod| pod.p99_ns)),
        human::duration(part.offset.as_nanos() as f64),
    ]
}

fn name(part: &Part, result: &RunResult) -> String {
    match result.scenario.part {
        Some(of) => format!("{of} {}", part.name()),
        None => part.name(),
    }
}
