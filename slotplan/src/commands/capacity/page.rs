//! The self-contained page: a bar for each node, packed by pod, and a heat map over time.

use std::collections::BTreeMap;

use display::{human, page};
use maud::{Markup, html};
use scheduler::{NodeState, ResourceIndex};

use crate::commands::workload_colours::{self, WorkloadColours};

use super::document::{Document, OverTime, Shape};
use super::plan::{Placed, Planned, Planner, Plans};
use super::text::{facts, headline, mixture_lines, rows, savings};

/// Largest number of nodes with a bar.
const MOST_NODES: usize = 200;

pub(in crate::commands) const STYLE: &str = "\
.node { margin: .6rem 0; } .node h4 { margin: 0 0 .15rem; font-size: .8125rem; font-weight: 500; overflow-wrap: anywhere; }
.bar { display: block; width: 100%; height: .8rem; margin: .1rem 0; }
.bar .room { fill: var(--band); }
.packed { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr)); gap: 0 1.5rem; }
.cells { display: block; width: 100%; height: 1.2rem; } .cells .empty { fill: var(--band); }
h1, h2, h3, .headline dd { overflow-wrap: anywhere; } .headline dd { font-size: 1rem; white-space: normal; }
.headline.facts { grid-template-columns: repeat(auto-fill, minmax(min(100%, 14rem), 1fr)); }
.message { overflow-wrap: anywhere; margin: .2rem 0; }
";

/// Writes the page.
pub fn page(document: &Document, planner: &Planner<'_>, plans: &Plans<'_>) -> String {
    let (class, word) = if document.holds {
        ("good", "✓ fits")
    } else {
        ("bad", "✗ does not fit")
    };
    let header = html! {
        p.what { "slotplan capacity, " (document.scheduler) }
        h1 { span.verdict.(class) { (word) } " " (headline(document)) }
    };
    let main = html! {
        @for (shape, planned) in document.shapes.iter().zip(&plans.shapes) {
            (section(planner, shape, planned))
        }
        @if let Some(mixture) = &document.mixture {
            section aria-labelledby="mixed" {
                h2 id="mixed" { "Several shapes" }
                @for line in mixture_lines(mixture) { p { (line) } }
            }
        }
        @if !document.header.assumptions.is_empty() {
            section aria-labelledby="assumed" {
                h2 id="assumed" { "Assumed" }
                ul.notes {
                    @for assumption in &document.header.assumptions { li { (assumption) } }
                }
            }
        }
    };
    let shell = page::shell(
        "slotplan capacity",
        &(STYLE.to_owned() + workload_colours::STYLE),
        &header,
        &main,
    );
    page::readable(&shell.into_string())
}

fn section(planner: &Planner<'_>, shape: &Shape, planned: &Planned<'_>) -> Markup {
    let rows = rows(shape);
    html! {
        section {
            h2 { (shape.name) }
            div.wide tabindex="0" {
                table {
                    @for (place, row) in rows.iter().enumerate() {
                        @if place == 0 {
                            thead { tr { @for cell in row { th scope="col" { (cell) } } } }
                        }
                    }
                    tbody {
                        @for row in rows.iter().skip(1) {
                            tr {
                                @for (place, cell) in row.iter().enumerate() {
                                    @if place == 0 { th scope="row" { (cell) } }
                                    @else { td { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
            @let savings = savings(shape);
            @if !savings.is_empty() {
                h3 { "To save nodes" }
                ul { @for saving in savings { li { (saving) } } }
            }
            @let facts = facts(shape);
            @if !facts.is_empty() {
                dl.headline.facts {
                    @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
                }
            }
            @if !shape.nowhere.is_empty() {
                h3 { "Fit on no node" }
                @for nowhere in shape.nowhere.iter().take(MOST_NODES) {
                    p.message { b { (nowhere.pod) } ": " (nowhere.message) }
                }
            }
            @if let Some(time) = shape.placed.as_ref().and_then(|placed| placed.over_time.as_ref()) {
                (heat_map(time))
            }
            @if let Some(placed) = &planned.placed {
                (nodes(planner, planned, placed))
            }
        }
    }
}

/// Row of a heat map: its name, its values from 0 to 1, and these as they are shown.
type Part<'a> = (
    &'a str,
    &'a dyn Fn(usize) -> f64,
    &'a dyn Fn(usize) -> String,
);

/// Draws rows of cells over time: the darker, the higher.
pub(in crate::commands) fn heat_map(time: &OverTime) -> Markup {
    let most = |of: &dyn Fn(usize) -> f64| (0..time.intervals.len()).map(of).fold(0.0, f64::max);
    let in_use = |at: usize| time.intervals[at].nodes_in_use as f64;
    let waiting = |at: usize| time.intervals[at].waiting as f64;
    let (most_in_use, most_waiting) = (most(&in_use).max(1.0), most(&waiting).max(1.0));
    let cpu = |at: usize| time.intervals[at].requested_share.cpu;
    let memory = |at: usize| time.intervals[at].requested_share.memory;
    let lost = |at: usize| time.intervals[at].fragmented_share.cpu;
    let shares_in_use = |at: usize| in_use(at) / most_in_use;
    let shares_waiting = |at: usize| waiting(at) / most_waiting;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let parts: [Part<'_>; 5] = [
        ("CPU requested", &cpu, &|at| percent(cpu(at))),
        ("memory requested", &memory, &|at| percent(memory(at))),
        ("nodes in use", &shares_in_use, &|at| in_use(at).to_string()),
        ("pods that wait", &shares_waiting, &|at| {
            waiting(at).to_string()
        }),
        ("free CPU that no pod can use", &lost, &|at| {
            percent(lost(at))
        }),
    ];
    let width = 1000.0 / time.intervals.len().max(1) as f64;
    html! {
        h3 { "Over time" }
        p.why { (time.start) " to " (time.end) ", " (time.intervals.len()) " intervals; the stronger the colour, the higher." }
        @for (name, part, shown) in parts {
            figure {
                figcaption { (name) }
                svg.cells viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"
                    aria-label={ (name) ", by interval" } {
                    @for at in 0..time.intervals.len() {
                        rect.empty x=(number(at as f64 * width)) y="0" width=(number(width)) height="10" {}
                        rect.heat x=(number(at as f64 * width)) y="0" width=(number(width)) height="10"
                            fill-opacity=(format!("{:.2}", part(at).clamp(0.0, 1.0))) {
                            title { (time.intervals[at].start) ": " (shown(at)) }
                        }
                    }
                }
            }
        }
    }
}

fn nodes(planner: &Planner<'_>, planned: &Planned<'_>, placed: &Placed) -> Markup {
    let pods = Pods::new(planner, planned, placed);
    let nodes = placed.engine.cluster().nodes();
    html! {
        h3 { "Nodes" }
        p.why { "Upper bar CPU, lower bar memory; each segment is a pod's request." }
        (pods.colours.key())
        div.packed {
            @for node in nodes.iter().take(MOST_NODES) {
                div.node {
                    h4 { (node.node().name) ", " (human::count(node.pods().len() as u64)) " pods" }
                    (bar(&pods, node, "CPU", ResourceIndex::CPU))
                    (bar(&pods, node, "memory", ResourceIndex::MEMORY))
                }
            }
        }
        @if nodes.len() > MOST_NODES {
            p.none { "and " (human::count((nodes.len() - MOST_NODES) as u64)) " more nodes" }
        }
    }
}

fn bar(pods: &Pods<'_>, node: &NodeState, of: &str, resource: ResourceIndex) -> Markup {
    let cluster = pods.placed.engine.cluster();
    let mut segments: Vec<_> = node
        .pods()
        .iter()
        .map(|pod| {
            let class = cluster.class_of(pod.class);
            let requests = class.requests().iter();
            let amount = requests
                .filter(|(of_class, _)| *of_class == resource)
                .map(|(_, amount)| *amount)
                .sum::<i64>();
            (pods.colour(pod.id.0), amount, pods.name(pod.id.0))
        })
        .filter(|(_, amount, _)| *amount > 0)
        .collect();
    segments.sort_by_key(|(colour, amount, _)| (*colour, -amount));
    let sum = segments
        .iter()
        .fold(0_i64, |sum, (_, amount, _)| sum.saturating_add(*amount));
    let allocatable = node.allocatable(resource);
    // A node that is fuller than full keeps its segments within the bar.
    let scale = 1000.0 / allocatable.max(sum).max(1) as f64;
    let share = sum as f64 * 100.0 / allocatable.max(1) as f64;
    let mut end = 0.0;
    let drawn: Vec<_> = segments
        .into_iter()
        .map(|(colour, amount, name)| {
            let (start, width) = (end, amount as f64 * scale);
            end += width;
            (colour, start, width, name)
        })
        .collect();
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"
            aria-label={ (of) ": " (format!("{share:.0} %")) " requested" } {
            rect.room x="0" y="0" width="1000" height="10" {}
            @for (colour, start, width, name) in drawn {
                rect class={ "seg c" (colour) } x=(number(start)) y="0" width=(number(width)) height="10" {
                    title { (name) }
                }
            }
        }
    }
}

fn number(value: f64) -> String {
    format!("{value:.2}")
}

/// Names and colours of the pods on planned nodes. The workloads with the most pods have a colour
/// of their own.
struct Pods<'a> {
    planner: &'a Planner<'a>,
    planned: &'a Planned<'a>,
    placed: &'a Placed,
    colours: WorkloadColours,
}

impl<'a> Pods<'a> {
    fn new(planner: &'a Planner<'_>, planned: &'a Planned<'_>, placed: &'a Placed) -> Self {
        let mut pods = Self {
            planner,
            planned,
            placed,
            colours: WorkloadColours::default(),
        };
        let mut counts: BTreeMap<String, i64> = BTreeMap::new();
        let nodes = placed.engine.cluster().nodes();
        for pod in nodes.iter().flat_map(NodeState::pods) {
            *counts.entry(pods.workload(pod.id.0)).or_default() += 1;
        }
        pods.colours = WorkloadColours::new(counts);
        pods
    }

    fn pod(&self, number: u32) -> Option<&inventory::Pod> {
        if number >= capacity::FIRST_DAEMON {
            return None;
        }
        if number >= capacity::FIRST_PRESENT {
            let place = (number - capacity::FIRST_PRESENT) as usize;
            return self.planner.inventory.pods.get(place);
        }
        let item = self.planned.load.items.get(number as usize)?;
        self.planner.pods.get(item.pod)
    }

    fn name(&self, number: u32) -> String {
        match self.pod(number) {
            Some(pod) => format!("{}/{}", pod.namespace, pod.name),
            None => DAEMONS.to_owned(),
        }
    }

    fn workload(&self, number: u32) -> String {
        match self.pod(number) {
            Some(pod) => super::present::workload(pod).to_string(),
            None => DAEMONS.to_owned(),
        }
    }

    fn colour(&self, number: u32) -> usize {
        self.colours.of(&self.workload(number))
    }
}

/// Name of the pods that every node runs.
const DAEMONS: &str = "DaemonSets";
