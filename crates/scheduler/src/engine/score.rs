//! Scores of a class of pods on a node by the node's resources.

use crate::cluster::ResourceIndex;
use crate::scoring::{self, MAX_NODE_SCORE, Shape, Use};

use super::node::{CPU, MEMORY, NodeState, Nodes, Requests};

/// Strategy of `NodeResourcesFit` (`ScoringStrategyType`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Strategy {
    /// Prefers nodes with much left.
    Least,
    /// Prefers nodes with little left.
    Most,
    /// Prefers nodes by a function of their utilisation.
    Ratio(Shape),
}

/// Weights and resources of the two plugins.
#[derive(Debug, Clone)]
pub(super) struct Scoring {
    /// Strategy of `NodeResourcesFit`.
    pub(super) strategy: Strategy,
    /// Resources of `NodeResourcesFit` and their weights.
    pub(super) fit_resources: Vec<(usize, i64)>,
    /// Weight of `NodeResourcesFit`; 0 if it does not score.
    pub(super) fit_weight: i64,
    /// Resources of `NodeResourcesBalancedAllocation`.
    pub(super) balanced_resources: Vec<usize>,
    /// Weight of `NodeResourcesBalancedAllocation`; 0 if it does not score.
    pub(super) balanced_weight: i64,
    /// Whether the balance is that of Kubernetes up to 1.35.
    pub(super) balance_is_absolute: bool,
}

/// Requests of a class in the order of the plugins' resources.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    fit: Vec<i64>,
    /// Absent for a pod without requests, for which the plugin is skipped (its `PreScore`).
    balanced: Option<Vec<i64>>,
    /// Present if the plugins look at CPU and memory alone.
    short: Option<Short>,
}

/// Requests of CPU and memory.
#[derive(Debug, Clone)]
struct Short {
    plain: [i64; 2],
    nonzero: [i64; 2],
    weights: [i64; 2],
    balanced: bool,
}

/// Largest weight of a resource for the shorter way to the scores.
const LARGE_WEIGHT: i64 = 1 << 20;

impl Scoring {
    /// Returns the requests of a class for [`Self::score`].
    pub(super) fn requests(&self, requests: &Requests) -> Scored {
        let request = |plain: [i64; 2], resource: usize| match plain.get(resource) {
            Some(amount) => *amount,
            None => {
                let mut others = requests.others.iter();
                others
                    .find(|(number, _)| *number == resource)
                    .map_or(0, |(_, amount)| *amount)
            }
        };
        let fit = self.fit_resources.iter();
        let balanced: Vec<_> = self
            .balanced_resources
            .iter()
            .map(|&resource| request(requests.plain, resource))
            .collect();
        let short = match (&self.fit_resources[..], &self.balanced_resources[..]) {
            (&[(CPU, cpu), (MEMORY, memory)], &[CPU, MEMORY])
                if (1..LARGE_WEIGHT).contains(&cpu) && (1..LARGE_WEIGHT).contains(&memory) =>
            {
                Some(Short {
                    plain: requests.plain,
                    nonzero: requests.nonzero,
                    weights: [cpu, memory],
                    balanced: requests.plain != [0; 2],
                })
            }
            _ => None,
        };
        Scored {
            short,
            fit: fit
                .map(|&(resource, _)| request(requests.nonzero, resource))
                .collect(),
            balanced: balanced
                .iter()
                .any(|amount| *amount != 0)
                .then_some(balanced),
        }
    }

    /// Returns the weighted sum of both scores of a node.
    pub(super) fn score(
        &self,
        nodes: &Nodes,
        pod: &Scored,
        node: usize,
        uses: &mut Vec<Use>,
    ) -> i64 {
        let state = nodes.state(node);
        let short = pod.short.as_ref().filter(|_| state.is_ordinary());
        match short.and_then(|requests| self.short(state, requests)) {
            Some(score) => score,
            None => self.long(nodes, pod, node, uses),
        }
    }

    /// Returns the same sum for the usual resources, CPU and memory, and the usual strategies
    /// with fewer divisions: scoring is most of the work of a placement.
    fn short(&self, state: &NodeState, requests: &Short) -> Option<i64> {
        let percent = |resource: usize| {
            let requested = state.nonzero[resource].saturating_add(requests.nonzero[resource]);
            let of_all = state.allocatable[resource];
            let part = match self.strategy {
                _ if requested < 0 => return None,
                Strategy::Least => of_all.saturating_sub(requested).max(0),
                Strategy::Most => requested.min(of_all),
                Strategy::Ratio(_) => return None,
            };
            Some(quotient(
                part * MAX_NODE_SCORE,
                of_all,
                part,
                state.inverse[resource],
            ))
        };
        let [cpu_weight, memory_weight] = requests.weights;
        let sum = percent(CPU)? * cpu_weight + percent(MEMORY)? * memory_weight;
        let fit = u32::try_from(sum).ok()? / u32::try_from(cpu_weight + memory_weight).ok()?;
        let mut total = self.fit_weight * i64::from(fit);
        if requests.balanced {
            let with_pod = state.balance_with(requests.plain);
            let score = if self.balance_is_absolute {
                with_pod
            } else {
                scoring::improvement(with_pod, state.balance)
            };
            total += self.balanced_weight * score;
        }
        Some(total)
    }

    fn long(&self, nodes: &Nodes, pod: &Scored, node: usize, uses: &mut Vec<Use>) -> i64 {
        let mut total = 0;
        if self.fit_weight != 0 {
            uses.clear();
            for (&(resource, weight), &request) in self.fit_resources.iter().zip(&pod.fit) {
                let (allocatable, requested) = nodes.amounts(resource, node);
                let allocated = match resource {
                    CPU | MEMORY => nodes.state(node).nonzero[resource],
                    _ => requested,
                };
                uses.push(used(resource, weight, allocated, request, allocatable));
            }
            total += self.fit_weight * self.fit(uses);
        }
        if let Some(balanced) = pod.balanced.as_ref().filter(|_| self.balanced_weight != 0) {
            uses.clear();
            for (&resource, &request) in self.balanced_resources.iter().zip(balanced) {
                let (allocatable, requested) = nodes.amounts(resource, node);
                uses.push(used(resource, 1, requested, request, allocatable));
            }
            let score = if self.balance_is_absolute {
                scoring::balanced_allocation_1_34(uses)
            } else {
                scoring::balanced_allocation(uses)
            };
            total += self.balanced_weight * score;
        }
        total
    }

    fn fit(&self, uses: &[Use]) -> i64 {
        match &self.strategy {
            Strategy::Least => scoring::least_allocated(uses),
            Strategy::Most => scoring::most_allocated(uses),
            Strategy::Ratio(shape) => scoring::requested_to_capacity_ratio(uses, shape),
        }
    }
}

/// Returns the use of a resource. An extended resource that the pod does not request does not
/// count (`calculateNodeAllocatableRequest`).
fn used(resource: usize, weight: i64, allocated: i64, request: i64, allocatable: i64) -> Use {
    let counts = !ResourceIndex(resource).is_scalar() || request != 0;
    Use::with_pod(
        weight,
        allocated,
        request,
        if counts { allocatable } else { 0 },
    )
}

/// Divides exactly: `dividend` is a hundred times `part`, `inverse` a hundred divided by the
/// divisor. The product of doubles is off by one at most, and is put right with integers.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the quotient is from 0 to 100"
)]
fn quotient(dividend: i64, divisor: i64, part: i64, inverse: f64) -> i64 {
    let near = (part as f64 * inverse) as i64;
    let product = near * divisor;
    if product > dividend {
        near - 1
    } else if dividend - product >= divisor {
        near + 1
    } else {
        near
    }
}
