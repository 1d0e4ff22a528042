//! `--over-time`: placement of pods that arrive and depart.

use std::fmt::{self, Write};
use std::sync::Arc;

use capacity::{Fleet, Kind, Load, Present};
use display::{columns, human, page};
use inventory::Inventory;
use maud::html;
use scheduler::timeline::{self, Lifetime, Settings, Timeline};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use crate::answer::{Answer, Header};
use crate::commands::capacity::document::OverTime;
use crate::commands::capacity::fill::over_time;
use crate::commands::capacity::page::{STYLE, heat_map};
use crate::commands::scheduler_options::{SchedulerArgs, ShownScheduler};
use crate::exit::Verdict;
use crate::placement::DefaultSpread;

/// Number of intervals of the document and the heat map.
const INTERVALS: usize = 48;
/// Number of pods without a node that the table lists.
const LISTED: usize = 10;

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/schedule-over-time/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Placement of pods that arrive, wait, run and depart.
#[derive(Debug, Serialize, JsonSchema)]
struct Document {
    #[serde(flatten)]
    header: Header,
    /// Scheduler that places the pods.
    scheduler: ShownScheduler,
    /// Number of pods.
    pods: usize,
    /// Number of nodes.
    nodes: usize,
    #[serde(flatten)]
    time: OverTime,
    /// Largest number of pods that wait at one time.
    most_waiting: usize,
    /// Node and waiting time of every pod, in the order of arrival.
    stays: Vec<Stay>,
}

/// Node and waiting time of a pod.
#[derive(Debug, Serialize, JsonSchema)]
struct Stay {
    /// Pod, as NAMESPACE/NAME.
    pod: String,
    /// Name of the node; absent if the pod never got one.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// Time between the arrival and the placement, in seconds.
    waited_seconds: f64,
}

/// Lets the pods of an inventory arrive, wait, run and depart on its nodes.
///
/// # Errors
/// No nodes, an object that is wrong, or a selector that no API server accepts.
pub fn answer(
    inventory: &Inventory,
    header: Header,
    scheduler: &SchedulerArgs,
) -> anyhow::Result<Answer> {
    anyhow::ensure!(
        !inventory.nodes.is_empty(),
        "the input has no nodes (--over-time)"
    );
    let spread = DefaultSpread::new(inventory)?;
    let load = Load::new(&inventory.pods, &inventory.per_node, |pod| {
        spread.selector(pod)
    });
    let fleet = Fleet {
        existing: inventory
            .nodes
            .iter()
            .map(|node| (node, daemons(inventory, &node.name)))
            .collect(),
        new: Vec::new(),
    };
    let (mut engine, classes) = fleet.engine(&load, &scheduler.profile(), scheduler.ties.0)?;
    let lifetimes: Vec<_> = load
        .items
        .iter()
        .map(|item| Lifetime {
            class: classes[item.kind],
            arrival: item.arrival,
            departure: item.departure,
        })
        .collect();
    let settings = Settings {
        intervals: INTERVALS,
        stop_at_first_wait: false,
    };
    let timeline = timeline::run(&mut engine, &lifetimes, 0, settings);
    let stays = stays(inventory, &load, &timeline);
    let document = Document {
        header,
        scheduler: scheduler.shown(),
        pods: load.items.len(),
        nodes: inventory.nodes.len(),
        time: over_time(&timeline),
        most_waiting: timeline.most_waiting,
        stays,
    };
    let verdict = match document.time.never_placed {
        0 => Verdict::Good,
        _ => Verdict::DoesNotHold,
    };
    Ok(Answer {
        verdict,
        text: text(&document)?,
        page: Some(write_page(&document)),
        document: serde_json::to_value(document)?,
        markdown: None,
    })
}

/// Returns the pods of DaemonSets that run on a node all the time.
fn daemons(inventory: &Inventory, node: &str) -> Vec<Present> {
    let pods = inventory.pods.iter().enumerate().filter(|(_, pod)| {
        let owner = pod.owner.as_ref();
        pod.node.as_deref() == Some(node) && owner.is_some_and(|owner| &*owner.kind == "DaemonSet")
    });
    let present = pods.map(|(place, pod)| Present {
        kind: Kind {
            namespace: Arc::clone(&pod.namespace),
            template: Arc::clone(&pod.template),
            selector: None,
            name: Arc::clone(&pod.name),
        },
        pod: place,
        is_daemon: true,
    });
    present.collect()
}

fn stays(inventory: &Inventory, load: &Load, timeline: &Timeline) -> Vec<Stay> {
    let items = load.items.iter().zip(&timeline.stays);
    let stay = |(item, stay): (&capacity::Item, &timeline::Stay)| {
        let pod = inventory.pods.get(item.pod);
        let node = stay.node.and_then(|node| inventory.nodes.get(node));
        Stay {
            pod: pod
                .map(|pod| format!("{}/{}", pod.namespace, pod.name))
                .unwrap_or_default(),
            node: node.map(|node| node.name.to_string()),
            waited_seconds: stay.waited_ns as f64 / 1e9,
        }
    };
    items.map(stay).collect()
}

fn headline(document: &Document) -> String {
    let count = |number: usize| human::count(number as u64);
    format!(
        "{} of {} pods run, on {} of {} nodes at most; {} wait, {} at once",
        count(document.pods - document.time.never_placed),
        count(document.pods),
        count(document.time.high_water_nodes),
        count(document.nodes),
        count(document.time.waited_pods),
        count(document.most_waiting),
    )
}

fn text(document: &Document) -> Result<String, fmt::Error> {
    let mut out = String::new();
    writeln!(out, "{}", headline(document))?;
    writeln!(out, "{}\n", document.scheduler)?;
    let time = &document.time;
    let facts = [
        ["from".to_owned(), time.start.clone()],
        ["to".to_owned(), time.end.clone()],
        [
            "most nodes in use at".to_owned(),
            time.high_water_at.clone(),
        ],
        [
            "longest wait".to_owned(),
            format!("{:.1} s", time.longest_wait_seconds),
        ],
    ];
    columns::write(&mut out, &facts)?;
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    let head = [
        "interval from",
        "nodes",
        "CPU",
        "memory",
        "waiting",
        "lost CPU",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(time.intervals.iter().map(|interval| {
        [
            interval.start.clone(),
            interval.nodes_in_use.to_string(),
            percent(interval.requested_share.cpu),
            percent(interval.requested_share.memory),
            interval.waiting.to_string(),
            percent(interval.fragmented_share.cpu),
        ]
    }));
    writeln!(out)?;
    columns::write(&mut out, &rows)?;
    let never: Vec<_> = document
        .stays
        .iter()
        .filter(|stay| stay.node.is_none())
        .collect();
    if !never.is_empty() {
        writeln!(out, "\nwithout a node to the end")?;
        for stay in never.iter().take(LISTED) {
            writeln!(out, "  {}", stay.pod)?;
        }
        if never.len() > LISTED {
            writeln!(out, "  and {} more", never.len() - LISTED)?;
        }
    }
    Ok(out)
}

fn write_page(document: &Document) -> String {
    let (class, word) = match document.time.never_placed {
        0 => ("good", "✓ all run"),
        _ => ("bad", "✗ not all run"),
    };
    let header = html! {
        p.what { "slotplan schedule --over-time, " (document.scheduler) }
        h1 { span.verdict.(class) { (word) } " " (headline(document)) }
    };
    let main = html! { section { (heat_map(&document.time)) } };
    let shell = page::shell("slotplan schedule --over-time", STYLE, &header, &main);
    page::readable(&shell.into_string())
}
