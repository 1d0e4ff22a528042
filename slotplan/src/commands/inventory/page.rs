//! The self-contained page: requests beside room, pods by their properties, sources of figures,
//! shapes of nodes.

use std::collections::BTreeMap;

use display::bars::{self, Bar, Colour, Part};
use display::{human, page};
use inventory::{Inventory, MemorySource, Pod};
use maud::{Markup, html};

use super::Document;
use super::figures::{ByResource, Figures, KindCount, Shape};
use super::pods::PodLine;
use super::text::{bytes, cores, others};

/// Largest number of bars of one list.
const MOST: usize = 30;
/// Largest number of pods in the list of pods.
const MOST_PODS: usize = 500;

/// Writes the page.
pub(super) fn write(document: &Document<'_>, inventory: &Inventory) -> String {
    let figures = document.figures;
    let header = html! {
        p.what { "slotplan inventory" }
        h1 { (count(figures.pods)) " pods, " (count(figures.nodes)) " nodes" }
    };
    let main = html! {
        dl.headline.columns-4 {
            div { dt { "pods at their peak" } dd { (human::count(figures.peak.pods.unsigned_abs())) } }
            div { dt { "pod templates" } dd { (count(figures.templates)) } }
            div { dt { "shapes of nodes" } dd { (count(figures.shapes.len())) } }
            div { dt { "containers with usage" } dd { (count(figures.usage.series)) } }
        }
        @if figures.pods + figures.nodes > 0 { (requests(figures)) }
        @if figures.pods > 0 {
            (pods(figures, inventory))
            (sources(figures))
        }
        @if !figures.shapes.is_empty() { (shapes(figures)) }
        (objects(figures))
        @if let Some(lines) = document.pod_list { (list(lines)) }
        @if !document.header.assumptions.is_empty() {
            section aria-labelledby="assumed" {
                h2 id="assumed" { "Assumed" }
                ul.notes {
                    @for assumption in &document.header.assumptions { li { (assumption) } }
                }
            }
        }
    };
    let shell = page::shell("slotplan inventory", bars::STYLE, &header, &main);
    page::readable(&shell.into_string())
}

/// Formats an amount of a resource.
fn shown(resource: &str, amount: i64) -> String {
    match resource {
        "cpu" => format!("{} cores", cores(amount)),
        "memory" | "ephemeral-storage" => bytes(amount),
        _ => human::count(amount.unsigned_abs()),
    }
}

/// Draws the sums of requests beside the room of the nodes, resource by resource.
fn requests(figures: &Figures) -> Markup {
    let has_departures = figures.times.departing > 0;
    let peak = |resource: &str| match resource {
        "cpu" => Some(figures.peak.cpu_millicores),
        "memory" => Some(figures.peak.memory_bytes),
        "pods" => Some(figures.peak.pods),
        _ => None,
    };
    let of = |amounts: &ByResource, name: &str| amounts.get(name).copied().unwrap_or(0);
    let all_pods = i64::try_from(figures.pods).unwrap_or(i64::MAX);
    let bars_of = |name: &str| {
        let requested = match name {
            "pods" => all_pods,
            _ => of(&figures.requests, name),
        };
        let peak = peak(name).filter(|_| has_departures);
        let rows = [
            ("requested by all pods", Colour(0), Some(requested)),
            ("requested at the peak", Colour(3), peak),
            (
                "limits of all pods",
                Colour(1),
                Some(of(&figures.limits, name)),
            ),
            (
                "for pods on all nodes",
                Colour(2),
                Some(of(&figures.allocatable, name)),
            ),
            (
                "capacity of all nodes",
                Colour::MUTED,
                Some(of(&figures.capacity, name)),
            ),
        ];
        let known = rows.into_iter().filter_map(|(told, colour, amount)| {
            let amount = amount.filter(|amount| *amount > 0)?;
            Some(Bar::new(told, colour, amount as f64, shown(name, amount)))
        });
        known.collect::<Vec<_>>()
    };
    let mut names = vec!["cpu", "memory", "pods"];
    let all = figures.requests.keys().chain(figures.allocatable.keys());
    for name in all {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    html! {
        section aria-labelledby="requests" {
            h2 id="requests" { "Requests and room" }
            @for name in names {
                @let bars = bars_of(name);
                @if !bars.is_empty() {
                    h3 { (match name { "cpu" => "CPU", "memory" => "Memory", "pods" => "Pods", name => name }) }
                    (bars::list(&bars))
                }
            }
        }
    }
}

/// Draws the numbers of pods by namespace and kind, by workload and by class.
fn pods(figures: &Figures, inventory: &Inventory) -> Markup {
    let groups = figures.by_namespace_and_kind.iter().map(|group| {
        let name = format!("{}, {}", group.namespace, group.kind);
        (name, group.pods, cores_and_memory(&group.requests))
    });
    let classes = figures.qos.iter().filter(|(_, pods)| **pods > 0);
    let classes: Vec<_> = classes
        .map(|(class, pods)| Bar::new(*class, of_class(class), *pods as f64, counted(*pods)))
        .collect();
    html! {
        section aria-labelledby="pods" {
            h2 id="pods" { "Pods" }
            h3 { "By namespace and kind of workload" }
            (largest(groups.collect(), Colour(0)))
            h3 { "By workload" }
            (largest(workloads(&inventory.pods), Colour(3)))
            h3 { "By class" }
            (bars::list(&classes))
        }
    }
}

/// Returns the colour of a class of quality of service.
fn of_class(class: &str) -> Colour {
    match class {
        "Guaranteed" => Colour(2),
        "Burstable" => Colour(0),
        _ => Colour(1),
    }
}

fn cores_and_memory(requests: &ByResource) -> String {
    let of = |name: &str| requests.get(name).copied().unwrap_or(0);
    format!("{} cores, {}", cores(of("cpu")), bytes(of("memory")))
}

/// Returns the workloads with their numbers of pods and their requests.
fn workloads(pods: &[Pod]) -> Vec<(String, usize, String)> {
    #[derive(Default)]
    struct Sum {
        pods: usize,
        cpu: i64,
        memory: i64,
    }
    let mut sums: BTreeMap<(&str, &str, &str), Sum> = BTreeMap::new();
    for pod in pods {
        let (kind, name): (&str, &str) = match &pod.owner {
            Some(owner) => (&owner.kind, &owner.name),
            None => ("Pod", &pod.name),
        };
        let sum = sums.entry((&pod.namespace, kind, name)).or_default();
        let requests = &pod.template.effective.requests;
        sum.pods += 1;
        sum.cpu = sum.cpu.saturating_add(requests.cpu());
        sum.memory = sum.memory.saturating_add(requests.memory());
    }
    let shown = |((namespace, _, name), sum): ((&str, &str, &str), Sum)| {
        let requests = format!("{} cores, {}", cores(sum.cpu), bytes(sum.memory));
        (format!("{namespace}/{name}"), sum.pods, requests)
    };
    sums.into_iter().map(shown).collect()
}

/// Draws the groups with the most pods, and counts the others.
fn largest(mut groups: Vec<(String, usize, String)>, colour: Colour) -> Markup {
    groups.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    let left = groups.len().saturating_sub(MOST);
    let shown = groups.into_iter().take(MOST);
    let bars: Vec<_> = shown
        .map(|(name, pods, requests)| {
            let value = format!("{}: {requests}", counted(pods));
            Bar::new(name, colour, pods as f64, value)
        })
        .collect();
    html! {
        (bars::list(&bars))
        @if left > 0 { p.none { "and " (count(left)) " more" } }
    }
}

/// Draws how many memory requests are known, and from which source, as one bar.
fn sources(figures: &Figures) -> Markup {
    let known = MemorySource::ALL.iter().filter_map(|source| {
        let pods = *figures.memory_requests_from.get(source.name())?;
        Some((*source, pods))
    });
    let bars: Vec<_> = known
        .map(|(source, pods)| {
            let (colour, name) = match source {
                MemorySource::Absent => (Colour::MUTED, "none: the pods request no memory"),
                MemorySource::Stated => (Colour(0), "stated by the input"),
                MemorySource::Applied => (Colour(2), "last applied with kubectl"),
                MemorySource::Guaranteed => (Colour(3), "limit, by the class Guaranteed"),
                MemorySource::Estimated => (Colour(1), "range of the OOM score, its middle"),
                MemorySource::Limit => (Colour(5), "limit, as none is stated"),
                MemorySource::Unknown => (Colour(4), "not known, counts as none"),
            };
            let share = 100.0 * pods as f64 / figures.pods.max(1) as f64;
            let value = format!("{} ({share:.0} %)", counted(pods));
            Bar {
                name: name.to_owned(),
                parts: vec![Part {
                    colour,
                    amount: pods as f64,
                    name: value.clone(),
                }],
                value,
            }
        })
        .collect();
    html! {
        section aria-labelledby="sources" {
            h2 id="sources" { "Sources of memory requests" }
            p.why { "A journal has only what a runtime is told, which no memory request is." }
            (bars::list(&bars))
        }
    }
}

/// Draws the number of nodes of each shape.
fn shapes(figures: &Figures) -> Markup {
    let of = |shape: &Shape| {
        let of = |name: &str| shape.allocatable.get(name).copied().unwrap_or(0);
        let mut name = format!(
            "{} cores, {}, {} pods",
            cores(of("cpu")),
            bytes(of("memory")),
            human::count(of("pods").unsigned_abs())
        );
        let others = others(&shape.allocatable);
        if !others.is_empty() {
            name = format!("{name}, {others}");
        }
        let nodes = match shape.nodes {
            1 => "1 node".to_owned(),
            more => format!("{} nodes", count(more)),
        };
        Bar::new(name, Colour(2), shape.nodes as f64, nodes)
    };
    let bars: Vec<_> = figures.shapes.iter().take(MOST).map(of).collect();
    html! {
        section aria-labelledby="nodes" {
            h2 id="nodes" { "Nodes by shape" }
            (bars::list(&bars))
            @if figures.shapes.len() > MOST {
                p.none { "and " (count(figures.shapes.len() - MOST)) " more shapes" }
            }
            @if figures.unschedulable_nodes > 0 {
                p { (count(figures.unschedulable_nodes)) " nodes take no new pods" }
            }
            @if !figures.per_node.is_empty() {
                p { "On each node that is added: " (figures.per_node.join(", ")) }
            }
        }
    }
}

fn objects(figures: &Figures) -> Markup {
    let kinds = |kinds: &[KindCount]| {
        let kinds: Vec<_> = kinds
            .iter()
            .map(|kind| format!("{} {}", human::count(kind.count), kind.kind))
            .collect();
        kinds.join(", ")
    };
    let rows = [
        ("kept for other commands", kinds(&figures.objects)),
        ("decide nothing", kinds(&figures.ignored)),
        (
            "first arrival",
            figures.times.first_arrival.clone().unwrap_or_default(),
        ),
        (
            "last arrival",
            figures.times.last_arrival.clone().unwrap_or_default(),
        ),
        (
            "last departure",
            figures.times.last_departure.clone().unwrap_or_default(),
        ),
        (
            "first sample of usage",
            figures.usage.first.clone().unwrap_or_default(),
        ),
        (
            "last sample of usage",
            figures.usage.last.clone().unwrap_or_default(),
        ),
    ];
    let rows: Vec<_> = rows
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .collect();
    html! {
        @if !rows.is_empty() {
            section aria-labelledby="objects" {
                h2 id="objects" { "Objects and times" }
                dl.pairs { @for (name, text) in rows { dt { (name) } dd { (text) } } }
            }
        }
    }
}

fn list(lines: &[PodLine]) -> Markup {
    html! {
        section aria-labelledby="list" {
            h2 id="list" { "Every pod" }
            div.wide role="region" aria-labelledby="list" tabindex="0" {
                table {
                    thead { tr { @for name in PodLine::COLUMNS { th scope="col" { (name) } } } }
                    tbody {
                        @for line in lines.iter().take(MOST_PODS) {
                            tr {
                                @for (place, cell) in line.cells().iter().enumerate() {
                                    @if place == 0 { th scope="row" { (cell) } }
                                    @else { td { (cell) } }
                                }
                            }
                        }
                    }
                }
            }
            @if lines.len() > MOST_PODS { p.none { "and " (count(lines.len() - MOST_PODS)) " more pods" } }
        }
    }
}

fn counted(pods: usize) -> String {
    match pods {
        1 => "1 pod".to_owned(),
        more => format!("{} pods", count(more)),
    }
}

fn count(number: usize) -> String {
    human::count(number as u64)
}
