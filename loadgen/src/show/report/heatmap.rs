//! Charts pods by latency over time.

use std::collections::BTreeMap;
use std::fmt::Write;

use maud::{Markup, html};

use super::latencies::{Column, Latencies, ROWS_PER_DECADE};
use super::timeline::{end_s, per_column, shade_warm_up};
use crate::result::RunResult;
use display::human;
use display::scale::Scale;
use display::svg::{Axis, Chart, number, time};

/// Number of distinct shades.
const LEVELS: u32 = 8;

/// Draws the heat map; empty for a run without pods.
pub fn chart(result: &RunResult, latencies: &Latencies) -> Markup {
    let rows = || {
        latencies
            .columns
            .iter()
            .flat_map(|column| column.pods.keys())
    };
    let counts = latencies
        .columns
        .iter()
        .flat_map(|column| column.pods.values());
    let (Some(lowest), Some(highest), Some(most)) = (rows().min(), rows().max(), counts.max())
    else {
        return html! { p.none { "No pod was measured." } };
    };
    let y = Axis::new(
        "pod latency",
        Scale::Log(edge(*lowest), edge(highest + 1)),
        8,
        time,
    );
    let caption = format!("Pods by latency, {}", per_column(latencies.column_s));
    let summary = format!(
        "From {} to {}; the stronger the colour, the more pods.",
        human::nanoseconds(latencies_of(edge(*lowest))),
        human::nanoseconds(latencies_of(edge(highest + 1)))
    );
    let mut chart = Chart::new(&caption, summary, Axis::time(end_s(result)), y);
    shade_warm_up(&mut chart, result);
    let cells = cells(&chart, latencies, *most);
    chart.layer(html! {
        @for (level, path) in cells {
            path.heat opacity=(opacity(level)) d=(path) {}
        }
    });
    html! {
        div {
            (chart.render())
            (scale(*most))
        }
    }
}

/// Returns the lower end of a row, in nanoseconds.
fn edge(row: i32) -> f64 {
    10_f64.powf(f64::from(row) / ROWS_PER_DECADE)
}

fn latencies_of(ns: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and edges are above 0"
    )]
    let ns = ns.round() as u64;
    ns
}

/// Returns the shade of a cell with this number of pods, if the darkest cell has `most`.
/// The shade grows with the logarithm, so that a few late pods are visible beside
/// thousands.
fn level(count: u64, most: u64) -> u32 {
    let share = ((count as f64).ln_1p() / (most as f64).ln_1p()).clamp(0.0, 1.0);
    let level = (1..LEVELS).find(|level| share <= f64::from(*level) / f64::from(LEVELS));
    level.unwrap_or(LEVELS)
}

fn opacity(level: u32) -> String {
    format!("{:.2}", 0.12 + 0.88 * f64::from(level) / f64::from(LEVELS))
}

/// Returns the cells of each shade as one path.
fn cells(chart: &Chart, latencies: &Latencies, most: u64) -> BTreeMap<u32, String> {
    let mut paths: BTreeMap<u32, String> = BTreeMap::new();
    for column in &latencies.columns {
        for (row, count) in &column.pods {
            let Some(cell) = cell(chart, column, latencies.column_s, *row) else {
                continue;
            };
            let path = paths.entry(level(*count, most)).or_default();
            // Writing to a string cannot fail.
            let _ = write!(path, "{cell}");
        }
    }
    paths
}

fn cell(chart: &Chart, column: &Column, column_s: f64, row: i32) -> Option<String> {
    let (left, bottom) = chart.at(column.start_s, edge(row))?;
    let (right, top) = chart.at(column.start_s + column_s, edge(row + 1))?;
    let (width, height) = ((right - left).max(0.6), bottom - top);
    Some(format!(
        "M{} {}h{}v{}h-{}z",
        number(left),
        number(top),
        number(width),
        number(height),
        number(width)
    ))
}

/// Draws the shades with their meanings.
fn scale(most: u64) -> Markup {
    let bottom = format!("M0 0h{LEVELS}v1h-{LEVELS}z");
    html! {
        p.heat-scale {
            "1 pod "
            svg viewBox={ "0 0 " (LEVELS) " 1" } preserveAspectRatio="none" aria-hidden="true" {
                path.heat-ground d=(bottom) {}
                @for level in 1..=LEVELS {
                    rect.heat x=(level - 1) y="0" width="1" height="1" opacity=(opacity(level)) {}
                }
            }
            " " (human::count(most)) @if most == 1 { " pod" } @else { " pods" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::latencies::row;
    use super::*;

    #[test]
    fn more_pods_are_darker_and_one_can_be_seen() {
        assert_eq!(level(1, 1), LEVELS);
        assert_eq!(level(5000, 5000), LEVELS);
        assert!(level(1, 5000) >= 1 && level(1, 5000) < level(100, 5000));
    }

    #[test]
    fn a_latency_is_in_the_row_between_its_edges() {
        for ns in [1, 999, 1_000, 12_345, 3_600_000_000_000] {
            let row = row(ns);
            let ns = ns as f64;
            assert!(edge(row) <= ns * 1.000_001 && ns < edge(row + 1), "{ns}");
        }
    }
}
