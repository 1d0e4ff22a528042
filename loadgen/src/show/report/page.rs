//! The page of a run: the main figures first, their basis last.

use std::fmt::Write;

use display::bars;
use display::page::shell;
use maud::{Markup, PreEscaped, html};

use super::curves::{self, Curve};
use super::how::How;
use super::latencies::Latencies;
use super::{heatmap, processes, spans, tables, timeline};
use crate::record::operation::Operation;
use crate::result::{LoadMode, RunResult};
use display::human;

/// Renders the page of a run.
pub fn page(result: &RunResult, latencies: &Latencies) -> Markup {
    let shown = shown(latencies);
    let main = html! {
        (headline(result))
        section aria-labelledby="operations" {
            h2 id="operations" { "Latencies" }
            (tables::operations(result, latencies))
            (tables::phases(result))
        }
        (by_operation(result, latencies, &shown))
        section aria-labelledby="time" {
            h2 id="time" { "Over time" }
            div.charts {
                (heatmap::chart(result, latencies))
                (timeline::rates(result))
            }
        }
        @if let Some(spans) = &result.spans {
            (spans::section("Where the time goes", spans))
        }
        (tables::errors(&result.errors))
        section aria-labelledby="processes" {
            h2 id="processes" { "Processes" }
            (processes::section(result))
        }
        (How::from(result).section(Some(result.wall_s)))
    };
    let mut style = switch_style(shown.len());
    if result.spans.is_some() {
        style += bars::STYLE;
        style += spans::STYLE;
    }
    shell(&title(result), &style, &verdict(result), &main)
}

/// Renders a header with the validity: the command and its answer.
pub fn header(command: &str, how: &Opening, answer: &str) -> Markup {
    let (class, word) = if how.valid {
        ("good", "✓ valid")
    } else {
        ("bad", "✗ not valid")
    };
    html! {
        p.what { "loadgen " (command) " over " (how.target) ", " (how.started_at) }
        h1 {
            span.verdict.(class) { (word) }
            " " (answer)
        }
        (reasons(how.reasons))
    }
}

/// Further contents of a header.
pub struct Opening<'a> {
    /// Whether the result is valid.
    pub valid: bool,
    /// Reasons against the validity.
    pub reasons: &'a [String],
    /// Target of the calls, as in a result's scenario.
    pub target: &'a str,
    /// Beginning of the measurement (RFC 3339, UTC).
    pub started_at: &'a str,
}

/// Renders the main figures.
pub fn figures(figures: &[(&str, String)]) -> Markup {
    html! {
        dl class={ "headline columns-" (if figures.len() > 6 { 4 } else { 6 }) } {
            @for (name, figure) in figures {
                div { dt { (name) } dd { (figure) } }
            }
        }
    }
}

/// Renders the reasons against the validity.
pub fn reasons(reasons: &[String]) -> Markup {
    html! {
        @if !reasons.is_empty() {
            ul.reasons { @for reason in reasons { li { (reason) } } }
        }
    }
}

fn title(result: &RunResult) -> String {
    format!(
        "{} pods at {} over {}, {}",
        human::count(result.totals.pods),
        human::rate(result.totals.pods_per_s),
        result.scenario.target,
        result.header.started_at
    )
}

/// Renders the validity and the reasons against it.
fn verdict(result: &RunResult) -> Markup {
    let (class, word) = match (result.valid, result.complete) {
        (true, true) => ("good", "✓ valid"),
        (true, false) => ("bad", "✗ partial"),
        (false, true) => ("bad", "✗ not valid"),
        (false, false) => ("bad", "✗ partial, not valid"),
    };
    html! {
        p.what { "loadgen run over " (result.scenario.target) ", " (result.header.started_at) }
        h1 {
            span.verdict.(class) { (word) }
            " " (human::count(result.totals.pods)) " pods at " (human::rate(result.totals.pods_per_s))
        }
        (reasons(&result.reasons))
        @if result.valid && result.complete {
            p.why { "Every pod of the plan has ended, and every reply was right." }
        }
        @if !result.notes.is_empty() {
            ul.notes { @for note in &result.notes { li { (note) } } }
        }
        @for remark in &result.remarks { p.why { (remark) } }
    }
}

fn headline(result: &RunResult) -> Markup {
    let pod = result
        .operations
        .iter()
        .find(|figures| figures.operation == Operation::Pod);
    let pod = pod.filter(|figures| figures.count > 0);
    let time = |ns: Option<u64>| ns.map_or_else(|| "–".to_owned(), human::nanoseconds);
    let mut figures = vec![
        ("pods per second", human::rate(result.totals.pods_per_s)),
        ("pod, median", time(pod.map(|pod| pod.p50_ns))),
        ("pod, p99", time(pod.map(|pod| pod.p99_ns))),
        ("pod, largest", time(pod.map(|pod| pod.max_ns))),
        ("RPCs per second", human::rate(result.totals.rpcs_per_s)),
        ("errors", human::count(result.totals.errors)),
    ];
    if let Some(offered) = result.load.offered_pods_per_s {
        figures.insert(1, ("offered", human::rate(offered)));
    }
    if let Some(lag) = result.load.lag {
        figures.push(("lag of starts, p99", human::nanoseconds(lag.p99_ns)));
    }
    self::figures(&figures)
}

/// Returns the operations with a panel of their own. The latencies from the first request
/// are shown beside those from the intended start.
fn shown(latencies: &Latencies) -> Vec<Operation> {
    let whole = latencies.whole.keys().copied();
    let mut shown: Vec<_> = whole.filter(|operation| !operation.is_service()).collect();
    // Whole pods come first.
    shown.sort_by_key(|operation| (operation.is_rpc(), *operation == Operation::PodStart));
    shown
}

/// Returns the style that shows the panel of the chosen operation without a script: it
/// depends on the state of a radio button.
fn switch_style(choices: usize) -> String {
    let mut style = String::new();
    for number in 0..choices {
        // Writing to a string cannot fail.
        let _ = write!(
            style,
            "#o{number}:checked~.panel-{number}{{display:grid}}\
             #o{number}:checked~.chips label[for=o{number}]{{background:var(--accent);color:var(--on-accent)}}\
             #o{number}:focus-visible~.chips label[for=o{number}]{{outline:3px solid var(--focus);outline-offset:2px}}"
        );
    }
    style
}

fn radio(number: usize) -> PreEscaped<String> {
    let checked = if number == 0 {
        " checked=\"checked\""
    } else {
        ""
    };
    PreEscaped(format!(
        "<input type=\"radio\" name=\"operation\" id=\"o{number}\"{checked}/>"
    ))
}

fn words(operation: Operation) -> String {
    operation.name().replace('_', " ")
}

fn by_operation(result: &RunResult, latencies: &Latencies, shown: &[Operation]) -> Markup {
    html! {
        section aria-labelledby="distribution" {
            h2 id="distribution" { "Distribution" }
            @if shown.is_empty() {
                p.none { "Nothing was measured." }
            } @else {
                @if result.load.mode == LoadMode::Open {
                    p.why {
                        "The latency of a pod counts from its intended start, so that a stall \
                         shows for every pod that was due meanwhile. A second curve counts from \
                         its first request."
                    }
                } @else {
                    p.why {
                        "In a closed loop a stall shows once for each pod in progress, not for the \
                         pods that would have started meanwhile."
                    }
                }
                div.choice {
                    @for number in 0..shown.len() { (radio(number)) }
                    div.chips role="group" aria-label="Operation" {
                        @for (number, operation) in shown.iter().enumerate() {
                            label for={ "o" (number) } { (words(*operation)) }
                        }
                    }
                    @for (number, operation) in shown.iter().enumerate() {
                        div class={ "charts panel panel-" (number) } {
                            (distribution(latencies, *operation))
                            (timeline::latency(result, latencies, *operation))
                        }
                    }
                }
            }
        }
    }
}

fn distribution(latencies: &Latencies, operation: Operation) -> Markup {
    let service = match operation {
        Operation::Pod => Some(Operation::PodService),
        Operation::PodStart => Some(Operation::PodStartService),
        _ => None,
    };
    let service = service.and_then(|service| latencies.whole.get(&service));
    let name = words(operation);
    let name = match service {
        Some(_) => format!("{name}, from its intended start"),
        None => name,
    };
    let mut curves: Vec<_> = latencies
        .whole
        .get(&operation)
        .into_iter()
        .map(|histogram| Curve {
            name: &name,
            histogram,
        })
        .collect();
    curves.extend(service.map(|histogram| Curve {
        name: "from its first request",
        histogram,
    }));
    curves::chart(&curves)
}
