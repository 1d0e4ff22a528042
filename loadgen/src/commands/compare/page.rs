//! The page of a comparison.

use maud::{Markup, html};

use super::comparison::Comparison;
use super::figure::Figure;
use super::table;
use super::verdict::Outcome;
use crate::show::report::page;
use display::page::{readable, shell};
use display::scale::Scale;
use display::svg::{Axis, Chart, Style, plain};

/// Renders the page.
pub fn render(comparison: &Comparison) -> String {
    let class = match comparison.outcome {
        Outcome::Same => "good",
        Outcome::Slower => "bad",
        Outcome::Undecided => "",
    };
    let headline = table::headline(comparison);
    let header = html! {
        p.what { "loadgen compare" }
        h1 { span.verdict.(class) { (headline) } }
        (page::reasons(&comparison.incomparable))
    };
    let main = html! {
        ul.notes {
            li { "A: " (table::described(&comparison.a)) }
            li { "B: " (table::described(&comparison.b)) }
        }
        (ratios(comparison))
        (display::page::table("Figures of both sides", &table::rows(comparison)))
        ul.notes { @for line in table::last_lines(comparison).iter().skip(1) { li { (line) } } }
    };
    let title = format!("loadgen compare: {headline}");
    readable(&shell(&title, "", &header, &main).into_string())
}

/// Draws the ratio B/A of each figure with its interval.
fn ratios(comparison: &Comparison) -> Markup {
    let shown: Vec<(&Figure, f64)> = comparison
        .figures
        .iter()
        .filter_map(|figure| Some((figure, table::shown_ratio(figure)?)))
        .collect();
    if shown.is_empty() {
        return html! {};
    }
    let percent = |ratio: f64| (ratio - 1.0) * 100.0;
    let ends = shown.iter().flat_map(|(figure, ratio)| {
        let within = figure.interval.map(|within| [within.low, within.high]);
        within.unwrap_or([*ratio, *ratio])
    });
    let last = shown.len() as f64;
    let x = Axis::new("figure", Scale::linear([0.5, last + 0.5]), 12, |tick| {
        plain(tick, "")
    });
    let y = Axis::new("difference", Scale::span(ends.map(percent)), 5, |tick| {
        plain(tick, "%")
    });
    let summary = "The figures by their row in the table, with 95 % intervals.".to_owned();
    let mut chart = Chart::new("Difference from A to B", summary, x, y);
    let none = [(0.5, Some(0.0)), (last + 0.5, Some(0.0))];
    chart.line(Style::MUTED, "no difference", none);
    let mut bars = Vec::new();
    for (number, (figure, _)) in shown.iter().enumerate() {
        if let Some(within) = figure.interval {
            let at = number as f64 + 1.0;
            bars.extend([
                (at, Some(percent(within.low))),
                (at, Some(percent(within.high))),
                (at, None),
            ]);
        }
    }
    chart.line(Style(2), "interval", bars);
    for (number, (_, ratio)) in shown.iter().enumerate() {
        chart.dot(Style(0), number as f64 + 1.0, Some(percent(*ratio)));
    }
    chart.explain(Style(0), "B/A");
    html! { div.charts { (chart.render()) } }
}
