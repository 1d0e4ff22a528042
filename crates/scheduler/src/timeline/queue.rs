//! Queue of pods that wait for a node.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use inventory::Timestamp;

use crate::cluster::ClassId;

/// Place of a pod in the queue: the order of the fields is the order of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) priority: Reverse<i32>,
    pub(super) arrival: Timestamp,
    /// Place in the list of pods.
    pub(super) pod: usize,
    pub(super) class: ClassId,
}

/// Waiting pods by class.
///
/// Pods of one class have one priority, so that each class is a queue of its own, of which only
/// the first pod is looked at. If a class waits for room and its first pod finds none, then none
/// of its other pods does, and a pass over a long queue asks once for each class.
#[derive(Debug, Default)]
pub(super) struct Queue {
    classes: BTreeMap<ClassId, VecDeque<Ticket>>,
    waiting: usize,
}

/// Pass over the queue: the first pods of the classes, and pods that were tried in vain.
#[derive(Debug)]
pub(super) struct Pass {
    heads: BinaryHeap<Reverse<Ticket>>,
    kept: Vec<Ticket>,
}

impl Queue {
    /// Returns the number of waiting pods.
    pub(super) fn len(&self) -> usize {
        self.waiting
    }

    /// Adds a pod, which arrives no earlier than the others.
    pub(super) fn push(&mut self, ticket: Ticket) {
        self.classes
            .entry(ticket.class)
            .or_default()
            .push_back(ticket);
        self.waiting += 1;
    }

    /// Begins a pass over all pods.
    pub(super) fn pass(&self) -> Pass {
        let heads = self.classes.values().filter_map(VecDeque::front);
        Pass {
            heads: heads.map(|ticket| Reverse(*ticket)).collect(),
            kept: Vec::new(),
        }
    }

    /// Takes the next pod of a pass out of the queue.
    pub(super) fn next(&mut self, pass: &mut Pass) -> Option<Ticket> {
        let Reverse(ticket) = pass.heads.pop()?;
        let of_class = self.classes.get_mut(&ticket.class)?;
        of_class.pop_front();
        self.waiting -= 1;
        if let Some(next) = of_class.front() {
            pass.heads.push(Reverse(*next));
        }
        Some(ticket)
    }

    /// Puts a pod back that found no node; `whole_class` ends the pass for its class.
    pub(super) fn keep(&mut self, pass: &mut Pass, ticket: Ticket, whole_class: bool) {
        self.waiting += 1;
        if whole_class {
            pass.heads
                .retain(|Reverse(head)| head.class != ticket.class);
            self.classes
                .entry(ticket.class)
                .or_default()
                .push_front(ticket);
        } else {
            pass.kept.push(ticket);
        }
    }

    /// Ends a pass.
    pub(super) fn end(&mut self, pass: Pass) {
        for ticket in pass.kept.into_iter().rev() {
            self.classes
                .entry(ticket.class)
                .or_default()
                .push_front(ticket);
        }
        self.classes.retain(|_, of_class| !of_class.is_empty());
    }

    /// Returns the pods that wait still.
    pub(super) fn into_waiting(self) -> impl Iterator<Item = Ticket> {
        self.classes.into_values().flatten()
    }
}
