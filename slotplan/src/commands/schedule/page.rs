//! The self-contained page: a bar for each node, packed by pod.

use std::collections::BTreeMap;

use display::{human, page};
use maud::{Markup, html};
use scheduler::NodeState;

use crate::commands::workload_colours::{self, WorkloadColours};

use super::document::{Document, requests};
use super::plan::{Plan, name};
use super::text::{cores, groups, percent};

/// Largest number of nodes with a bar.
const MOST_NODES: usize = 200;
/// Width of a bar in units of the drawing.
const WIDTH: f64 = 1000.0;

const STYLE: &str = "\
.node { margin: .6rem 0; } .node h3 { margin: 0 0 .15rem; font-size: .875rem; overflow-wrap: anywhere; }
.node .why { margin: 0; font-variant-numeric: tabular-nums; }
.bar { display: block; width: 100%; height: .9rem; margin: .1rem 0; }
.bar .room { fill: var(--band); }
.refused { margin: .75rem 0; } .refused h3 { margin: 0; overflow-wrap: anywhere; } .refused p { margin: .1rem 0; }
.packed { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 0 1.5rem; }
";

/// Writes the page.
pub fn write(document: &Document, plan: &Plan<'_>) -> String {
    let pods = &document.pods;
    let count = |count: usize| human::count(count as u64);
    let (class, word) = if document.holds() {
        ("good", "✓ all fit")
    } else {
        ("bad", "✗ not all fit")
    };
    let answer = format!(
        "{} of {} waiting pods placed",
        count(pods.placed),
        count(pods.waiting)
    );
    let header = html! {
        p.what { "slotplan schedule, " (document.scheduler) }
        h1 { span.verdict.(class) { (word) } " " (answer) }
    };
    let colours = colours(plan);
    let main = html! {
        dl.headline.columns-4 {
            div { dt { "nodes" } dd { (count(document.nodes.len())) } }
            div { dt { "running before" } dd { (count(pods.running)) } }
            div { dt { "fit nowhere" } dd { (count(pods.unschedulable)) } }
            div { dt { "removed" } dd { (count(document.evictions.len())) } }
        }
        section aria-labelledby="nodes" {
            h2 id="nodes" { "Nodes" }
            p.why { "Upper bar CPU, lower bar memory; each segment is a pod's request." }
            (colours.key())
            div.packed {
                @for number in 0..document.nodes.len().min(MOST_NODES) {
                    (node(document, plan, &colours, number))
                }
            }
            @if document.nodes.len() > MOST_NODES {
                p.none { "and " (count(document.nodes.len() - MOST_NODES)) " more nodes" }
            }
        }
        (refused(document))
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
        "slotplan schedule",
        &(STYLE.to_owned() + workload_colours::STYLE),
        &header,
        &main,
    );
    page::readable(&shell.into_string())
}

fn refused(document: &Document) -> Markup {
    let groups = groups(document);
    if groups.is_empty() {
        return html! {};
    }
    html! {
        section aria-labelledby="refused" {
            h2 id="refused" { "Without a node" }
            @for (names, message) in groups.iter().take(MOST_NODES) {
                div.refused {
                    h3 { (names) }
                    p.message { (message) }
                }
            }
            @if groups.len() > MOST_NODES {
                p.none { "and " (human::count((groups.len() - MOST_NODES) as u64)) " more groups" }
            }
        }
    }
}

fn node(document: &Document, plan: &Plan<'_>, colours: &WorkloadColours, number: usize) -> Markup {
    let node = &document.nodes[number];
    let ((cpu, all_cpu), (memory, all_memory)) = (node.cpu(), node.memory());
    let summary = format!(
        "{}/{} pods, {} cores ({}), {} ({})",
        node.pods,
        node.allowed_pods,
        cores(cpu),
        percent(cpu, all_cpu),
        human::bytes(u64::try_from(memory).unwrap_or(0)),
        percent(memory, all_memory),
    );
    html! {
        div.node {
            h3 { (node.name) }
            (bar(plan, colours, number, "CPU", all_cpu, |requests| requests.0))
            (bar(plan, colours, number, "memory", all_memory, |requests| requests.1))
            p.why { (summary) }
        }
    }
}

fn bar(
    plan: &Plan<'_>,
    colours: &WorkloadColours,
    number: usize,
    of: &str,
    allocatable: i64,
    part: impl Fn((i64, i64)) -> i64,
) -> Markup {
    let mut segments: Vec<_> = plan.cluster.nodes()[number]
        .pods()
        .iter()
        .map(|on_node| {
            let pod = plan.pod(on_node.id);
            (
                colours.of(&workload(pod)),
                part(requests(plan, on_node)),
                pod,
            )
        })
        .filter(|(_, amount, _)| *amount > 0)
        .collect();
    segments.sort_by_key(|(colour, amount, _)| (*colour, -amount));
    // A node that is fuller than full keeps its segments within the bar.
    let sum = segments
        .iter()
        .fold(0_i64, |sum, (_, amount, _)| sum.saturating_add(*amount));
    let scale = WIDTH / (allocatable.max(sum).max(1) as f64);
    let mut end = 0.0;
    let placed = segments.into_iter().map(|(colour, amount, pod)| {
        let (start, width) = (end, amount as f64 * scale);
        end += width;
        (colour, start, width, pod)
    });
    html! {
        svg.bar viewBox="0 0 1000 10" preserveAspectRatio="none" role="img"
            aria-label={ (of) ": " (percent(sum, allocatable)) " requested" } {
            rect.room x="0" y="0" width="1000" height="10" {}
            @for (colour, start, width, pod) in placed {
                rect class={ "seg c" (colour) } x=(format!("{start:.2}")) y="0"
                    width=(format!("{width:.2}")) height="10" {
                    title { (name(pod)) }
                }
            }
        }
    }
}

/// Returns the colours of the workloads that request the most CPU.
fn colours(plan: &Plan<'_>) -> WorkloadColours {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for on_node in plan.cluster.nodes().iter().flat_map(NodeState::pods) {
        let sum = sums.entry(workload(plan.pod(on_node.id))).or_insert(0);
        *sum = sum.saturating_add(requests(plan, on_node).0.max(1));
    }
    WorkloadColours::new(sums)
}

fn workload(pod: &inventory::Pod) -> String {
    match &pod.owner {
        Some(owner) => format!("{}/{}", pod.namespace, owner.name),
        None => name(pod),
    }
}
