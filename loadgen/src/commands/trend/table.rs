//! Printed forms of a trend.

use std::fmt::{self, Write};

use super::series::{Change, Series, Trend};
use display::columns;

const HEAD: [&str; 6] = ["figure", "changed at", "from", "to", "change", "p"];

/// Returns the trend as text.
pub fn text(trend: &Trend) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write_text(&mut text, trend);
    text
}

/// Returns the trend as Markdown.
pub fn markdown(trend: &Trend) -> String {
    let mut text = String::new();
    let _ = write_markdown(&mut text, trend);
    text
}

/// Returns the outcome in one line.
pub fn headline(trend: &Trend) -> String {
    let (first, last) = (trend.points.first(), trend.points.last());
    let names = first.zip(last).map_or_else(String::new, |(first, last)| {
        format!(", {} to {}", first.label, last.label)
    });
    let tested = trend.figures.iter().filter(|series| series.tested).count();
    let worse = trend.changes().filter(|(_, change)| change.worse).count();
    let all = trend.changes().count();
    let found = match (worse, all - worse) {
        (0, 0) => "no change".to_owned(),
        (worse, 0) => format!("changes for the worse: {worse}"),
        (0, better) => format!("changes for the better: {better}"),
        (worse, better) => format!("changes for the worse: {worse}, for the better: {better}"),
    };
    format!(
        "{tested} figures at {} points{names}: {found}",
        trend.points.len()
    )
}

/// Returns a line on the rule.
pub fn rule(trend: &Trend) -> String {
    format!(
        "changes of {} % and more; if nothing changed, any is found in at most {} % of trends",
        trend.min_effect * 100.0,
        trend.alpha * 100.0
    )
}

/// Returns the cells of a change.
pub fn row(series: &Series, change: &Change) -> [String; 6] {
    let percent = change
        .change
        .map(|share| format!("{:+.1} %", share * 100.0));
    let percent = percent.unwrap_or_else(|| "–".to_owned());
    let mark = if change.worse { "WORSE" } else { "better" };
    [
        series.title(),
        change.at.clone(),
        series.shown(change.old),
        series.shown(change.new),
        format!("{percent} {mark}"),
        format!("{:.3}", change.p),
    ]
}

fn write_text(out: &mut String, trend: &Trend) -> fmt::Result {
    writeln!(out, "{}", headline(trend))?;
    if trend.changes().next().is_some() {
        out.push('\n');
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(trend.changes().map(|(series, change)| row(series, change)));
        columns::write(out, &rows)?;
        out.push('\n');
    }
    writeln!(out, "{}", rule(trend))?;
    for note in &trend.notes {
        writeln!(out, "note   {note}")?;
    }
    Ok(())
}

fn write_markdown(out: &mut String, trend: &Trend) -> fmt::Result {
    writeln!(out, "### {}\n", headline(trend))?;
    if trend.changes().next().is_some() {
        writeln!(out, "| {} |", HEAD.join(" | "))?;
        writeln!(out, "| --- | --- | ---: | ---: | ---: | ---: |")?;
        for (series, change) in trend.changes() {
            writeln!(out, "| {} |", row(series, change).join(" | "))?;
        }
        out.push('\n');
    }
    writeln!(out, "- {}", rule(trend))?;
    for note in &trend.notes {
        writeln!(out, "- {note}")?;
    }
    Ok(())
}
