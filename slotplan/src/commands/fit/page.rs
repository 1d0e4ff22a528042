//! The self-contained page: the room of each node, filled by further pods, and the reasons of nodes
//! that take none.

use display::bars::{self, Bar, Colour, Part};
use display::{human, page};
use maud::{Markup, html};
use scheduler::{Cluster, NodeState, ResourceIndex};

use super::document::{Document, OnNode};
use super::nodes::Nodes;

/// Largest number of nodes with bars.
const MOST_NODES: usize = 200;
/// Largest number of nodes that are named for one reason.
const NAMED: usize = 12;

/// Colours of the requests before and of those of further pods.
const BEFORE: Colour = Colour::MUTED;
const FURTHER: Colour = Colour(0);

const STYLE: &str = "\
.packed { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: .25rem 1.5rem; }
.node h3 { margin: .5rem 0 .1rem; font-size: .875rem; overflow-wrap: anywhere; } .node h3 b { float: right; padding-left: .5rem; }
.node svg { display: block; width: 100%; height: .8rem; margin: .1rem 0; } .node .why { margin: 0; font-variant-numeric: tabular-nums; }
.track { fill: var(--band); }
";

/// Writes the page. `cluster` has the further pods on its nodes.
pub(super) fn write(document: &Document, before: &Nodes, cluster: &Cluster) -> String {
    let (class, word) = if document.replicas > 0 {
        ("good", "✓ fits")
    } else {
        ("bad", "✗ does not fit")
    };
    let header = html! {
        p.what { "slotplan fit, " (document.scheduler) }
        h1 {
            span.verdict.(class) { (word) } " "
            (human::count(document.replicas)) " more pods like " (document.pod)
        }
        @if let Some(stop) = &document.stop { p.message { (stop) } }
    };
    let refusing: usize = before.refusals.values().map(Vec::len).sum();
    let taking = document.nodes.iter().filter(|node| node.replicas > 0);
    let most = document.nodes.iter().map(|node| node.replicas).max();
    let main = html! {
        dl.headline.columns-4 {
            div { dt { "nodes" } dd { (count(document.nodes.len())) } }
            div { dt { "take further pods" } dd { (count(taking.count())) } }
            div { dt { "refuse from the start" } dd { (count(refusing)) } }
            div { dt { "most on one node" } dd { (human::count(most.unwrap_or(0))) } }
        }
        @if !document.nodes.is_empty() { (nodes(document, before, cluster)) }
        (refusals(document, before))
        @if !document.header.assumptions.is_empty() {
            section aria-labelledby="assumed" {
                h2 id="assumed" { "Assumed" }
                ul.notes {
                    @for assumption in &document.header.assumptions { li { (assumption) } }
                }
            }
        }
    };
    let style = bars::STYLE.to_owned() + STYLE;
    let shell = page::shell("slotplan fit", &style, &header, &main);
    page::readable(&shell.into_string())
}

/// Draws the nodes with the most further pods.
fn nodes(document: &Document, before: &Nodes, cluster: &Cluster) -> Markup {
    let all = document.nodes.iter().zip(&before.requested);
    let mut all: Vec<_> = all.zip(cluster.nodes()).collect();
    all.sort_by_key(|((node, _), _)| std::cmp::Reverse(node.replicas));
    html! {
        section aria-labelledby="nodes" {
            h2 id="nodes" { "Room of the nodes" }
            p.why { "Upper bar CPU, lower bar memory, each as long as the node has for pods." }
            (bars::key(&[(BEFORE, "requested before"), (FURTHER, "further pods")]))
            div.packed {
                @for ((node, requested), state) in all.iter().take(MOST_NODES) {
                    (of_node(node, **requested, state))
                }
            }
            @if all.len() > MOST_NODES {
                p.none { "and " (count(all.len() - MOST_NODES)) " more nodes" }
            }
        }
    }
}

fn of_node(node: &OnNode, before: (i64, i64, usize), state: &NodeState) -> Markup {
    let (cpu, memory) = (ResourceIndex::CPU, ResourceIndex::MEMORY);
    let left = |resource| {
        let left = state
            .allocatable(resource)
            .saturating_sub(state.requested(resource));
        u64::try_from(left).unwrap_or(0)
    };
    let summary = format!(
        "{} of {} pods; {} cores and {} are left",
        state.pods().len(),
        state.allowed_pods(),
        left(cpu) as f64 / 1000.0,
        human::bytes(left(memory)),
    );
    html! {
        div.node {
            h3 { (node.node) b { "+" (human::count(node.replicas)) } }
            (track("CPU", before.0, state, cpu))
            (track("memory", before.1, state, memory))
            p.why { (summary) }
        }
    }
}

fn track(name: &str, before: i64, state: &NodeState, resource: ResourceIndex) -> Markup {
    let further = state.requested(resource).saturating_sub(before);
    let allocatable = state.allocatable(resource) as f64;
    let percent = |amount: i64| format!("{:.0} %", 100.0 * amount as f64 / allocatable.max(1.0));
    let part = |colour, amount: i64, told: &str| Part {
        colour,
        amount: amount as f64,
        name: format!("{told}: {}", percent(amount)),
    };
    let parts = [
        part(BEFORE, before, "requested before"),
        part(FURTHER, further, "further pods"),
    ];
    let told = format!(
        "{name}: {} requested before, {} by further pods",
        percent(before),
        percent(further)
    );
    bars::track(&told, &parts, allocatable)
}

/// Draws the number of nodes by the reason for which they take none.
fn refusals(document: &Document, before: &Nodes) -> Markup {
    let reasons = before.by_reason();
    if reasons.is_empty() {
        return html! {};
    }
    let bars: Vec<_> = reasons
        .iter()
        .map(|(reason, nodes)| {
            let value = match nodes.len() {
                1 => "1 node".to_owned(),
                more => format!("{} nodes", count(more)),
            };
            Bar::new(*reason, Colour(4), nodes.len() as f64, value)
        })
        .collect();
    let names = |nodes: &[usize]| {
        let named = nodes.iter().take(NAMED);
        let names = named.filter_map(|place| Some(document.nodes.get(*place)?.node.as_str()));
        let names: Vec<_> = names.collect();
        match nodes.len().saturating_sub(NAMED) {
            0 => names.join(", "),
            left => format!("{} and {} more", names.join(", "), count(left)),
        }
    };
    html! {
        section aria-labelledby="refusals" {
            h2 id="refusals" { "Nodes that take none" }
            (bars::list(&bars))
            dl.pairs {
                @for (reason, nodes) in &reasons { dt { (reason) } dd { (names(nodes)) } }
            }
        }
    }
}

fn count(number: usize) -> String {
    human::count(number as u64)
}
