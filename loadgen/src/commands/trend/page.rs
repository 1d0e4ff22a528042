//! The page of a trend: a line for each figure, with its changes.

use maud::{Markup, html};

use super::series::{Series, Trend};
use super::table::{headline, row, rule};
use display::page::shell;
use display::scale::Scale;
use display::svg::{Axis, Chart, Style};

/// Highest number of marks on the axis of points.
const TICKS: u32 = 3;

/// Renders the page.
pub fn page(trend: &Trend) -> Markup {
    let header = html! {
        header {
            h1 { "Trend" }
            p { (headline(trend)) }
        }
    };
    let main = html! {
        @if trend.changes().next().is_some() {
            section aria-labelledby="changes" {
                h2 id="changes" { "Changes" }
                (changes(trend))
            }
        }
        (section(trend, "Tested figures", true))
        (section(trend, "Other figures", false))
        section aria-labelledby="points" {
            h2 id="points" { "Points" }
            (points(trend))
            p { (rule(trend)) "." }
            @for note in &trend.notes { p { (note) "." } }
        }
    };
    shell(&format!("Trend: {}", headline(trend)), "", &header, &main)
}

fn changes(trend: &Trend) -> Markup {
    html! {
        div.wide role="region" aria-label="Changes" tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "figure" }
                        th scope="col" { "changed at" }
                        @for name in ["from", "to", "change", "p"] { th.n scope="col" { (name) } }
                    }
                }
                tbody {
                    @for (series, change) in trend.changes() {
                        @let cells = row(series, change);
                        tr {
                            @for cell in &cells[..2] { td { (cell) } }
                            @for cell in &cells[2..] { td.n { (cell) } }
                        }
                    }
                }
            }
        }
    }
}

fn section(trend: &Trend, title: &str, tested: bool) -> Markup {
    let shown: Vec<_> = trend
        .figures
        .iter()
        .filter(|s| s.tested == tested)
        .collect();
    let id = title.to_lowercase().replace(' ', "-");
    html! {
        @if !shown.is_empty() {
            section aria-labelledby=(id) {
                h2 id=(id) { (title) }
                div.charts { @for series in shown { (chart(trend, series)) } }
            }
        }
    }
}

fn chart(trend: &Trend, series: &Series) -> Markup {
    let label = |tick: f64| {
        let point = (0..trend.points.len()).find(|number| (*number as f64 - tick).abs() < 0.01);
        point.map_or_else(String::new, |number| short(&trend.points[number].label))
    };
    let last = trend.points.len().saturating_sub(1) as f64;
    let x = Axis::new("points", Scale::linear([0.0, last]), TICKS, label);
    let values = series.values.iter().flatten().copied();
    let y = Axis::new(
        &series.kind.replace('-', " "),
        Scale::linear(values),
        5,
        |tick| series.shown(tick),
    );
    let summary = match &series.changes[..] {
        [] => "No change.".to_owned(),
        [one] => format!("It changed at {}.", one.at),
        several => format!("It changed at {} points.", several.len()),
    };
    let mut chart = Chart::new(&series.title(), summary, x, y);
    let place = |(number, value): (usize, &Option<f64>)| (number as f64, *value);
    for (at, value) in series.values.iter().enumerate().map(place) {
        chart.dot(Style(0), at, value);
    }
    chart.line(
        Style(0),
        "value",
        series.values.iter().enumerate().map(place),
    );
    for change in &series.changes {
        chart.mark(
            Style(1),
            change.point as f64,
            change.new,
            &short(&change.at),
        );
    }
    chart.render()
}

/// Returns the beginning of a label, such as that of a commit.
fn short(label: &str) -> String {
    label.chars().take(12).collect()
}

fn points(trend: &Trend) -> Markup {
    html! {
        div.wide role="region" aria-label="Points" tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "point" }
                        th scope="col" { "time" }
                        th.n scope="col" { "results" }
                    }
                }
                tbody {
                    @for point in &trend.points {
                        tr {
                            td { (point.label) }
                            td { (point.started_at) }
                            td.n { (point.results) }
                        }
                    }
                }
            }
        }
    }
}
