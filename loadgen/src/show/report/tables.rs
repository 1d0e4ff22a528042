//! Tables of a page.

use maud::{Markup, html};

use super::latencies::Latencies;
use crate::record::operation::Operation;
use crate::result::lag;
use crate::result::{ErrorResult, OperationResult, PhaseResult, RunResult};
use display::human;
use display::scale::Scale;
use display::svg::number;

/// Maximum number of shown classes of errors.
const SHOWN_ERRORS: usize = 50;

/// Renders the figures of all operations, each with its range on a common scale.
pub fn operations(result: &RunResult, latencies: &Latencies) -> Markup {
    let values = result.operations.iter().filter(|figures| figures.count > 0);
    let values = values.flat_map(|figures| [figures.min_ns as f64, figures.max_ns as f64]);
    let scale = Scale::log(values);
    html! {
        div.wide role="region" aria-label="Latencies by operation" tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "operation" }
                        @for name in ["count", "errors", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"] {
                            th.n scope="col" { (name) }
                        }
                        @if !result.wire.is_empty() {
                            th.n scope="col" { "wire p50" }
                            th.n scope="col" { "wire p99" }
                        }
                        th scope="col" { "min to max" }
                    }
                }
                tbody {
                    @for figures in &result.operations { (operation(result, figures, scale)) }
                }
            }
        }
        @for figure in result.figures.iter().filter(|figure| !figure.valid) {
            p.why {
                "† " (figure.operation.name().replace('_', " ")) " " (figure.statistic) " is not valid: "
                (figure.reason.as_deref().unwrap_or_default()) "."
            }
        }
        @if let Some(pod) = result.wire_of(Operation::Pod) {
            p.why {
                "On the wire: from the last byte of a request to the first byte of its reply. "
                (human::nanoseconds(pod.queue_ns)) " of a pod's median latency were in the \
                 generator's queue (" (format!("{:.0} %", pod.queue_share() * 100.0)) ")."
            }
        }
        @if !latencies.whole.is_empty() {
            p.why {
                "In the last column, on one logarithmic scale: from the smallest to the largest, thicker \
                 from the median to the 99th percentile."
            }
        }
    }
}

fn operation(result: &RunResult, figures: &OperationResult, scale: Scale) -> Markup {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of unsigned numbers; such a cast saturates"
    )]
    let mean = figures.mean_ns.round() as u64;
    let times = [
        ("mean", Some(mean)),
        ("p50", Some(figures.p50_ns)),
        ("p90", Some(figures.p90_ns)),
        ("p95", figures.p95_ns),
        ("p99", Some(figures.p99_ns)),
        ("p999", Some(figures.p999_ns)),
        ("max", Some(figures.max_ns)),
    ];
    let late = |name| !lag::is_valid(&result.figures, figures.operation, name);
    let wire = result.wire_of(figures.operation);
    let wire = [wire.map(|wire| wire.p50_ns), wire.map(|wire| wire.p99_ns)];
    html! {
        tr {
            th scope="row" { (figures.operation.name().replace('_', " ")) }
            td.n { (human::count(figures.count)) }
            td.n.bad[figures.errors > 0] { (human::count(figures.errors)) }
            @for (name, ns) in times {
                td.n.bad[late(name)] {
                    @if let Some(ns) = ns.filter(|_| figures.count > 0) { (human::nanoseconds(ns)) } @else { "–" }
                    @if late(name) { "†" }
                }
            }
            @if !result.wire.is_empty() {
                @for ns in wire { td.n { @if let Some(ns) = ns { (human::nanoseconds(ns)) } @else { "–" } } }
            }
            td.range { @if figures.count > 0 { (range(figures, scale)) } }
        }
    }
}

fn range(figures: &OperationResult, scale: Scale) -> Markup {
    const WIDTH: f64 = 160.0;
    let place = |ns: u64| number(scale.place(ns as f64).unwrap_or(0.0) * WIDTH);
    let (min, p50) = (place(figures.min_ns), place(figures.p50_ns));
    let (p99, max) = (place(figures.p99_ns), place(figures.max_ns));
    html! {
        svg viewBox={ "-4 0 " (WIDTH + 8.0) " 12" } aria-hidden="true" {
            path.whisker d={ "M" (min) " 6L" (max) " 6" } {}
            path.box d={ "M" (p50) " 6L" (p99) " 6" } {}
            path.median d={ "M" (p50) " 1V11" } {}
        }
    }
}

/// Renders the phases of an open loop.
pub fn phases(result: &RunResult) -> Markup {
    html! {
        @if !result.phases.is_empty() {
            h3 { "Phases" }
            div.wide role="region" aria-label="Phases" tabindex="0" {
                table {
                    thead {
                        tr {
                            th scope="col" { "phase" }
                            @for name in ["from", "for", "offered", "started", "pods", "p50", "p99", "max"] {
                                th.n scope="col" { (name) }
                            }
                        }
                    }
                    tbody { @for one in &result.phases { (phase(one)) } }
                }
            }
        }
    }
}

fn phase(phase: &PhaseResult) -> Markup {
    let pod = &phase.pod;
    html! {
        tr {
            th scope="row" { (phase.name) @if !phase.measured { " (not measured)" } }
            td.n { (format!("{:.0} s", phase.start_s)) }
            td.n { (format!("{:.0} s", phase.duration_s)) }
            td.n { (human::count(phase.offered)) }
            td.n.bad[phase.started < phase.offered] { (human::count(phase.started)) }
            td.n { (human::count(pod.count)) }
            @for ns in [pod.p50_ns, pod.p99_ns, pod.max_ns] {
                td.n { @if pod.count > 0 { (human::nanoseconds(ns)) } @else { "–" } }
            }
        }
    }
}

/// Renders the failures, the most frequent class first; empty without failures.
pub fn errors(errors: &[ErrorResult]) -> Markup {
    let more = errors.len().saturating_sub(SHOWN_ERRORS);
    html! {
        @if !errors.is_empty() {
            section aria-labelledby="errors" {
                h2 id="errors" { "Errors" }
                div.wide role="region" aria-label="Errors" tabindex="0" {
                    table {
                        thead {
                            tr {
                                th.n scope="col" { "count" }
                                th scope="col" { "operation" }
                                th scope="col" { "code" }
                                th scope="col" { "one of the messages" }
                            }
                        }
                        tbody {
                            @for error in errors.iter().take(SHOWN_ERRORS) {
                                tr {
                                    td.n { (human::count(error.count)) }
                                    td { (error.operation.name().replace('_', " ")) }
                                    td { (error.code) }
                                    td.message { (error.example) }
                                }
                            }
                        }
                    }
                }
                @if more > 0 { p.why { "And " (more) " more kinds, see result.json." } }
            }
        }
    }
}
