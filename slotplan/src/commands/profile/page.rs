//! The page: sums, the back-test, and the usage of each container over time.

use display::page::{readable, shell};
use display::scale::Scale;
use display::svg::{Axis, Chart, Style, plain};
use inventory::{Sample, Timestamp};
use maud::{Markup, html};
use rightsizing::Amount;

use super::plan::{Plan, Row};
use super::tables;

/// Containers with charts; a page with more would take long to show.
const CHARTS: usize = 40;
/// Points of a line.
const POINTS: usize = 160;

/// Lets the names of containers wrap, so that a narrow window has room for the amounts.
const STYLE: &str =
    "#requests + .wide tbody th { white-space: normal; overflow-wrap: anywhere; min-width: 8rem; }";

/// Renders the page.
pub(super) fn page(plan: &Plan) -> String {
    let shown = shown(plan);
    let header = html! {
        p.what { "slotplan profile, " (tables::times(plan)) }
        h1 { (tables::title(plan)) }
    };
    let main = html! {
        section aria-labelledby="sums" {
            h2 id="sums" { "Requested by all pods, now and by " (plan.strategy) }
            (table("requested by all pods", &tables::sums(plan)))
        }
        section aria-labelledby="requests" {
            h2 id="requests" { "Usage and requests" }
            (table("usage and requests", &tables::overview(plan)))
        }
        section aria-labelledby="test" {
            h2 id="test" { "Back-test" }
            p.why { (tables::back_test_title(plan)) }
            @if plan.back_test.steps > 0 {
                (table("back-test", &tables::back_test(plan)))
            }
        }
        section aria-labelledby="time" {
            h2 id="time" { "Usage over time" }
            @if shown.len() < plan.rows.len() {
                p.why {
                    "The " (shown.len()) " containers with the largest requests, of "
                    (plan.rows.len()) "."
                }
            }
            @for row in &shown {
                h3 { (tables::heading(plan, row)) }
                div.charts { (charts(plan, row)) }
            }
        }
        @let notes = tables::notes(plan);
        @if !notes.is_empty() {
            section aria-labelledby="notes" {
                h2 id="notes" { "Notes" }
                ul.notes { @for note in &notes { li { (note) } } }
            }
        }
    };
    readable(&shell("slotplan profile", STYLE, &header, &main).into_string())
}

fn table<const COLUMNS: usize>(name: &str, rows: &[[String; COLUMNS]]) -> Markup {
    html! {
        div.wide role="region" aria-label=(name) tabindex="0" {
            table {
                @for (place, row) in rows.iter().enumerate() {
                    @if place == 0 {
                        thead { tr { @for (column, cell) in row.iter().enumerate() {
                            th scope="col" class=[(column > 0).then_some("n")] { (cell) }
                        } } }
                    }
                }
                tbody {
                    @for row in rows.iter().skip(1) {
                        tr { @for (column, cell) in row.iter().enumerate() {
                            @if column == 0 { th scope="row" { (cell) } }
                            @else { td.n { (cell) } }
                        } }
                    }
                }
            }
        }
    }
}

/// Returns the containers with usage whose pods request most, in the order of the plan.
fn shown(plan: &Plan) -> Vec<&Row> {
    let has_usage = |row: &&Row| !plan.container(row).pods.is_empty();
    let mut rows: Vec<_> = plan.rows.iter().filter(has_usage).enumerate().collect();
    let requested = |row: &Row| {
        let today = plan.container(row).today;
        let of_memory = i128::from(today.memory.request.unwrap_or(0)) >> 22;
        let of_cpu = i128::from(today.cpu.request.unwrap_or(0));
        (of_cpu + of_memory) * i128::from(plan.workload(row).replicas)
    };
    rows.sort_by_key(|(place, row)| (std::cmp::Reverse(requested(row)), *place));
    rows.truncate(CHARTS);
    rows.sort_by_key(|(place, _)| *place);
    rows.into_iter().map(|(_, row)| row).collect()
}

fn charts(plan: &Plan, row: &Row) -> Markup {
    let (container, profile) = (plan.container(row), &row.profile);
    let used = profile.cpu_nanocores.map(|usage| usage.max / 1_000_000);
    let today = container.today.cpu;
    let levels = [used, today.request, today.limit, row.new.cpu.request];
    // Small amounts are readable in millicores.
    let is_small = levels
        .into_iter()
        .flatten()
        .all(|millicores| millicores < 1_000);
    let (unit, unit_size) = if is_small {
        ("millicores", 1.0)
    } else {
        ("cores", 1e3)
    };
    let cpu = Figure {
        caption: "CPU",
        unit,
        unit_size,
        today,
        vpa: profile.vpa_cpu.map(|bounds| bounds.target),
        new: row.new.cpu.request,
        usage: largest(
            plan,
            &container.pods,
            |sample| sample.cpu_nanocores,
            unit_size * 1e6,
        ),
    };
    let memory = Figure {
        caption: "Memory",
        unit: "MiB",
        unit_size: 1_048_576.0,
        today: container.today.memory,
        vpa: profile.vpa_memory.map(|bounds| bounds.target),
        new: row.new.memory.request,
        usage: largest(
            plan,
            &container.pods,
            |sample| sample.memory_bytes,
            1_048_576.0,
        ),
    };
    html! { (cpu.render()) (memory.render()) }
}

struct Figure {
    caption: &'static str,
    unit: &'static str,
    /// Requests per unit of the axis.
    unit_size: f64,
    today: Amount,
    vpa: Option<i64>,
    new: Option<i64>,
    /// Hours since the beginning, and the largest usage in units of the axis.
    usage: Vec<(f64, Option<f64>)>,
}

impl Figure {
    fn render(self) -> Markup {
        let in_units = |amount: i64| amount as f64 / self.unit_size;
        let levels = [
            (Style::MUTED, "request", self.today.request),
            (Style::BAD, "limit", self.today.limit),
            (
                Style(2),
                "VPA's target",
                self.vpa.filter(|vpa| self.new != Some(*vpa)),
            ),
            (Style(3), "new request", self.new),
        ];
        let of_levels = levels
            .iter()
            .filter_map(|(_, _, level)| level.map(in_units));
        let used = self.usage.iter().filter_map(|(_, used)| *used);
        let end = self.usage.last().map_or(1.0, |(hours, _)| hours.max(1e-3));
        let y = Scale::linear(used.clone().chain(of_levels));
        let most = used.fold(0.0, f64::max);
        let summary = format!("Usage is at most {}.", plain(most, self.unit));
        let name = format!("{}, largest of the pods", self.unit);
        let mut chart = Chart::new(
            self.caption,
            summary,
            Axis::new("hours", Scale::Linear(end), 6, |tick| plain(tick, "")),
            Axis::new(&name, y, 5, |tick| plain(tick, "")),
        );
        for (style, name, level) in levels {
            if let Some(level) = level.map(in_units) {
                chart.line(style, name, [(0.0, Some(level)), (end, Some(level))]);
            }
        }
        chart.line(Style(0), "usage", self.usage);
        chart.render()
    }
}

/// Returns the largest amount of all pods in each part of the time, with the hours since the
/// beginning.
fn largest(
    plan: &Plan,
    pods: &[Vec<Sample>],
    amount: fn(&Sample) -> Option<i64>,
    unit: f64,
) -> Vec<(f64, Option<f64>)> {
    let Timestamp(first) = plan.span.first;
    let nanos = plan.span.nanos().max(1);
    let mut parts = vec![None; POINTS];
    for sample in pods.iter().flatten() {
        let since = i128::from(sample.time.0.saturating_sub(first).max(0));
        let part = since * (POINTS as i128 - 1) / i128::from(nanos);
        let part = usize::try_from(part).unwrap_or(0).min(POINTS - 1);
        parts[part] = parts[part].max(amount(sample));
    }
    let hours = nanos as f64 / 3.6e12 / (POINTS as f64 - 1.0);
    parts
        .into_iter()
        .enumerate()
        .map(|(part, amount)| {
            (
                part as f64 * hours,
                amount.map(|amount| amount as f64 / unit),
            )
        })
        .collect()
}
