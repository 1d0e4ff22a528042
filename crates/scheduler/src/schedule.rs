//! Placing all pods that wait, without time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

use inventory::Timestamp;

use crate::cluster::{ClassId, Cluster, PodId, PodOnNode};
use crate::disruption::Budget;
use crate::engine::Engine;
use crate::evaluation::{Evaluation, Ties};
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

    /// Places pods in the order of the queue, with a look at every node for each, and returns the
    /// outcome of each that waited and of each that was removed.
    ///
    /// Removed pods are gone at once, and the pod that they made room for takes its place before
    /// any other. `remake` returns the pod that a workload makes for one that was removed from a
    /// node, if there is one: then it waits behind all pods of its priority. `watch` sees the
    /// cluster before each pod that is placed, with the number of the choice.
    pub fn schedule(
        &mut self,
        waiting: Vec<Waiting>,
        settings: &Settings<'_>,
        remake: impl Fn(PodId, usize) -> Option<Waiting>,
        watch: impl FnMut(&Self, Waiting, u64),
    ) -> BTreeMap<PodId, Outcome> {
        let mut scan = FullScan {
            cluster: self,
            profile: settings.profile,
            ties: settings.ties,
        };
        schedule(&mut scan, waiting, settings.preemption, remake, watch)
    }

    /// Places one pod, and removes others for it if the settings allow it.
    pub fn schedule_one(&mut self, pod: Waiting, settings: &Settings<'_>, draw: u64) -> Outcome {
        let mut scan = FullScan {
            cluster: self,
            profile: settings.profile,
            ties: settings.ties,
        };
        schedule_one(&mut scan, pod, settings.preemption, draw)
    }

    /// Queues a removed pod behind the pods of its priority.
    fn queue_again(&self, queue: &mut VecDeque<Waiting>, pod: Waiting) {
        let priority = self.class_of(pod.class).priority();
        let place =
            queue.partition_point(|other| self.class_of(other.class).priority() >= priority);
        queue.insert(place, pod);
    }
}

impl Engine {
    /// Places pods as [`Cluster::schedule`] does, with the engine's profile and choice among equal
    /// nodes, and without a look at every node for each pod.
    pub fn schedule(
        &mut self,
        waiting: Vec<Waiting>,
        preemption: Option<&[Budget]>,
        remake: impl Fn(PodId, usize) -> Option<Waiting>,
        watch: impl FnMut(&Cluster, Waiting, u64),
    ) -> BTreeMap<PodId, Outcome> {
        schedule(self, waiting, preemption, remake, watch)
    }
}

/// Cluster whose nodes are chosen in one way or another.
trait Chooser {
    fn cluster(&self) -> &Cluster;
    fn profile(&self) -> &Profile;
    /// Chooses the node for a pod, or tells why there is none.
    fn choose(&mut self, pod: Waiting, draw: u64) -> Result<usize, Evaluation>;
    fn add(&mut self, node: usize, pod: PodOnNode);
    fn remove(&mut self, node: usize, pod: PodId);
}

/// Choice by a look at every node.
struct FullScan<'a> {
    cluster: &'a mut Cluster,
    profile: &'a Profile,
    ties: Ties,
}

impl Chooser for FullScan<'_> {
    fn cluster(&self) -> &Cluster {
        self.cluster
    }

    fn profile(&self) -> &Profile {
        self.profile
    }

    fn choose(&mut self, pod: Waiting, draw: u64) -> Result<usize, Evaluation> {
        let evaluation = self.cluster.evaluate_on(pod.class, self.profile, pod.only);
        evaluation.placed(self.ties, draw).ok_or(evaluation)
    }

    fn add(&mut self, node: usize, pod: PodOnNode) {
        self.cluster.add(node, pod);
    }

    fn remove(&mut self, node: usize, pod: PodId) {
        self.cluster.remove(node, pod);
    }
}

impl Chooser for Engine {
    fn cluster(&self) -> &Cluster {
        self.cluster()
    }

    fn profile(&self) -> &Profile {
        self.profile()
    }

    fn choose(&mut self, pod: Waiting, draw: u64) -> Result<usize, Evaluation> {
        if pod.only.is_none()
            && let Some(choice) = self.choose(pod.class, draw)
        {
            return Ok(choice.node);
        }
        let evaluation = self
            .cluster()
            .evaluate_on(pod.class, self.profile(), pod.only);
        // At most one node is feasible here, so no tie is to be broken.
        evaluation.placed(Ties::First, draw).ok_or(evaluation)
    }

    fn add(&mut self, node: usize, pod: PodOnNode) {
        self.add(node, pod);
    }

    fn remove(&mut self, node: usize, pod: PodId) {
        self.remove(node, pod);
    }
}

/// Refusal of a pod, which holds for the next one of its class if nothing has changed since.
struct LastRefusal {
    class: ClassId,
    only: Option<usize>,
    outcome: Outcome,
}

fn schedule(
    chooser: &mut impl Chooser,
    mut waiting: Vec<Waiting>,
    preemption: Option<&[Budget]>,
    remake: impl Fn(PodId, usize) -> Option<Waiting>,
    mut watch: impl FnMut(&Cluster, Waiting, u64),
) -> BTreeMap<PodId, Outcome> {
    chooser.cluster().sort_queue(&mut waiting);
    let mut queue = VecDeque::from(waiting);
    let mut outcomes = BTreeMap::new();
    let mut last: Option<LastRefusal> = None;
    let mut draw = 0;
    while let Some(pod) = queue.pop_front() {
        let class = chooser.cluster().class_of(pod.class);
        let outcome = if class.template.spec.scheduling_gates.is_empty() {
            watch(chooser.cluster(), pod, draw);
            match &last {
                Some(last) if last.class == pod.class && last.only == pod.only => {
                    last.outcome.clone()
                }
                _ => schedule_one(chooser, pod, preemption, draw),
            }
        } else {
            Outcome::Gated
        };
        draw += 1;
        match &outcome {
            Outcome::Placed { node, victims } => {
                last = None;
                for victim in victims {
                    match remake(victim.id, *node) {
                        Some(again) => chooser.cluster().queue_again(&mut queue, again),
                        None => {
                            outcomes.insert(victim.id, Outcome::Evicted);
                        }
                    }
                }
            }
            Outcome::Unschedulable(_) => {
                last = Some(LastRefusal {
                    class: pod.class,
                    only: pod.only,
                    outcome: outcome.clone(),
                });
            }
            Outcome::Gated | Outcome::Evicted => {}
        }
        outcomes.insert(pod.id, outcome);
    }
    outcomes
}

fn schedule_one(
    chooser: &mut impl Chooser,
    pod: Waiting,
    preemption: Option<&[Budget]>,
    draw: u64,
) -> Outcome {
    let on_node = PodOnNode {
        id: pod.id,
        class: pod.class,
        start: PodOnNode::NOT_STARTED,
    };
    let evaluation = match chooser.choose(pod, draw) {
        Ok(node) => {
            chooser.add(node, on_node);
            let victims = Vec::new();
            return Outcome::Placed { node, victims };
        }
        Err(evaluation) => evaluation,
    };
    let message = evaluation.message().unwrap_or_default();
    let cluster = chooser.cluster();
    let Some(budgets) = preemption.filter(|_| !cluster.nodes().is_empty()) else {
        return Outcome::Unschedulable(message);
    };
    match cluster.preempt(pod.class, chooser.profile(), &evaluation, budgets) {
        Err(words) => Outcome::Unschedulable(format!("{message} {}", words.all)),
        Ok(nomination) => {
            for victim in &nomination.victims {
                chooser.remove(nomination.node, victim.id);
            }
            chooser.add(nomination.node, on_node);
            Outcome::Placed {
                node: nomination.node,
                victims: nomination.victims,
            }
        }
    }
}
