//! Printed result of an overhead measurement.

use std::fmt::{self, Write};

use super::result::{Added, LayerResult, OverheadResult};
use super::shares::{ContainerdCost, Part, Share};
use crate::show::spans;
use crate::show::table;
use display::columns;
use display::human;

const LAYERS: [&str; 6] = ["layer", "pods", "p50", "p99", "mean", "pods/s"];
const CPU: [&str; 6] = [
    "CPU per pod",
    "null",
    "sandboxer",
    "containerd",
    "shims",
    "loadgen",
];
const SHARES: [&str; 4] = ["a pod through containerd", "time", "share", "95 % interval"];

const COST: [&str; 4] = [
    "a pod by the same calls of CRI",
    "time",
    "share",
    "95 % interval",
];

const ADDED: [&str; 5] = [
    "what the sandboxer adds",
    "calls per pod",
    "floor p50",
    "direct p50",
    "added per pod",
];

/// Returns the whole result as text.
pub fn render(result: &OverheadResult) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(&mut text, result);
    text
}

/// Returns the problems of the figures; empty if there are none.
pub fn problems(result: &OverheadResult) -> String {
    let mut text = String::new();
    let _ = write_problems(&mut text, result);
    text
}

/// Returns the result as Markdown.
pub fn markdown(result: &OverheadResult) -> String {
    let mut text = String::new();
    let _ = write_markdown(&mut text, result);
    text
}

/// A table of the result. The first row is its head.
pub(super) type Rows = Vec<Vec<String>>;

/// Returns the tables of the result, in their order.
pub(super) fn tables(result: &OverheadResult) -> Vec<Rows> {
    fn table<const N: usize>(head: [&str; N], rows: impl Iterator<Item = [String; N]>) -> Rows {
        let head = head.map(str::to_owned);
        [head].into_iter().chain(rows).map(Vec::from).collect()
    }
    let mut tables = vec![
        table(LAYERS, result.layers.iter().map(layer)),
        table(CPU, result.layers.iter().map(cpu)),
    ];
    if !result.shares.is_empty() {
        tables.push(table(SHARES, shares(&result.shares).into_iter()));
    }
    if let Some(cost) = &result.containerd_cost {
        tables.push(table(COST, containerd_cost(cost).into_iter()));
    }
    if !result.added.is_empty() {
        tables.push(table(ADDED, result.added.iter().map(added)));
    }
    tables
}

/// Returns the lines below the tables: bars, and parameters.
pub(super) fn lines(result: &OverheadResult) -> Vec<String> {
    let bars = result.bars.iter().map(|bar| {
        let met = if bar.met { "met" } else { "MISSED" };
        format!(
            "{met}: {} {:.2} {unit}, at most {} {unit}",
            bar.what,
            bar.found,
            bar.limit,
            unit = bar.unit
        )
    });
    let mut lines: Vec<String> = bars.collect();
    let asked = &result.scenario;
    lines.push(format!(
        "plan   {} (seed {}), {} rounds of {} pods at each layer, one at a time, files on {}",
        result.plan_hash,
        asked.seed,
        asked.rounds,
        human::count(asked.pods),
        result.environment.temporary_files,
    ));
    lines
}

fn write(out: &mut String, result: &OverheadResult) -> fmt::Result {
    for (number, rows) in tables(result).iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        columns::write(out, rows)?;
    }
    for of in &result.spans {
        writeln!(out, "\nthrough {}, with spans", of.layer.name())?;
        spans::write(out, &of.spans)?;
    }
    out.push('\n');
    for line in lines(result) {
        writeln!(out, "{line}")?;
    }
    if result.header.is_debug_build() {
        writeln!(out, "note   loadgen is a debug build, and slow")?;
    }
    write_problems(out, result)
}

fn write_markdown(out: &mut String, result: &OverheadResult) -> fmt::Result {
    for rows in tables(result) {
        columns::markdown(out, &rows)?;
        out.push('\n');
    }
    for of in &result.spans {
        writeln!(out, "Self times of a pod through {}:\n", of.layer.name())?;
        columns::markdown(out, &spans::components(&of.spans))?;
        out.push('\n');
    }
    for line in lines(result) {
        writeln!(out, "- {line}")?;
    }
    let mut problems = String::new();
    write_problems(&mut problems, result)?;
    if !problems.is_empty() {
        writeln!(out, "\n```text\n{problems}```")?;
    }
    Ok(())
}

fn write_problems(out: &mut String, result: &OverheadResult) -> fmt::Result {
    table::errors(out, &result.errors)?;
    if !result.complete {
        writeln!(out, "PARTIAL: not every round was run")?;
    }
    for reason in &result.reasons {
        writeln!(out, "INVALID: {reason}")?;
    }
    Ok(())
}

fn layer(layer: &LayerResult) -> [String; 6] {
    let name = layer.layer.name();
    let pod = layer.pod().filter(|pod| pod.count > 0);
    let Some(pod) = pod else {
        let none = || "-".to_owned();
        return [name, "0".to_owned(), none(), none(), none(), none()];
    };
    [
        name,
        human::count(pod.count),
        human::nanoseconds(pod.p50_ns),
        human::nanoseconds(pod.p99_ns),
        human::duration(pod.mean_ns),
        human::rate(layer.pods_per_s),
    ]
}

fn cpu(layer: &LayerResult) -> [String; 6] {
    let of = |role| {
        layer
            .cpu_ms_per_pod(role)
            .map_or_else(|| "-".to_owned(), |ms| format!("{ms:.2} ms"))
    };
    [
        layer.layer.name(),
        of("null"),
        of("sandboxer"),
        of("containerd"),
        of("shims"),
        of("loadgen"),
    ]
}

fn added(added: &Added) -> [String; 5] {
    [
        added.operation.name().replace('_', " "),
        format!("{:.1}", added.calls_per_pod),
        human::nanoseconds(added.floor_p50_ns),
        human::nanoseconds(added.direct_p50_ns),
        format!("{:.3} ms", added.ms_per_pod),
    ]
}

fn tenths(share: f64) -> f64 {
    (share * 1000.0).round() / 10.0
}

fn containerd_cost(cost: &ContainerdCost) -> [[String; 4]; 3] {
    let row = |what: &str, ms: f64, share: f64, interval: String| {
        let (time, share) = (format!("{ms:.2} ms"), format!("{share:.1} %"));
        [what.to_owned(), time, share, interval]
    };
    let share = tenths(cost.share);
    let interval = format!("{:.1} to {:.1} %", tenths(cost.low), tenths(cost.high));
    [
        row("CRI direct", cost.cri_ms, 100.0 - share, String::new()),
        row("what containerd costs", cost.ms, share, interval),
        row("all", cost.cri_ms + cost.ms, 100.0, String::new()),
    ]
}

/// Returns the parts and their sum. The last rounded share is adjusted, so that the
/// shown shares sum to 100 %.
fn shares(shares: &[Share]) -> Vec<[String; 4]> {
    let mut rest = 100.0;
    let mut rows = Vec::new();
    for (place, share) in shares.iter().enumerate() {
        let shown = if place + 1 == shares.len() {
            rest
        } else {
            tenths(share.share)
        };
        rest -= shown;
        rows.push([
            match share.part {
                Part::Protocol => "protocol (floor)",
                Part::Sandboxer => "sandboxer (direct - floor)",
                Part::Containerd => "containerd (the rest)",
            }
            .to_owned(),
            format!("{:.2} ms", share.ms),
            format!("{shown:.1} %"),
            format!("{:.1} to {:.1} %", tenths(share.low), tenths(share.high)),
        ]);
    }
    let whole: f64 = shares.iter().map(|share| share.ms).sum();
    rows.push([
        "all".to_owned(),
        format!("{whole:.2} ms"),
        "100.0 %".to_owned(),
        String::new(),
    ]);
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cost_of_containerd_has_its_rows() {
        let rows = containerd_cost(&ContainerdCost {
            cri_ms: 2.0,
            ms: 6.0,
            share: 0.75,
            low: 0.7,
            high: 0.8,
        });
        assert_eq!(rows[0], ["CRI direct", "2.00 ms", "25.0 %", ""]);
        let whole = [
            "what containerd costs",
            "6.00 ms",
            "75.0 %",
            "70.0 to 80.0 %",
        ];
        assert_eq!(rows[1], whole);
    }

    #[test]
    fn shown_shares_sum_to_a_hundred() {
        let share = |part, share| Share {
            part,
            ms: share * 30.0,
            share,
            low: share,
            high: share,
        };
        let third = 1.0 / 3.0;
        let rows = shares(&[
            share(Part::Protocol, third),
            share(Part::Sandboxer, third),
            share(Part::Containerd, third),
        ]);
        let shown: Vec<_> = rows.iter().map(|row| &*row[2]).collect();
        assert_eq!(shown, ["33.3 %", "33.3 %", "33.4 %", "100.0 %"]);
        assert_eq!(rows[3][1], "30.00 ms");
    }
}
