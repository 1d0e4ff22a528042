//! Placing all pods that wait, without time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use inventory::Timestamp;

use crate::cluster::{ClassId, Cluster, PodId, PodOnNode};
use crate::disruption::Budget;
use crate::evaluation::Ties;
use crate::profile::Profile;

/// Pod that waits for a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Number of the pod.
    pub id: PodId,
    /// Class.
    pub class: ClassId,
    /// Arrival in the queue; `None` for a pod that is there from the start.
    pub arrival: Option<Timestamp>,
}

/// Outcome for a pod that waited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The pod is on a node.
    Placed {
        /// Number of the node.
        node: usize,
        /// Pods that were removed to make room.
        victims: Vec<PodOnNode>,
    },
    /// No node takes the pod: the scheduler's message.
    Unschedulable(String),
    /// Gates keep the pod from the scheduler.
    Gated,
    /// The pod was placed and then removed to make room for another, and is not made again.
    Evicted,
}

/// Message of the API server about a pod with gates (`applySchedulingGatedCondition` in
/// `pkg/registry/core/pod/strategy.go`).
pub const GATED: &str = "Scheduling is blocked due to non-empty scheduling gates";

/// Settings of [`Cluster::schedule`].
#[derive(Debug, Clone)]
pub struct Settings<'a> {
    /// Configuration of the scheduler.
    pub profile: &'a Profile,
    /// Choice among equal nodes.
    pub ties: Ties,
    /// Whether pods may be removed for pods of higher priority, and the budgets that forbid it.
    pub preemption: Option<&'a [Budget]>,
}

impl Cluster {
    /// Puts pods in the order of a scheduler's queue: the higher priority first, then the earlier
    /// arrival, then the order of the list (`PrioritySort`).
    pub fn sort_queue(&self, waiting: &mut [Waiting]) {
        waiting.sort_by_key(|pod| {
            let arrival = pod.arrival.unwrap_or(Timestamp(i64::MIN));
            (Reverse(self.class_of(pod.class).priority()), arrival)
        });
    }

    /// Places pods in the order of the queue and returns the outcome of each that waited and of
    /// each that was removed and came back.
    ///
    /// Removed pods are gone at once, and the pod that they made room for takes its place before
    /// any other. `comes_back` tells whether a removed pod has a workload that makes it again: then
    /// it waits behind all pods of its priority.
    pub fn schedule(
        &mut self,
        mut waiting: Vec<Waiting>,
        settings: &Settings<'_>,
        comes_back: impl Fn(PodId) -> bool,
    ) -> BTreeMap<PodId, Outcome> {
        self.sort_queue(&mut waiting);
        let mut queue = VecDeque::from(waiting);
        let mut outcomes = BTreeMap::new();
        let mut draw = 0;
        while let Some(pod) = queue.pop_front() {
            let is_gated = !self
                .class_of(pod.class)
                .template
                .spec
                .scheduling_gates
                .is_empty();
            let outcome = if is_gated {
                Outcome::Gated
            } else {
                self.schedule_one(pod, settings, draw)
            };
            draw += 1;
            if let Outcome::Placed { victims, .. } = &outcome {
                for victim in victims {
                    if comes_back(victim.id) {
                        self.queue_again(&mut queue, *victim);
                    } else {
                        outcomes.insert(victim.id, Outcome::Evicted);
                    }
                }
            }
            outcomes.insert(pod.id, outcome);
        }
        outcomes
    }

    /// Places one pod, and removes others for it if the settings allow it.
    pub fn schedule_one(&mut self, pod: Waiting, settings: &Settings<'_>, draw: u64) -> Outcome {
        let evaluation = self.evaluate(pod.class, settings.profile);
        let on_node = PodOnNode {
            id: pod.id,
            class: pod.class,
            start: PodOnNode::NOT_STARTED,
        };
        if let Some(node) = evaluation.placed(settings.ties, draw) {
            self.add(node, on_node);
            let victims = Vec::new();
            return Outcome::Placed { node, victims };
        }
        let message = evaluation.message().unwrap_or_default();
        let Some(budgets) = settings.preemption.filter(|_| !self.nodes().is_empty()) else {
            return Outcome::Unschedulable(message);
        };
        match self.preempt(pod.class, settings.profile, &evaluation, budgets) {
            Err(words) => Outcome::Unschedulable(format!("{message} {}", words.all)),
            Ok(nomination) => {
                for victim in &nomination.victims {
                    self.remove(nomination.node, victim.id);
                }
                self.add(nomination.node, on_node);
                Outcome::Placed {
                    node: nomination.node,
                    victims: nomination.victims,
                }
            }
        }
    }

    /// Queues a removed pod behind the pods of its priority.
    fn queue_again(&self, queue: &mut VecDeque<Waiting>, pod: PodOnNode) {
        let priority = self.class_of(pod.class).priority();
        let place =
            queue.partition_point(|other| self.class_of(other.class).priority() >= priority);
        let again = Waiting {
            id: pod.id,
            class: pod.class,
            arrival: None,
        };
        queue.insert(place, again);
    }
}
