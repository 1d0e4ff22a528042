//! Scores of one class of equal pods on all nodes.

use crate::scoring::{MAX_NODE_SCORE, Use};

use super::changes::Changes;
use super::leaves::Leaves;
use super::node::{Nodes, Requests};
use super::score::{Scored, Scoring};

/// Verdicts of the plugins that look only at labels and taints of an admitted node, before they
/// are normalised over the feasible nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(super) struct Fixed {
    /// Number of taints that the pod would rather avoid (`TaintToleration`).
    pub(super) taints: i64,
    /// Sum of the weights of the preferred terms that match (`NodeAffinity`).
    pub(super) affinity: i64,
}

/// Weights of the plugins of [`Fixed`].
#[derive(Debug, Clone, Copy)]
pub(super) struct FixedWeights {
    /// Weight of `TaintToleration`; 0 if it does not score.
    pub(super) taints: i64,
    /// Weight of `NodeAffinity`; 0 if it does not score.
    pub(super) affinity: i64,
}

/// Nodes with the same [`Fixed`] verdicts: they differ only by their resources.
#[derive(Debug)]
pub(super) struct Group {
    fixed: Fixed,
    /// Nodes in ascending order.
    nodes: Places,
    leaves: Leaves,
}

/// Nodes of a group and their places in its leaves.
#[derive(Debug)]
enum Places {
    /// Every node, at the place of its number.
    All,
    /// These nodes, in ascending order.
    Some(Vec<u32>),
}

impl Group {
    fn node(&self, place: usize) -> usize {
        match &self.nodes {
            Places::All => place,
            Places::Some(nodes) => nodes.get(place).map_or(usize::MAX, |node| *node as usize),
        }
    }
}

/// Equal pods, and the score of each node for one of them.
///
/// `TaintToleration` and `NodeAffinity` normalise their scores by the highest one of all feasible
/// nodes. Nodes whose own scores by these plugins are equal form a group: the plugins add the
/// same number to all of its nodes, whichever nodes are feasible, so that the best node of each
/// group is the one with the best score of the other plugins.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) requests: Requests,
    scored: Scored,
    groups: Vec<Group>,
    /// Group and place of each node; absent if there is one group of all nodes.
    places: Option<Vec<Option<(u32, u32)>>>,
    /// Position in the log up to which the scores are those of the nodes.
    seen: Option<u64>,
}

/// Highest total score and the nodes that have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Best {
    /// Sum of all weighted scores.
    pub(super) total: i64,
    /// Nodes in ascending order; only the first one if no more were asked for.
    pub(super) nodes: Vec<usize>,
}

impl Class {
    /// Returns the class of pods with these requests and verdicts on nodes, of which `None`
    /// keeps the pods away from the node.
    pub(super) fn new(requests: Requests, scoring: &Scoring, fixed: &[Option<Fixed>]) -> Self {
        let mut kinds: Vec<Fixed> = fixed.iter().copied().flatten().collect();
        kinds.sort_unstable();
        kinds.dedup();
        let mut groups: Vec<(Fixed, Vec<u32>)> =
            kinds.into_iter().map(|kind| (kind, Vec::new())).collect();
        let mut places = Vec::with_capacity(fixed.len());
        for (node, of_node) in (0_u32..).zip(fixed) {
            let group = of_node.and_then(|of_node| {
                let group = groups
                    .binary_search_by_key(&of_node, |(kind, _)| *kind)
                    .ok()?;
                let place = u32::try_from(groups[group].1.len()).ok()?;
                groups[group].1.push(node);
                Some((u32::try_from(group).ok()?, place))
            });
            places.push(group);
        }
        let uniform = groups.len() == 1 && groups[0].1.len() == fixed.len();
        Self {
            scored: scoring.requests(&requests),
            requests,
            groups: groups
                .into_iter()
                .map(|(fixed, nodes)| Group {
                    fixed,
                    leaves: Leaves::new(nodes.len()),
                    nodes: if uniform {
                        Places::All
                    } else {
                        Places::Some(nodes)
                    },
                })
                .collect(),
            places: (!uniform).then_some(places),
            seen: None,
        }
    }

    /// Brings the scores up to date with the nodes.
    ///
    /// `blocked` tells of a node that it does not take the pods for a reason other than its
    /// resources.
    pub(super) fn update(
        &mut self,
        nodes: &Nodes,
        changes: &Changes,
        scoring: &Scoring,
        blocked: impl Fn(usize) -> bool,
        uses: &mut Vec<Use>,
    ) {
        let mut set = |node: usize| {
            let (group, place) = match &self.places {
                None => (0, node),
                Some(places) => match places.get(node).copied().flatten() {
                    Some((group, place)) => (group as usize, place as usize),
                    None => return,
                },
            };
            let rank = if nodes.fits(&self.requests, node) && !blocked(node) {
                rank(scoring.score(nodes, &self.scored, node, uses))
            } else {
                0
            };
            self.groups[group].leaves.set(place, rank);
        };
        match self.seen.and_then(|seen| changes.since(seen)) {
            Some(changed) => changed.for_each(&mut set),
            None => (0..nodes.len()).for_each(&mut set),
        }
        self.seen = Some(changes.end());
    }

    /// Returns the best nodes by the scores as they were last brought up to date; `None` if no
    /// node is feasible.
    pub(super) fn best(&self, weights: FixedWeights, all: bool) -> Option<Best> {
        let highest: Vec<_> = self
            .groups
            .iter()
            .map(|group| group.leaves.highest())
            .collect();
        let feasible = || {
            let groups = self.groups.iter().zip(&highest);
            groups.filter(|(_, rank)| **rank != 0)
        };
        let normal = Normal::over(feasible().map(|(group, _)| group.fixed));
        let total =
            |group: &Group, rank: u32| i64::from(rank) - 1 + normal.score(group.fixed, weights);
        let best = feasible().map(|(group, rank)| total(group, *rank)).max()?;
        let of_best = feasible().filter(|(group, rank)| total(group, **rank) == best);
        let nodes = if all {
            let places = of_best.flat_map(|(group, rank)| {
                group.leaves.places(*rank).map(|place| group.node(place))
            });
            let mut nodes: Vec<_> = places.collect();
            nodes.sort_unstable();
            nodes
        } else {
            let first = of_best.filter_map(|(group, rank)| {
                group.leaves.first(*rank).map(|place| group.node(place))
            });
            first.min().into_iter().collect()
        };
        Some(Best { total: best, nodes })
    }

    /// Calls a function with every feasible node, its score by resources and its verdicts.
    pub(super) fn feasible(&self, mut visit: impl FnMut(usize, i64, Fixed)) {
        for group in &self.groups {
            for (place, &rank) in group.leaves.ranks().iter().enumerate() {
                if rank != 0 {
                    visit(group.node(place), i64::from(rank) - 1, group.fixed);
                }
            }
        }
    }
}

/// Returns the rank of a score among the [`Leaves`]. Weights are checked when the engine is
/// made, so that no score is beyond the range.
fn rank(score: i64) -> u32 {
    u32::try_from(score.saturating_add(1)).unwrap_or(1).max(1)
}

/// Highest verdicts of the feasible nodes, by which the plugins normalise
/// (`DefaultNormalizeScore` in `plugins/helper/normalize_score.go`).
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Normal(Fixed);

impl Normal {
    /// Returns the highest verdicts.
    pub(super) fn over(feasible: impl Iterator<Item = Fixed>) -> Self {
        Self(feasible.fold(Fixed::default(), |highest, fixed| Fixed {
            taints: highest.taints.max(fixed.taints),
            affinity: highest.affinity.max(fixed.affinity),
        }))
    }

    /// Returns the weighted sum of the normalised scores.
    pub(super) fn score(self, fixed: Fixed, weights: FixedWeights) -> i64 {
        let part = |part: i64, highest: i64| (MAX_NODE_SCORE * part).checked_div(highest);
        let taints = MAX_NODE_SCORE - part(fixed.taints, self.0.taints).unwrap_or(0);
        let affinity = part(fixed.affinity, self.0.affinity).unwrap_or(0);
        weights.taints * taints + weights.affinity * affinity
    }
}
