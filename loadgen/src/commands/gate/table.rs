//! Printed result of a gate: for a terminal and for a pull request.

use std::fmt::{self, Write};

use std::time::Duration;

use super::block::ROUNDS_PER_BLOCK;
use super::decide::{Decision, Judged, MISS, Metric, Standing};
use super::program::Program;
use super::result::GateResult;
use crate::process::accounting::Accounting;
use crate::result::calibration::GateFinds;
use crate::show::table;
use display::columns;
use display::human;

const HEAD: [&str; 6] = [
    "metric",
    "base",
    "head",
    "change",
    "surely within",
    "verdict",
];

/// Returns the whole result as text.
pub fn text(result: &GateResult) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut text, result);
    text
}

/// Returns the problems of head or gate; empty if there are none.
pub fn problems(result: &GateResult) -> String {
    let mut text = String::new();
    if result.decision != Decision::Pass || is_wrong(result) {
        text.push_str(&headline(result));
        text.push('\n');
    }
    let _ = write_problems(&mut text, result);
    text
}

/// Returns the result as Markdown for a pull request.
pub fn markdown(result: &GateResult) -> String {
    let mut text = String::new();
    let _ = write_markdown(&mut text, result);
    text
}

/// Returns whether the gate had errors or other problems, apart from speed.
pub fn is_wrong(result: &GateResult) -> bool {
    !result.errors.is_empty() || !result.complaints.is_empty()
}

fn write_text(out: &mut String, result: &GateResult) -> fmt::Result {
    if let Some(ratio) = ratio(result) {
        writeln!(out, "{ratio}\n")?;
    }
    columns::write(out, &rows(result))?;
    writeln!(out, "\n{}", headline(result))?;
    write_problems(out, result)?;
    writeln!(out, "base   {}", program(&result.base))?;
    writeln!(out, "head   {}", program(&result.head))?;
    for line in facts(result) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Returns the table of the metrics. The first row is its head.
pub(super) fn rows(result: &GateResult) -> Vec<[String; 6]> {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(result.metrics.iter().map(row));
    rows
}

fn write_problems(out: &mut String, result: &GateResult) -> fmt::Result {
    table::errors(out, &result.errors)?;
    for complaint in &result.complaints {
        writeln!(out, "WRONG: {complaint}")?;
    }
    for reason in &result.reasons {
        writeln!(out, "undecided: {reason}")?;
    }
    Ok(())
}

fn write_markdown(out: &mut String, result: &GateResult) -> fmt::Result {
    writeln!(out, "### {}\n", headline(result))?;
    if let Some(ratio) = ratio(result) {
        writeln!(out, "{ratio}.\n")?;
    }
    writeln!(out, "| {} |", HEAD.join(" | "))?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | --- |")?;
    for metric in &result.metrics {
        let mut row = row(metric);
        if metric.standing == Standing::Slower {
            row[5] = format!("**{}**", row[5]);
        }
        writeln!(out, "| {} |", row.join(" | "))?;
    }
    let mut problems = String::new();
    write_problems(&mut problems, result)?;
    if !problems.is_empty() {
        writeln!(out, "\n```text\n{problems}```")?;
    }
    writeln!(out)?;
    writeln!(out, "- base: {}", program(&result.base))?;
    writeln!(out, "- head: {}", program(&result.head))?;
    for line in facts(result) {
        writeln!(out, "- {line}")?;
    }
    Ok(())
}

/// Returns the cost of head as a multiple of that of base, in one line; `None` before the first
/// look.
pub(super) fn ratio(result: &GateResult) -> Option<String> {
    let cost = result
        .metrics
        .iter()
        .find(|m| m.metric == result.rule.cost)?;
    let (low, high) = (1.0 + cost.at_least?, 1.0 + cost.at_most?);
    let what = match cost.metric {
        Metric::CyclesPerPod => "cycles",
        _ => "CPU time",
    };
    let found = 1.0 + cost.change;
    Some(format!(
        "head uses {found:.3} times the {what} of base per pod ({low:.3} to {high:.3})"
    ))
}

/// Returns the verdict with its figures in one line.
pub(super) fn headline(result: &GateResult) -> String {
    if is_wrong(result) {
        return "gate: WRONG ANSWERS, so speed does not matter".to_owned();
    }
    let of = |standing: Standing| {
        let found = result
            .metrics
            .iter()
            .filter(move |m| m.standing == standing);
        found.map(|m| format!("{} {}", m.metric.name(), signed(m.change)))
    };
    match result.decision {
        Decision::Pass => {
            let list: Vec<_> = of(Standing::NotSlower).collect();
            format!("gate: PASS, not slower ({})", list.join(", "))
        }
        Decision::Fail => {
            let list: Vec<_> = of(Standing::Slower).collect();
            format!("gate: FAIL, slower ({})", list.join(", "))
        }
        Decision::Undecided => "gate: UNDECIDED".to_owned(),
    }
}

pub(super) fn facts(result: &GateResult) -> Vec<String> {
    let scenario = &result.scenario;
    let blocks = result.blocks.len();
    let rounds = blocks * ROUNDS_PER_BLOCK as usize;
    let mut lines = vec![
        format!(
            "{rounds} rounds in turns on {} in {blocks} blocks, in {:.0} s; {} pods a \
             round, {} at once, over {}, files on {}",
            cpus(&scenario.cpus),
            result.wall_s,
            human::count(scenario.pods),
            scenario.concurrency,
            scenario.target,
            scenario.files_on,
        ),
        format!(
            "looks after {} blocks; an alarm by chance in at most {} %, a miss in {} %",
            result
                .rule
                .looks
                .iter()
                .map(u32::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            result.rule.alpha * 100.0,
            MISS * 100.0,
        ),
        format!("plan {} (seed {})", result.plan_hash, scenario.seed),
        decider(result),
    ];
    if let Some(forecast) = &result.forecast {
        let time = Duration::from_secs_f64(scenario.max_minutes * 60.0);
        lines.push(finds(&forecast.finds(&result.rule, time)));
    }
    if result.base.sha256.is_some() && result.base.sha256 == result.head.sha256 {
        lines.push("note: base and head are the same file, byte for byte".to_owned());
    }
    if result.header.is_debug_build() {
        lines.push("note: loadgen is a debug build, and slow".to_owned());
    }
    lines
}

fn cpus(choice: &str) -> String {
    match choice {
        "all" => "all CPUs".to_owned(),
        "1" => "one CPU".to_owned(),
        number => format!("{number} CPUs"),
    }
}

/// Returns a line on the figure that decides about the cost.
fn decider(result: &GateResult) -> String {
    let name = match result.rule.cost {
        Metric::CyclesPerPod => "cycles in user space and in the kernel",
        _ => {
            let accounting = result.blocks.first().and_then(|block| block.accounting);
            match accounting {
                Some(Accounting::Cgroup) => "CPU time of the cgroup",
                Some(Accounting::ProcessTree) => "CPU time of the process tree",
                Some(Accounting::Process) | None => "CPU time",
            }
        }
    };
    match (&result.counters.counted, &result.counters.missing) {
        (_, Some(missing)) => {
            format!("{name} decides about the cost: no cycles are counted ({missing})")
        }
        (Some(_), _) if result.rule.cost == Metric::CpuPerPod => {
            format!("{name} decides about the cost: cycles are counted in user space alone")
        }
        _ => format!("{name} decide about the cost"),
    }
}

/// Returns a line on the noise of the machine and the increases that a gate can find on it.
pub fn finds(gate: &GateFinds) -> String {
    let minutes = |minutes: f64| {
        if minutes < 2.0 {
            format!("{:.0} s", minutes * 60.0)
        } else {
            format!("{minutes:.0} min")
        }
    };
    let mut line = format!(
        "noise: the ratio of costs varies by {:.1} % from block to block (standard deviation of the \
         first {}). In {} a gate finds {} in 9 of 10 cases; a head as fast as the base passes \
         after about {}",
        gate.noise * 100.0,
        gate.blocks,
        minutes(gate.max_minutes),
        signed(gate.finds),
        minutes(gate.pass_minutes),
    );
    for found in &gate.increases {
        let (increase, needed) = (signed(found.increase), minutes(found.minutes));
        let _ = write!(line, "; {increase} takes {needed}");
        if found.minutes > gate.max_minutes {
            let _ = write!(line, " (--max-minutes {:.0})", found.minutes.ceil());
        }
    }
    line
}

pub(super) fn program(program: &Program) -> String {
    let asked = &program.asked;
    match &program.commit {
        Some(commit) => format!("{asked} (commit {commit:.12})"),
        None => match &program.sha256 {
            Some(sha256) => format!("{asked} (sha256 {sha256:.12})"),
            None => asked.clone(),
        },
    }
}

fn row(metric: &Judged) -> [String; 6] {
    let value = |value: f64| {
        if metric.metric.is_count() {
            human::count(rounded(value))
        } else {
            human::duration(value * 1e6)
        }
    };
    let bound = |bound: Option<f64>| bound.map_or_else(|| "?".to_owned(), signed);
    [
        metric.metric.name().to_owned(),
        value(metric.base),
        value(metric.head),
        signed(metric.change),
        format!("{} to {}", bound(metric.at_least), bound(metric.at_most)),
        match (metric.standing, metric.min_effect) {
            (Standing::Slower, _) => "SLOWER".to_owned(),
            (Standing::NotSlower, Some(least)) => format!("not slower by {:.0} %", least * 100.0),
            (Standing::NotSlower, None) => "not slower".to_owned(),
            (Standing::Open, _) => "open".to_owned(),
            (Standing::Shown, _) => "shown only".to_owned(),
        },
    ]
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of a float saturates, and a count is not negative"
)]
fn rounded(count: f64) -> u64 {
    count.round() as u64
}

/// Formats a share as a signed percentage: `+1.2 %`.
pub(super) fn signed(share: f64) -> String {
    format!("{:+.1} %", share * 100.0)
}
