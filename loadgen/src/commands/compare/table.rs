//! Printed comparison: for a terminal and for a pull request.

use std::fmt::{self, Write};

use super::comparison::{Comparison, Origin};
use super::figure::{Basis, Figure};
use super::seconds::LEAST_SECONDS;
use super::verdict::{Outcome, Verdict};
use display::columns;
use display::human;

const HEAD: [&str; 6] = ["figure", "A", "B", "B/A", "95 % interval", "verdict"];

/// Returns the comparison as text for a terminal.
pub fn text(comparison: &Comparison) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut text, comparison);
    text
}

/// Returns the comparison as Markdown for a pull request.
pub fn markdown(comparison: &Comparison) -> String {
    let mut text = String::new();
    let _ = write_markdown(&mut text, comparison);
    text
}

fn write_text(out: &mut String, comparison: &Comparison) -> fmt::Result {
    if !comparison.incomparable.is_empty() {
        writeln!(out, "NOT COMPARABLE, and compared nevertheless:")?;
        for difference in &comparison.incomparable {
            writeln!(out, "  {difference}")?;
        }
        out.push('\n');
    }
    for (name, origin) in [("A", &comparison.a), ("B", &comparison.b)] {
        writeln!(out, "{name}  {}", described(origin))?;
    }
    out.push('\n');
    columns::write(out, &rows(comparison))?;
    out.push('\n');
    for line in last_lines(comparison) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Returns the table of the figures. The first row is its head.
pub(super) fn rows(comparison: &Comparison) -> Vec<[String; 6]> {
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(comparison.figures.iter().map(row));
    rows
}

fn write_markdown(out: &mut String, comparison: &Comparison) -> fmt::Result {
    writeln!(out, "### loadgen compare: {}\n", headline(comparison))?;
    if !comparison.incomparable.is_empty() {
        writeln!(out, "> **Not comparable**, and compared nevertheless:")?;
        for difference in &comparison.incomparable {
            writeln!(out, "> - {}", escaped(difference))?;
        }
        out.push('\n');
    }
    write_markdown_row(out, &HEAD.map(str::to_owned))?;
    writeln!(out, "| --- | ---: | ---: | ---: | ---: | --- |")?;
    for figure in &comparison.figures {
        let mut row = row(figure);
        if matches!(figure.verdict, Verdict::Slower | Verdict::Faster) {
            row[5] = format!("**{}**", row[5]);
        }
        write_markdown_row(out, &row)?;
    }
    out.push('\n');
    for (name, origin) in [("A", &comparison.a), ("B", &comparison.b)] {
        writeln!(out, "{name}: {}  ", escaped(&described(origin)))?;
    }
    for line in last_lines(comparison) {
        writeln!(out, "{}  ", escaped(&line))?;
    }
    Ok(())
}

fn write_markdown_row(out: &mut String, row: &[String; 6]) -> fmt::Result {
    writeln!(
        out,
        "| {} |",
        row.clone().map(|cell| escaped(&cell)).join(" | ")
    )
}

/// Escapes text so that Markdown shows it unchanged in a table.
fn escaped(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}

/// Describes a side in a line.
pub(super) fn described(origin: &Origin) -> String {
    let runs = match origin.runs {
        1 => String::new(),
        runs => format!("{runs} runs, "),
    };
    format!(
        "{} ({runs}{}, {} pods)",
        origin.paths.join(" "),
        origin.started_at,
        human::count(origin.pods)
    )
}

pub(super) fn headline(comparison: &Comparison) -> String {
    let named = |verdict: Verdict| {
        let found = comparison
            .figures
            .iter()
            .filter(|f| f.verdict == verdict && f.decides);
        found.map(size).collect::<Vec<_>>().join(", ")
    };
    match comparison.outcome {
        Outcome::Slower => format!("SLOWER: {}", named(Verdict::Slower)),
        Outcome::Same => {
            let deciding = comparison.figures.iter().filter(|figure| figure.decides);
            let all = deciding.map(size).collect::<Vec<_>>().join(", ");
            format!("not slower: {all}")
        }
        Outcome::Undecided => match comparison.basis {
            Basis::Seconds => "undecided: one run a side cannot tell a program from the machine",
            Basis::FewRuns => "undecided: too few runs for a verdict",
            Basis::Runs | Basis::Calibration => "undecided: the runs vary too much for a verdict",
        }
        .to_owned(),
    }
}

/// Returns a figure with its difference in percent, and the verdict if it is no difference.
fn size(figure: &Figure) -> String {
    let name = figure.name.words();
    let percent = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
    match (shown_ratio(figure), figure.interval) {
        (Some(ratio), Some(within)) => format!(
            "{name} {} ({} to {})",
            percent(ratio),
            percent(within.low),
            percent(within.high)
        ),
        _ => name,
    }
}

pub(super) fn last_lines(comparison: &Comparison) -> Vec<String> {
    let mut lines = vec![headline(comparison)];
    // Without the rounding errors of a share.
    let in_percent = |share: f64| (share * 1e5).round() / 1e3;
    let percent = in_percent(comparison.min_effect);
    let of_latency = in_percent(comparison.min_latency_effect);
    let deciding = comparison.figures.iter().filter(|figure| figure.decides);
    let deciding: Vec<String> = deciding.map(|figure| figure.name.words()).collect();
    lines.push(format!(
        "deciding: {}; a difference counts from {percent} % of CPU time and {of_latency} % of \
         latency",
        deciding.join(" and ")
    ));
    lines.push(basis(comparison));
    for figure in &comparison.figures {
        let percent = |ratio: f64| format!("{:+.1} %", (ratio - 1.0) * 100.0);
        match (figure.relative, figure.ratio, figure.p_slower) {
            (Some(_), Some(ratio), Some(_)) => lines.push(format!(
                "{}: B/A is relative to the CPU time of loadgen in the same runs; by itself {}",
                figure.name.words(),
                percent(ratio)
            )),
            (Some(relative), _, None) => lines.push(format!(
                "relative to the CPU time of loadgen: {} {}",
                figure.name.words(),
                percent(relative)
            )),
            _ => {}
        }
    }
    let seconds = comparison.a.seconds.min(comparison.b.seconds);
    if comparison.basis == Basis::Seconds && seconds < LEAST_SECONDS {
        lines.push(format!(
            "too short: the shorter run has measurements of {seconds} s, and intervals need \
             {LEAST_SECONDS} s"
        ));
    }
    let remarks = comparison.remarks.iter().map(|one| format!("note: {one}"));
    lines.extend(remarks);
    lines
}

/// Explains the source of the intervals, and the step to a verdict without one.
fn basis(comparison: &Comparison) -> String {
    match comparison.basis {
        Basis::Runs => {
            let deciding = comparison
                .figures
                .iter()
                .filter_map(|figure| figure.p_slower);
            let least = deciding.fold(1.0, f64::min);
            format!(
                "intervals: spread between the runs; chance of a difference like this for the \
                 worse between runs of one program: {:.1} %",
                least * 100.0
            )
        }
        Basis::Calibration => {
            "intervals: run-to-run spread of the machine from its calibration".to_owned()
        }
        Basis::FewRuns => "intervals: spread between the runs; a verdict takes three runs a side: \
                           loadgen run --repeat 5"
            .to_owned(),
        Basis::Seconds => "intervals: seconds inside the two runs, without the spread between \
                           runs; a verdict takes three runs a side (loadgen run --repeat 5) or a \
                           calibrated machine (loadgen calibrate)"
            .to_owned(),
    }
}

/// Returns the ratio that the interval belongs to.
pub(super) fn shown_ratio(figure: &Figure) -> Option<f64> {
    match figure.p_slower {
        // Runs are the basis, and the CPU time is judged relative to that of loadgen.
        Some(_) => figure.relative.or(figure.ratio),
        None => figure.ratio,
    }
}

fn row(figure: &Figure) -> [String; 6] {
    let none = || "-".to_owned();
    let value = |value: Option<f64>| value.map_or_else(none, |value| figure.name.shown(value));
    let verdict = match (figure.decides, figure.verdict) {
        (false, Verdict::Undecided) => String::new(),
        (_, verdict) => verdict.words().to_owned(),
    };
    [
        figure.name.words(),
        value(figure.a),
        value(figure.b),
        shown_ratio(figure).map_or_else(none, |ratio| format!("{ratio:.3}")),
        figure.interval.map_or_else(none, |within| {
            format!("{:.3} to {:.3}", within.low, within.high)
        }),
        verdict,
    ]
}
