//! Best nodes of a class with rules: one look at each feasible node.

use crate::cluster::Cluster;
use crate::plugins::{pod_affinity, spread};
use crate::profile::Weights;

use super::class::{Best, Class, Fixed, FixedWeights, Normal};
use super::counter::{Counters, Division};
use super::rules::{ClassRules, HardSpread};

/// Feasible nodes with what their scores are made of.
#[derive(Debug, Default)]
pub(super) struct Scan {
    nodes: Vec<usize>,
    scores: Vec<i64>,
    fixed: Vec<Fixed>,
}

/// What a scan reads beside the class.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) counters: &'a Counters,
    pub(super) rules: &'a ClassRules,
    /// Whether a node without one of the labels of the soft constraints gets no score.
    pub(super) needs_labels: bool,
}

impl Scan {
    /// Returns the best nodes; `None` if no node is feasible.
    pub(super) fn best(
        &mut self,
        class: &Class,
        place: Place<'_>,
        fixed_weights: FixedWeights,
        weights: &Weights,
        all: bool,
    ) -> Option<Best> {
        self.filter(class, place);
        let normal = Normal::over(self.fixed.iter().copied());
        let mut totals: Vec<i64> = self
            .scores
            .iter()
            .zip(&self.fixed)
            .map(|(score, fixed)| score + normal.score(*fixed, fixed_weights))
            .collect();
        if !place.rules.soft.is_empty() && weights.topology_spread != 0 {
            add(&mut totals, &self.spread(place), weights.topology_spread);
        }
        if place.rules.preferred().next().is_some() && weights.pod_affinity != 0 {
            add(&mut totals, &self.preferred(place), weights.pod_affinity);
        }
        let best = totals.iter().copied().max()?;
        let with_best = self
            .nodes
            .iter()
            .zip(&totals)
            .filter(|(_, total)| **total == best);
        let mut nodes: Vec<_> = with_best.map(|(node, _)| *node).collect();
        nodes.sort_unstable();
        if !all {
            nodes.truncate(1);
        }
        Some(Best { total: best, nodes })
    }

    /// Collects the nodes that the filters leave.
    fn filter(&mut self, class: &Class, place: Place<'_>) {
        self.nodes.clear();
        self.scores.clear();
        self.fixed.clear();
        let Place {
            cluster,
            counters,
            rules,
            ..
        } = place;
        let limits: Vec<_> = rules
            .hard
            .iter()
            .map(|part| limit(part, counters))
            .collect();
        let spreads = |node: usize| {
            rules.hard.iter().zip(&limits).all(|(part, limit)| {
                let pods = counters.of(cluster, part.counter, node);
                pods.is_some_and(|pods| pods <= *limit)
            })
        };
        let is_first = rules.matches_itself
            && rules
                .affinity
                .iter()
                .all(|counter| counters.total(*counter) == 0);
        let has_company = |node: usize| {
            rules.affinity.iter().all(|counter| {
                let pods = counters.of(cluster, *counter, node);
                pods.is_some_and(|pods| pods > 0 || is_first)
            })
        };
        let refusing: Vec<_> = rules.refusing().collect();
        let is_refused = |node: usize| {
            let mut pods = refusing
                .iter()
                .map(|counter| counters.of(cluster, *counter, node));
            pods.any(|pods| pods.is_some_and(|pods| pods > 0))
        };
        class.feasible(|node, score, fixed| {
            if spreads(node) && has_company(node) && !is_refused(node) {
                self.nodes.push(node);
                self.scores.push(score);
                self.fixed.push(fixed);
            }
        });
    }

    /// Returns the scores by the constraints of spread that only prefer nodes.
    fn spread(&self, place: Place<'_>) -> Vec<i64> {
        let Place {
            cluster,
            counters,
            rules,
            needs_labels,
        } = place;
        let lacks = |node: usize| {
            let mut soft = rules.soft.iter();
            soft.any(|part| cluster.topology(part.topology).domain(node).is_none())
        };
        let ignored: Vec<_> = self
            .nodes
            .iter()
            .map(|node| needs_labels && lacks(*node))
            .collect();
        let scored = || {
            let nodes = self.nodes.iter().zip(&ignored).enumerate();
            nodes
                .filter(|(_, (_, ignored))| !**ignored)
                .map(|(at, (node, _))| (at, *node))
        };
        let mut raw = vec![0.0_f64; self.nodes.len()];
        for part in &rules.soft {
            let division = counters.division(part.counter);
            let sums = counters.sums(part.counter);
            let domains = match division {
                Division::Node => scored().count(),
                _ => {
                    // One more place for the nodes that are in no domain.
                    let mut is_present = vec![false; sums.len() + 1];
                    for (_, node) in scored() {
                        let domain = division.domain(cluster, node).unwrap_or(sums.len());
                        is_present[domain] = true;
                    }
                    is_present.iter().filter(|present| **present).count()
                }
            };
            let weight = spread::weight(domains);
            for (at, node) in scored() {
                let Some(domain) = cluster.topology(part.topology).domain(node) else {
                    continue;
                };
                let pods = match division {
                    Division::Node => sums[node],
                    _ => sums[domain],
                };
                raw[at] += pods as f64 * weight + (part.max_skew - 1) as f64;
            }
        }
        spread::normalized(&raw, &ignored)
    }

    /// Returns the scores by the pods that are preferred as neighbours.
    fn preferred(&self, place: Place<'_>) -> Vec<i64> {
        let mut raw = vec![0_i64; self.nodes.len()];
        for counter in place.rules.preferred() {
            for (sum, node) in raw.iter_mut().zip(&self.nodes) {
                *sum += place
                    .counters
                    .of(place.cluster, counter, *node)
                    .unwrap_or(0);
            }
        }
        pod_affinity::normalized(&raw)
    }
}

/// Returns the largest number of pods with which a domain takes one more.
fn limit(part: &HardSpread, counters: &Counters) -> i64 {
    let sums = counters.sums(part.counter);
    let least = if part.domains.len() < part.min_domains {
        0
    } else {
        let pods = part.domains.iter().map(|domain| sums[*domain]);
        pods.min().unwrap_or(spread::NO_DOMAIN)
    };
    part.max_skew + least - part.own
}

fn add(totals: &mut [i64], scores: &[i64], weight: i64) {
    for (total, score) in totals.iter_mut().zip(scores) {
        *total += score * weight;
    }
}
