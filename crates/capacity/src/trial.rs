//! Scheduling of a load on a number of nodes.

use scheduler::{ClassId, Engine, PodId, PodOnNode};

use crate::load::Load;

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
            engine.place(PodOnNode {
                id: PodId(u32::try_from(item).unwrap_or(u32::MAX)),
                class: classes[kind],
                start: PodOnNode::NOT_STARTED,
            })
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
