//! Printed comparison: for a terminal and for a pull request.

use std::fmt::{self, Write};

use super::comparison::Comparison;
use super::figure::{Figure, LEAST_SECONDS, Statistic};
use super::verdict::Verdict;
use display::columns;
use display::human;

const HEAD: [&str; 6] = ["figure", "A", "B", "B/A", "95 % interval", "verdict"];

/// Limit of the intervals of a comparison.
const LIMITS: &str = "The intervals cover the variation between the seconds of a run, not \
                      changes of the machine between the two runs; `loadgen gate` covers both.";

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
        let pods = human::count(origin.pods);
        writeln!(
            out,
            "{name}  {} ({}, {pods} pods)",
            origin.path, origin.started_at
        )?;
    }
    out.push('\n');
    let mut rows = vec![HEAD.map(str::to_owned)];
    rows.extend(comparison.figures.iter().map(row));
    columns::write(out, &rows)?;
    out.push('\n');
    for line in last_lines(comparison) {
        writeln!(out, "{line}")?;
    }
    Ok(())
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
        writeln!(out, "{name}: `{}`, {}  ", origin.path, origin.started_at)?;
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

fn headline(comparison: &Comparison) -> String {
    let percent = comparison.min_effect * 100.0;
    let names = |verdict: Verdict| {
        let found = comparison.figures.iter().filter(|f| f.verdict == verdict);
        found.map(name).collect::<Vec<_>>()
    };
    let slower = names(Verdict::Slower);
    if slower.is_empty() {
        let open = names(Verdict::Undecided).len() + names(Verdict::TooShort).len();
        let all = comparison.figures.len();
        format!(
            "nothing is surely slower by {percent} % or more; {open} of {all} figures undecided"
        )
    } else {
        format!("slower by {percent} % or more: {}", slower.join(", "))
    }
}

fn last_lines(comparison: &Comparison) -> Vec<String> {
    let mut lines = vec![headline(comparison)];
    let seconds = comparison.a.seconds.min(comparison.b.seconds);
    if seconds < LEAST_SECONDS {
        lines.push(format!(
            "too short: the shorter run has measurements of {seconds} s, and intervals need \
             {LEAST_SECONDS} s"
        ));
    }
    let remarks = comparison.remarks.iter().map(|one| format!("note: {one}"));
    lines.extend(remarks);
    lines.push(LIMITS.to_owned());
    lines
}

fn name(figure: &Figure) -> String {
    let what = figure.what.replace('_', " ");
    match figure.statistic {
        Statistic::P50 => format!("{what} p50"),
        Statistic::P99 => format!("{what} p99"),
        Statistic::Mean => format!("{what} mean"),
        Statistic::Rate => format!("{what} per second"),
        Statistic::Cpu => format!("{what} CPU per pod"),
    }
}

fn row(figure: &Figure) -> [String; 6] {
    let none = || "-".to_owned();
    let value = |value: Option<f64>| {
        value.map_or_else(none, |value| match figure.statistic {
            Statistic::P50 | Statistic::P99 | Statistic::Mean => human::duration(value),
            Statistic::Rate => human::rate(value),
            Statistic::Cpu => format!("{value:.3} ms"),
        })
    };
    [
        name(figure),
        value(figure.a),
        value(figure.b),
        figure
            .ratio
            .map_or_else(none, |ratio| format!("{ratio:.3}")),
        figure.interval.map_or_else(none, |within| {
            format!("{:.3} to {:.3}", within.low, within.high)
        }),
        figure.verdict.words().to_owned(),
    ]
}
