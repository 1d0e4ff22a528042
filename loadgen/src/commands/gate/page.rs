//! The page of a gate: its verdict, and the difference of each block.

use maud::{Markup, html};

use super::decide::{Decision, Judged, Metric};
use super::result::GateResult;
use super::table;
use crate::show::report::{how, page};
use display::page::{readable, shell};
use display::scale::Scale;
use display::svg::{Axis, Chart, Style, plain};

/// Renders the page.
pub fn render(result: &GateResult) -> String {
    let rows = table::rows(result);
    let main = html! {
        @if let Some(ratio) = table::ratio(result) { p.why { (ratio) "." } }
        (display::page::table("Metrics", &rows))
        section aria-labelledby="blocks" {
            h2 id="blocks" { "Blocks" }
            p.why {
                "Each block starts both programs anew and loads them in turns. The test counts on \
                 the drawn order of the programs alone."
            }
            div.charts {
                @for metric in &result.metrics { (chart(result, metric)) }
            }
        }
        section aria-labelledby="facts" {
            h2 id="facts" { "Basis" }
            ul.notes {
                li { "base: " (table::program(&result.base)) }
                li { "head: " (table::program(&result.head)) }
                @for line in table::facts(result) { li { (line) } }
            }
        }
        (how::run(&result.header, &result.environment, Some(result.wall_s)))
    };
    let headline = table::headline(result);
    let class = match result.decision {
        _ if table::is_wrong(result) => "bad",
        Decision::Pass => "good",
        Decision::Fail => "bad",
        Decision::Undecided => "",
    };
    let header = html! {
        p.what { "loadgen gate over " (result.scenario.target) ", " (result.header.started_at) }
        h1 { span.verdict.(class) { (headline) } }
        (page::reasons(&[&result.reasons[..], &result.complaints[..]].concat()))
    };
    let title = format!("{headline}, {}", result.header.started_at);
    readable(&shell(&title, "", &header, &main).into_string())
}

/// Draws the increase from base to head in each block, with the estimate and its bounds.
fn chart(result: &GateResult, judged: &Judged) -> Markup {
    let Some(differences) = judged.metric.differences(&result.blocks) else {
        return html! {};
    };
    let percent = |log: f64| log.exp_m1() * 100.0;
    let points = || differences.iter().map(|log| percent(*log));
    let last = differences.len().max(1) as f64;
    let bounds = [judged.at_least, judged.at_most].into_iter().flatten();
    let values = points()
        .chain(bounds.map(|share| share * 100.0))
        .chain([0.0]);
    let x = Axis::new("block", Scale::linear([1.0, last]), 6, |tick| {
        plain(tick, "")
    });
    let y = Axis::new("increase", Scale::span(values), 5, |tick| plain(tick, "%"));
    let summary = format!("Estimate {}.", table::signed(judged.change));
    let mut chart = Chart::new(name(judged.metric), summary, x, y);
    let across = |share: f64| [(1.0, Some(share * 100.0)), (last, Some(share * 100.0))];
    chart.line(Style::MUTED, "no difference", across(0.0));
    chart.line(Style(0), "estimate", across(judged.change));
    for (bound, words) in [(judged.at_least, "at least"), (judged.at_most, "at most")] {
        if let Some(bound) = bound {
            chart.line(Style(2), words, across(bound));
        }
    }
    for (number, value) in points().enumerate() {
        chart.dot(Style(1), number as f64 + 1.0, Some(value));
    }
    chart.explain(Style(1), "block");
    chart.render()
}

fn name(metric: Metric) -> &'static str {
    match metric {
        Metric::CpuPerPod => "CPU time of a pod",
        Metric::CyclesPerPod => "Cycles of a pod",
        Metric::InstructionsPerPod => "Instructions of a pod",
        Metric::PodP50 => "Median latency of a pod",
        Metric::PodMean => "Mean latency of a pod",
    }
}
