//! The page of a density measurement: memory over pods, and the line through the points.

use maud::{Markup, html};

use super::how::How;
use super::page::{self, Opening, figures};
use super::tables;
use crate::result::density::{DensityResult, PerPod};
use display::human;
use display::page::shell;
use display::scale::Scale;
use display::svg::{Axis, Chart, Style, plain};

const MIB: f64 = 1_048_576.0;
const KIB: f64 = 1024.0;

/// Renders the page.
pub fn page(result: &DensityResult) -> Markup {
    let main = html! {
        (figures(&headline(result)))
        section aria-labelledby="memory" {
            h2 id="memory" { "Resident memory over pods" }
            div.charts { @for process in &result.per_pod { (chart(result, process)) } }
            p.why {
                "The cost of a pod is the slope of the line, so the memory of a process without pods is not part of it."
            }
            (table(result))
        }
        (tables::errors(&result.errors))
        (How::from(result).section(None))
    };
    let title = format!("Cost of a pod, {}", result.header.started_at);
    shell(&title, "", &header(result), &main)
}

fn header(result: &DensityResult) -> Markup {
    let opening = Opening {
        valid: result.valid,
        reasons: &result.reasons,
        target: &result.scenario.target,
        started_at: &result.header.started_at,
    };
    page::header("density", &opening, &answer(result))
}

fn answer(result: &DensityResult) -> String {
    result.per_pod.first().map_or_else(
        || "no density was measured".to_owned(),
        |process| {
            let memory = kib(process.rss_bytes);
            format!("{memory} of the {} for each pod", process.role)
        },
    )
}

fn headline(result: &DensityResult) -> Vec<(&str, String)> {
    let mut figures: Vec<_> = result
        .per_pod
        .iter()
        .map(|process| (process.role.as_str(), kib(process.rss_bytes)))
        .collect();
    let most = result.points.iter().map(|point| point.pods).max();
    figures.push(("largest number of pods", human::count(most.unwrap_or(0))));
    figures
}

fn kib(bytes: f64) -> String {
    format!("{:.2} KiB", bytes / KIB)
}

fn seen<'a>(result: &'a DensityResult, role: &'a str) -> impl Iterator<Item = (f64, f64)> + 'a {
    result.points.iter().filter_map(move |point| {
        let process = point.processes.iter().find(|seen| seen.role == role)?;
        Some((point.pods as f64, process.rss_bytes as f64 / MIB))
    })
}

fn chart(result: &DensityResult, process: &PerPod) -> Markup {
    let points = || seen(result, &process.role);
    let pods = Scale::linear(points().map(|(pods, _)| pods));
    let x = Axis::new("pods alive", pods, 6, |tick| plain(tick, ""));
    let memory = Scale::linear(points().map(|(_, memory)| memory));
    let y = Axis::new("MiB", memory, 5, |tick| plain(tick, ""));
    let summary = format!("{} for each pod.", kib(process.rss_bytes));
    let mut chart = Chart::new(&process.role, summary, x, y);
    let most = points().map(|(pods, _)| pods).fold(0.0, f64::max);
    let on_line = |pods: f64| {
        let memory = (process.rss_without_pods + pods * process.rss_bytes) / MIB;
        (pods, Some(memory))
    };
    chart.line(
        Style::MUTED,
        "the line through the points",
        [on_line(0.0), on_line(most)],
    );
    for (pods, memory) in points() {
        chart.dot(Style(0), pods, Some(memory));
    }
    chart.explain(Style(0), "seen");
    chart.render()
}

fn table(result: &DensityResult) -> Markup {
    let interval = |process: &PerPod| match (process.rss_low, process.rss_high) {
        (Some(low), Some(high)) => format!("{} to {}", kib(low), kib(high)),
        _ => "–".to_owned(),
    };
    html! {
        div.wide role="region" aria-label="Cost of a pod" tabindex="0" {
            table {
                thead {
                    tr {
                        th scope="col" { "process" }
                        @for name in ["memory of a pod", "95 % interval", "memory without pods", "descriptors of a pod"] {
                            th.n scope="col" { (name) }
                        }
                    }
                }
                tbody {
                    @for process in &result.per_pod {
                        tr {
                            th scope="row" { (process.role) }
                            td.n { (kib(process.rss_bytes)) }
                            td.n { (interval(process)) }
                            td.n { (format!("{:.2} MiB", process.rss_without_pods / MIB)) }
                            td.n { (process.fds.map_or_else(|| "–".to_owned(), |fds| format!("{fds:.2}"))) }
                        }
                    }
                }
            }
        }
    }
}
