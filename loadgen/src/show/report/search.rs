//! The page of a search: the curve of latency over rate, and its knee.

use maud::{Markup, html};

use super::how::How;
use super::page::{self, Opening, figures};
use crate::result::OperationResult;
use crate::result::search::{Point, SearchResult, best};
use display::human;
use display::page::shell;
use display::scale::Scale;
use display::svg::{Axis, Chart, Style, plain, time};

/// Renders the page.
pub fn page(result: &SearchResult) -> Markup {
    let main = html! {
        (figures(&headline(result)))
        section aria-labelledby="curve" {
            h2 id="curve" { "Latency over rate" }
            div.charts { (latencies(result)) (rates(result)) }
        }
        section aria-labelledby="rates" {
            h2 id="rates" { "Rates" }
            (table(result))
        }
        (How::from(result).section(None))
    };
    let title = format!("Search for {}, {}", slo(result), result.header.started_at);
    shell(&title, "", &header(result), &main)
}

fn slo(result: &SearchResult) -> String {
    result.slo.join(" and ")
}

fn header(result: &SearchResult) -> Markup {
    let opening = Opening {
        valid: result.valid,
        reasons: &result.reasons,
        target: &result.scenario.target,
        started_at: &result.header.started_at,
    };
    page::header("search", &opening, &answer(result))
}

fn answer(result: &SearchResult) -> String {
    result.conclude().headline()
}

fn headline(result: &SearchResult) -> Vec<(&'static str, String)> {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "–".to_owned(), human::rate);
    let conclusion = result.conclude();
    let runs = result.points.iter().filter(|point| point.runs == 1);
    vec![
        ("highest rate that met it", rate(conclusion.met)),
        ("lowest rate that missed it", rate(conclusion.missed)),
        ("knee", rate(result.knee)),
        ("runs", runs.count().to_string()),
    ]
}

type Latency = fn(&OperationResult) -> u64;

/// Shown percentiles, and their names.
const PERCENTILES: [(&str, Latency); 3] = [
    ("p50", |pod| pod.p50_ns),
    ("p99", |pod| pod.p99_ns),
    ("largest", |pod| pod.max_ns),
];

fn offered(result: &SearchResult) -> Axis {
    let rates = Scale::linear(result.points.iter().map(|point| point.rate));
    Axis::new("pods offered per second", rates, 6, |tick| plain(tick, ""))
}

fn latencies(result: &SearchResult) -> Markup {
    let best = best(&result.points);
    let pods = || best.iter().filter_map(|point| point.pod.as_ref());
    let values = pods().flat_map(|pod| PERCENTILES.map(|(_, of)| of(pod) as f64));
    let y = Axis::new("latency of a pod", Scale::log(values), 8, time);
    let summary = format!("{}.", answer(result));
    let mut chart = Chart::new("Latency by offered rate", summary, offered(result), y);
    for (number, (name, of)) in PERCENTILES.into_iter().enumerate() {
        let latency = |point: &&Point| point.pod.as_ref().map(|pod| of(pod) as f64);
        for point in &best {
            chart.dot(Style(number), point.rate, latency(point));
        }
        let points = best.iter().map(|point| (point.rate, latency(point)));
        chart.line(Style(number), name, points);
    }
    let met = best.iter().rfind(|point| point.met);
    if let Some((rate, pod)) = met.and_then(|point| Some((point.rate, point.pod.as_ref()?))) {
        chart.mark(Style(1), rate, pod.p99_ns as f64, &human::rate(rate));
    }
    chart.render()
}

fn rates(result: &SearchResult) -> Markup {
    let best = best(&result.points);
    let most = best.iter().flat_map(|point| [point.rate, point.pods_per_s]);
    let y = Axis::new("pods ended per second", Scale::linear(most), 5, |tick| {
        plain(tick, "")
    });
    let most = best
        .iter()
        .map(|point| point.pods_per_s)
        .fold(0.0, f64::max);
    let summary = format!("The maximum is {}.", human::rate(most));
    let mut chart = Chart::new("Throughput by offered rate", summary, offered(result), y);
    for point in &best {
        chart.dot(Style(0), point.rate, Some(point.pods_per_s));
    }
    let ended = best
        .iter()
        .map(|point| (point.rate, Some(point.pods_per_s)));
    chart.line(Style(0), "ended", ended);
    let ideal = best.iter().map(|point| (point.rate, Some(point.rate)));
    chart.line(Style::MUTED, "offered", ideal);
    chart.render()
}

/// Columns of the table with the latencies of the pods at each rate.
const COLUMNS: [Latency; 4] = [
    |pod| pod.p50_ns,
    |pod| pod.p90_ns,
    |pod| pod.p99_ns,
    |pod| pod.max_ns,
];

fn table(result: &SearchResult) -> Markup {
    let time = |ns: Option<u64>| ns.map_or_else(|| "–".to_owned(), human::nanoseconds);
    html! {
        div.wide role="region" aria-label="Rates" tabindex="0" {
            table {
                thead {
                    tr {
                        @for name in ["offered", "started", "ended", "p50", "p90", "p99", "largest", "lag of starts, p99"] {
                            th.n scope="col" { (name) }
                        }
                        th scope="col" { "verdict" }
                    }
                }
                tbody {
                    @for point in &result.points {
                        tr {
                            td.n { (human::rate(point.rate)) }
                            td.n { (human::rate(point.load.started_pods_per_s.unwrap_or_default())) }
                            td.n { (human::rate(point.pods_per_s)) }
                            @for of in COLUMNS {
                                td.n { (time(point.pod.as_ref().map(of))) }
                            }
                            td.n { (time(point.load.lag.map(|lag| lag.p99_ns))) }
                            td { (point.verdict()) }
                        }
                    }
                }
            }
        }
        @for sentence in result.conclude().sentences() { p { (sentence) "." } }
        p.why {
            "In the charts, each rate's best run with a known outcome. late: without the lag of the \
             generator the thresholds might have been met. too few pods: the confidence interval \
             of a percentile contains its threshold."
        }
    }
}
