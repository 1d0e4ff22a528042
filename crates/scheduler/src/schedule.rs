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
    /// The only node to which the pod may go, if it is of a DaemonSet.
    pub only: Option<usize>,
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
    /// The pod was on a node and then removed to make room for another, and is not made again.
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
    /// each that was removed.
    ///
    /// Removed pods are gone at once, and the pod that they made room for takes its place before
    /// any other. `remake` returns the pod that a workload makes for one that was removed from a
    /// node, if there is one: then it waits behind all pods of its priority. `watch` sees the
    /// cluster before each pod that is placed, with the number of the choice.
    pub fn schedule(
        &mut self,
        mut waiting: Vec<Waiting>,
        settings: &Settings<'_>,
        remake: impl Fn(PodId, usize) -> Option<Waiting>,
        mut watch: impl FnMut(&Self, Waiting, u64),
    ) -> BTreeMap<PodId, Outcome> {
        self.sort_queue(&mut waiting);
        let mut queue = VecDeque::from(waiting);
        let mut outcomes = BTreeMap::new();
        let mut draw = 0;
        while let Some(pod) = queue.pop_front() {
            let gates = &self.class_of(pod.class).template.spec.scheduling_gates;
            let outcome = if gates.is_empty() {
                watch(self, pod, draw);
                self.schedule_one(pod, settings, draw)
            } else {
                Outcome::Gated
            };
            draw += 1;
            if let Outcome::Placed { node, victims } = &outcome {
                for victim in victims {
                    match remake(victim.id, *node) {
                        Some(again) => self.queue_again(&mut queue, again),
                        None => {
                            outcomes.insert(victim.id, Outcome::Evicted);
                        }
                    }
                }
            }
            outcomes.insert(pod.id, outcome);
        }
        outcomes
    }

    /// Places one pod, and removes others for it if the settings allow it.
    pub fn schedule_one(&mut self, pod: Waiting, settings: &Settings<'_>, draw: u64) -> Outcome {
        let evaluation = self.evaluate_on(pod.class, settings.profile, pod.only);
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
    fn queue_again(&self, queue: &mut VecDeque<Waiting>, pod: Waiting) {
        let priority = self.class_of(pod.class).priority();
        let place =
            queue.partition_point(|other| self.class_of(other.class).priority() >= priority);
        queue.insert(place, pod);
    }
}
