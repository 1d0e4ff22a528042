//! Charts latency and rates over time.

use maud::{Markup, html};

use super::latencies::{Latencies, seconds_per_column};
use crate::record::operation::Operation;
use crate::result::{Interval, LoadMode, OperationResult, RunResult};
use display::human;
use display::scale::Scale;
use display::svg::{Axis, Chart, Style, plain, time};

/// Returns the end of a run, in seconds from the beginning of the load.
pub fn end_s(result: &RunResult) -> f64 {
    let last = result.timeline.last();
    let end = last.map_or(0.0, |last| last.start_s + last.duration_s);
    let end = end.max(result.wall_s);
    if end.is_finite() { end } else { 0.0 }
}

/// Shades the periods that are not measured.
pub fn shade_warm_up(chart: &mut Chart, result: &RunResult) {
    for phase in result.phases.iter().filter(|phase| !phase.measured) {
        let end = phase.start_s + phase.duration_s;
        chart.band(phase.start_s, end, "warm-up");
    }
    // A closed loop has no phases; its warm-up is the time before the measured time.
    let warm_up = end_s(result) - result.wall_s;
    if result.load.mode == LoadMode::Closed && !result.timeline.is_empty() && warm_up > 0.05 {
        chart.band(0.0, warm_up, "warm-up");
    }
}

/// Draws the latencies of one operation over time.
pub fn latency(result: &RunResult, latencies: &Latencies, operation: Operation) -> Markup {
    type Figure = fn(&OperationResult) -> u64;
    let lines: [(&str, Style, Figure); 3] = [
        ("max", Style(2), |figures| figures.max_ns),
        ("p99", Style(1), |figures| figures.p99_ns),
        ("p50", Style(0), |figures| figures.p50_ns),
    ];
    let of = |figure: Figure| {
        let columns = latencies.columns.iter();
        columns.map(move |column| {
            let figures = column.operations.get(&operation);
            let middle = column.start_s + latencies.column_s / 2.0;
            (middle, figures.map(|figures| figure(figures) as f64))
        })
    };
    let all = lines.iter().flat_map(|(_, _, figure)| of(*figure));
    let scale = Scale::log(all.filter_map(|(_, value)| value));
    let y = Axis::new("latency", scale, 8, time);
    let caption = format!("Latency over time, {}", per_column(latencies.column_s));
    let worst = of(|figures| figures.max_ns).filter_map(|(at, value)| Some((at, value?)));
    let summary = worst.max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or_else(
        || "Nothing was measured.".to_owned(),
        |(at, _)| format!("The largest was measured {at:.0} s after the beginning."),
    );
    let mut chart = Chart::new(&caption, summary, Axis::time(end_s(result)), y);
    shade_warm_up(&mut chart, result);
    for (name, style, figure) in lines {
        chart.line(style, name, gaps(of(figure).collect(), latencies.column_s));
    }
    chart.render()
}

/// Adds an interruption for each missing period.
fn gaps(points: Vec<(f64, Option<f64>)>, column_s: f64) -> Vec<(f64, Option<f64>)> {
    let mut spaced = Vec::with_capacity(points.len());
    for (x, y) in points {
        match spaced.last() {
            Some((before, _)) if x - before > column_s * 1.5 => spaced.push((x, None)),
            _ => {}
        }
        spaced.push((x, y));
    }
    spaced
}

/// Formats the length of a period: `each second`, or `each 5 s`.
pub fn per_column(column_s: f64) -> String {
    if column_s <= 1.0 {
        "each second".to_owned()
    } else {
        format!("each {column_s} s")
    }
}

/// Several intervals in sum.
struct Stretch {
    middle_s: f64,
    duration_s: f64,
    begun: u64,
    pods: u64,
    rpcs: u64,
    errors: u64,
    in_flight: u64,
}

impl Stretch {
    fn of(intervals: &[Interval]) -> Option<Self> {
        let (first, last) = (intervals.first()?, intervals.last()?);
        let sum = |of: fn(&Interval) -> u64| {
            intervals
                .iter()
                .map(of)
                .fold(0, |sum: u64, number| sum.saturating_add(number))
        };
        let end = last.start_s + last.duration_s;
        Some(Self {
            middle_s: f64::midpoint(first.start_s, end),
            duration_s: end - first.start_s,
            begun: sum(|interval| interval.begun),
            pods: sum(|interval| interval.pods),
            rpcs: sum(|interval| interval.rpcs),
            errors: sum(|interval| interval.errors),
            in_flight: intervals.iter().map(|interval| interval.in_flight).max()?,
        })
    }

    /// Returns a rate; `None` for a last period that is much shorter than a second.
    fn rate(&self, number: u64) -> Option<f64> {
        (self.duration_s >= 0.2).then(|| number as f64 / self.duration_s)
    }
}

fn stretches(result: &RunResult) -> Vec<Stretch> {
    let group = seconds_per_column(end_s(result));
    let number = |interval: &Interval| (interval.start_s / group).floor().to_bits();
    result
        .timeline
        .chunk_by(|a, b| number(a) == number(b))
        .filter_map(Stretch::of)
        .collect()
}

/// Returns the offered rate over time: a step for each phase.
fn offered(result: &RunResult) -> Vec<(f64, Option<f64>)> {
    let of = |phase: &crate::result::PhaseResult| {
        let rate = phase.offered as f64 / phase.duration_s;
        let end = phase.start_s + phase.duration_s;
        [(phase.start_s, Some(rate)), (end, Some(rate))]
    };
    result.phases.iter().flat_map(of).collect()
}

/// Draws the rates of pods over time, and the numbers of pods in progress.
pub fn rates(result: &RunResult) -> Markup {
    let stretches = stretches(result);
    if stretches.is_empty() {
        return html! { p.none { "The result has no timeline." } };
    }
    html! {
        (pods(result, &stretches))
        (under_way(result, &stretches))
        (rpcs(result, &stretches))
    }
}

fn pods(result: &RunResult, stretches: &[Stretch]) -> Markup {
    let of = |count: fn(&Stretch) -> u64| -> Vec<_> {
        let rate = |stretch: &Stretch| (stretch.middle_s, stretch.rate(count(stretch)));
        stretches.iter().map(rate).collect()
    };
    let offered = offered(result);
    let started = of(|stretch| stretch.begun);
    let completed = of(|stretch| stretch.pods);
    let errors = of(|stretch| stretch.errors);
    let all = [&offered, &started, &completed, &errors]
        .into_iter()
        .flatten();
    let scale = Scale::linear(all.filter_map(|(_, rate)| *rate));
    let y = Axis::new("per second", scale, 5, |tick| plain(tick, ""));
    let summary = format!(
        "{} pods completed, {} errors.",
        human::count(result.totals.pods),
        human::count(result.totals.errors)
    );
    let mut chart = Chart::new(
        "Pods and errors per second",
        summary,
        Axis::time(end_s(result)),
        y,
    );
    shade_warm_up(&mut chart, result);
    if !offered.is_empty() {
        chart.line(Style::MUTED, "offered", offered);
    }
    chart.line(Style(0), "started", started);
    chart.line(Style(2), "completed", completed);
    chart.line(Style::BAD, "errors", errors);
    chart.render()
}

fn under_way(result: &RunResult, stretches: &[Stretch]) -> Markup {
    let points = stretches.iter();
    let points = points.map(|stretch| (stretch.middle_s, Some(stretch.in_flight as f64)));
    let scale = Scale::linear(points.clone().filter_map(|(_, number)| number));
    let y = Axis::new("pods", scale, 5, |tick| plain(tick, ""));
    let most = human::count(result.load.max_in_flight);
    let summary = format!("At most {most} at once.");
    let mut chart = Chart::new("Pods in progress", summary, Axis::time(end_s(result)), y);
    shade_warm_up(&mut chart, result);
    chart.line(Style(0), "in progress at the end of each second", points);
    chart.render()
}

fn rpcs(result: &RunResult, stretches: &[Stretch]) -> Markup {
    let points = stretches.iter();
    let points = points.map(|stretch| (stretch.middle_s, stretch.rate(stretch.rpcs)));
    let scale = Scale::linear(points.clone().filter_map(|(_, rate)| rate));
    let y = Axis::new("per second", scale, 5, |tick| plain(tick, ""));
    let summary = format!("{} in all.", human::count(result.totals.rpcs));
    let mut chart = Chart::new("RPCs per second", summary, Axis::time(end_s(result)), y);
    shade_warm_up(&mut chart, result);
    chart.line(Style(0), "successful", points);
    chart.render()
}
