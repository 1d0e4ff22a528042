//! Verdicts on nodes, their scores, and the message about a pod that no node takes.

use std::collections::BTreeMap;
use std::fmt;

use inventory::ResourceName;

use crate::plugin::Plugin;

/// Reason for refusing a node, in the words of the scheduler.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The node is marked unschedulable.
    Unschedulable,
    /// The spec names another node.
    NodeName,
    /// A taint is not tolerated.
    Taints,
    /// This taint is not tolerated, in the words of 1.34.
    Taint {
        /// Name of the taint.
        key: String,
        /// Value of the taint.
        value: String,
    },
    /// The labels or the name do not match.
    NodeAffinity,
    /// Another pod has a port.
    Ports,
    /// The node takes no more pods.
    TooManyPods,
    /// Too little is left of a resource.
    Insufficient(ResourceName),
    /// The domain has too many pods.
    Spread,
    /// The node lacks the label of a constraint.
    SpreadLabel,
    /// The domain lacks a pod of an affinity.
    PodAffinity,
    /// The domain has a pod of an aversion.
    PodAntiAffinity,
    /// The domain has a pod with an aversion.
    ExistingAntiAffinity,
    /// The node has no pod of lower priority.
    NoVictims,
    /// Removing pods would not help.
    NotHelpful,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Unschedulable => "node(s) were unschedulable",
            Self::NodeName => "node(s) didn't match the requested node name",
            Self::Taints => "node(s) had untolerated taint(s)",
            Self::Taint { key, value } => {
                return write!(f, "node(s) had untolerated taint {{{key}: {value}}}");
            }
            Self::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Self::Ports => "node(s) didn't have free ports for the requested pod ports",
            Self::TooManyPods => "Too many pods",
            Self::Insufficient(resource) => return write!(f, "Insufficient {resource}"),
            Self::Spread => "node(s) didn't match pod topology spread constraints",
            Self::SpreadLabel => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Self::PodAffinity => "node(s) didn't match pod affinity rules",
            Self::PodAntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Self::ExistingAntiAffinity => {
                "node(s) didn't satisfy existing pods anti-affinity rules"
            }
            Self::NoVictims => "No preemption victims found for incoming pod",
            Self::NotHelpful => "Preemption is not helpful for scheduling",
        };
        f.write_str(text)
    }
}

/// Refusal of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Plugin that refuses.
    pub plugin: Plugin,
    /// Whether removing pods from the node can help (`Unschedulable`, not
    /// `UnschedulableAndUnresolvable`).
    pub resolvable: bool,
    /// Reasons.
    pub reasons: Vec<Reason>,
}

/// Scores of a node: of each plugin, normalized and times its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scores {
    /// `TaintToleration`.
    pub taint_toleration: i64,
    /// `NodeAffinity`; `None` if the plugin skips the pod.
    pub node_affinity: Option<i64>,
    /// `NodeResourcesFit`.
    pub fit: i64,
    /// `PodTopologySpread`; `None` if the plugin skips the pod.
    pub topology_spread: Option<i64>,
    /// `InterPodAffinity`; `None` if the plugin skips the pod.
    pub pod_affinity: Option<i64>,
    /// `NodeResourcesBalancedAllocation`; `None` if the plugin skips the pod.
    pub balanced_allocation: Option<i64>,
}

impl Scores {
    /// Returns the sum; a plugin that skips the pod counts 0.
    pub fn total(&self) -> i64 {
        let optional = [
            self.node_affinity,
            self.topology_spread,
            self.pod_affinity,
            self.balanced_allocation,
        ];
        let sum: i64 = optional.into_iter().flatten().sum();
        sum + self.taint_toleration + self.fit
    }

    /// Returns the score of a plugin; `None` if it skips the pod or scores nothing.
    pub fn of(&self, plugin: Plugin) -> Option<i64> {
        match plugin {
            Plugin::TaintToleration => Some(self.taint_toleration),
            Plugin::NodeAffinity => self.node_affinity,
            Plugin::NodeResourcesFit => Some(self.fit),
            Plugin::PodTopologySpread => self.topology_spread,
            Plugin::InterPodAffinity => self.pod_affinity,
            Plugin::NodeResourcesBalancedAllocation => self.balanced_allocation,
            Plugin::NodeUnschedulable | Plugin::NodeName | Plugin::NodePorts => None,
        }
    }
}

/// Choice among the nodes with the highest score, which a scheduler draws at random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ties {
    /// The first in the order of the nodes.
    #[default]
    First,
    /// A draw from this seed.
    Seeded(u64),
}

impl Ties {
    /// Returns one of the nodes; `draw` is the number of the choice, so that equal choices differ.
    /// `None` without a node.
    pub fn choose(self, best: &[usize], draw: u64) -> Option<usize> {
        match self {
            Self::First => best.first().copied(),
            Self::Seeded(seed) => {
                let count = u64::try_from(best.len()).unwrap_or(u64::MAX);
                let place = mixed(seed ^ mixed(draw)).checked_rem(count)?;
                best.get(usize::try_from(place).unwrap_or(0)).copied()
            }
        }
    }
}

/// Returns a number whose bits all depend on those of `seed` (the finalizer of SplitMix64).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Verdict on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// The node takes the pod.
    Feasible(&'a Scores),
    /// A filter refuses the node.
    Rejected(&'a Rejection),
    /// The affinity of the pod names other nodes, so no filter looks at this one.
    Excluded,
}

/// Verdicts of a scheduler on all nodes for one pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evaluation {
    /// Number of nodes.
    pub(crate) nodes: usize,
    /// Numbers of the feasible nodes, rising.
    pub(crate) feasible: Vec<usize>,
    /// Scores of the feasible nodes.
    pub(crate) scores: Vec<Scores>,
    /// Refused nodes, by rising number.
    pub(crate) rejected: Vec<(usize, Rejection)>,
    /// Whether the terms of the node affinity contradict themselves.
    pub(crate) conflict: bool,
}

impl Evaluation {
    /// Returns the numbers of the nodes that take the pod, rising.
    pub fn feasible(&self) -> &[usize] {
        &self.feasible
    }

    /// Returns the scores of the feasible nodes, in the same order.
    pub fn scores(&self) -> &[Scores] {
        &self.scores
    }

    /// Returns the refused nodes with the refusals, by rising number.
    pub fn rejected(&self) -> &[(usize, Rejection)] {
        &self.rejected
    }

    /// Returns the verdict on a node.
    pub fn verdict(&self, node: usize) -> Verdict<'_> {
        if let Ok(place) = self.feasible.binary_search(&node) {
            return Verdict::Feasible(&self.scores[place]);
        }
        match self.rejected.binary_search_by_key(&node, |(node, _)| *node) {
            Ok(place) => Verdict::Rejected(&self.rejected[place].1),
            Err(_) => Verdict::Excluded,
        }
    }

    /// Returns the nodes with the highest total, rising.
    pub fn best(&self) -> Vec<usize> {
        let totals = || self.scores.iter().map(Scores::total);
        let highest = totals().max();
        let nodes = self.feasible.iter().zip(totals());
        nodes
            .filter(|(_, total)| Some(*total) == highest)
            .map(|(&node, _)| node)
            .collect()
    }

    /// Returns the node for the pod, `draw` being its number among all choices; `None` if no node
    /// takes it.
    pub fn placed(&self, ties: Ties, draw: u64) -> Option<usize> {
        ties.choose(&self.best(), draw)
    }

    /// Returns the message of the scheduler about a pod that no node takes, without the part on
    /// preemption; `None` if some node takes it (`FitError.Error` in
    /// `pkg/scheduler/framework/types.go`).
    pub fn message(&self) -> Option<String> {
        if !self.feasible.is_empty() {
            return None;
        }
        if self.nodes == 0 {
            return Some("no nodes available to schedule pods".to_owned());
        }
        let all = self.nodes;
        if self.conflict {
            return Some(format!(
                "0/{all} nodes are available: pod affinity terms conflict."
            ));
        }
        let mut counts = BTreeMap::new();
        for reason in self.rejected.iter().flat_map(|(_, of)| &of.reasons) {
            *counts.entry(reason).or_insert(0_usize) += 1;
        }
        let excluded = match self.nodes - self.rejected.len() {
            0 => None,
            count => Some((count, "node(s) didn't satisfy plugin(s) [NodeAffinity]")),
        };
        let counted = counts
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"));
        let excluded = excluded.map(|(count, reason)| format!("{count} {reason}"));
        Some(fit_message(all, counted.chain(excluded)))
    }
}

/// Returns the message with these counted reasons, sorted as texts.
pub(crate) fn fit_message(nodes: usize, reasons: impl Iterator<Item = String>) -> String {
    let mut reasons: Vec<_> = reasons.collect();
    reasons.sort();
    format!("0/{nodes} nodes are available: {}.", reasons.join(", "))
}
