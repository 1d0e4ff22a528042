//! Scheduling of a load on a number of nodes.

use inventory::Timestamp;
use scheduler::timeline::Timeline;
use scheduler::{ClassId, Engine, PodId, PodOnNode};

use crate::load::{Item, Load};

/// Placement of items one after the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Node of each item of the load.
    pub nodes: Vec<Option<usize>>,
    /// First item that found no node.
    pub first_left_over: Option<usize>,
    /// Number of items that found no node; of those that were tried, if the trial stopped.
    pub left_over: usize,
}

/// Places the items of a load in an order.
pub fn place(
    engine: &mut Engine,
    classes: &[ClassId],
    load: &Load,
    order: &[usize],
    stop_at_first: bool,
) -> Trial {
    let mut trial = Trial {
        nodes: vec![None; load.items.len()],
        first_left_over: None,
        left_over: 0,
    };
    // A class without rules that found no node finds none later on.
    let mut is_full = vec![false; classes.len()];
    for &item in order {
        let kind = load.items[item].kind;
        let node = if is_full[kind] {
            None
        } else {
            engine.place(on_node(item, classes[kind]))
        };
        trial.nodes[item] = node;
        if node.is_none() {
            is_full[kind] = !engine.cluster().class_of(classes[kind]).has_constraints();
            trial.left_over += 1;
            trial.first_left_over.get_or_insert(item);
            if stop_at_first {
                break;
            }
        }
    }
    trial
}

/// Puts the items that run at a time on the nodes that a timeline gave them; without a time, all
/// items with a node. Items that wait to the end are left over.
pub fn place_as_at(
    engine: &mut Engine,
    classes: &[ClassId],
    load: &Load,
    timeline: &Timeline,
    time: Option<Timestamp>,
) -> Trial {
    let mut trial = Trial {
        nodes: vec![None; load.items.len()],
        first_left_over: None,
        left_over: 0,
    };
    for (item, (of_item, stay)) in load.items.iter().zip(&timeline.stays).enumerate() {
        let Some(node) = stay.node else {
            trial.left_over += 1;
            trial.first_left_over.get_or_insert(item);
            continue;
        };
        if time.is_none_or(|time| runs(of_item, stay.waited_ns, time)) {
            engine.add(node, on_node(item, classes[of_item.kind]));
            trial.nodes[item] = Some(node);
        }
    }
    trial
}

/// Returns whether an item that waited runs at a time. It runs for as long as it would have run.
fn runs(item: &Item, waited_ns: i64, time: Timestamp) -> bool {
    let later = |time: Timestamp| Timestamp(time.0.saturating_add(waited_ns));
    item.arrival.is_none_or(|arrival| later(arrival) <= time)
        && item
            .departure
            .is_none_or(|departure| later(departure) > time)
}

fn on_node(item: usize, class: ClassId) -> PodOnNode {
    PodOnNode {
        id: PodId(u32::try_from(item).unwrap_or(u32::MAX)),
        class,
        start: PodOnNode::NOT_STARTED,
    }
}
