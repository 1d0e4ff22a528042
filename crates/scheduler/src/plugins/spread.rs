//! Spreading over domains: the plugin `PodTopologySpread`.
//!
//! The sources are `podtopologyspread/common.go`, `filtering.go` and `scoring.go`.

use std::collections::BTreeMap;

use crate::cluster::class::SpreadConstraint;
use crate::cluster::{Class, Cluster};
use crate::evaluation::{Reason, Rejection};
use crate::plugin::Plugin;
use crate::scoring::MAX_NODE_SCORE;
use crate::spec::selector::Selector;
use crate::spec::taints;

/// Least count of a constraint without any domain (`newCriticalPaths`).
pub(crate) const NO_DOMAIN: i64 = i32::MAX as i64;

/// Counts of the pods in the domains of the constraints that refuse nodes.
#[derive(Debug)]
pub(crate) struct SpreadFilter<'a> {
    namespace: &'a str,
    parts: Vec<Part<'a>>,
}

#[derive(Debug)]
struct Part<'a> {
    constraint: &'a SpreadConstraint,
    /// 1 if the pod itself is counted.
    own: i64,
    /// Whether a node's pods are counted.
    counted: Vec<bool>,
    /// Pods in each domain.
    pods: Vec<i64>,
    /// Number of domains by the number of their pods, of the domains with a counted node.
    domains: BTreeMap<i64, usize>,
    /// Number of domains with a counted node.
    domain_count: usize,
}

impl<'a> SpreadFilter<'a> {
    /// Counts the pods (`calPreFilterState`).
    pub fn new(cluster: &Cluster, class: &'a Class) -> Self {
        let constraints = &class.spread_hard;
        let parts = constraints.iter().map(|constraint| {
            let counted = counted_nodes(cluster, class, constraint, constraints, true);
            let topology = cluster.topology(constraint.topology);
            let mut pods = vec![0_i64; topology.len()];
            let mut is_present = vec![false; topology.len()];
            for node in (0..counted.len()).filter(|&node| counted[node]) {
                if let Some(domain) = topology.domain(node) {
                    is_present[domain] = true;
                }
            }
            matching(
                cluster,
                &constraint.selector,
                &class.namespace,
                |node, count| {
                    if counted[node]
                        && let Some(domain) = topology.domain(node)
                    {
                        pods[domain] += count;
                    }
                },
            );
            let mut domains = BTreeMap::new();
            for (domain, &count) in pods.iter().enumerate() {
                if is_present[domain] {
                    *domains.entry(count).or_insert(0) += 1;
                }
            }
            Part {
                constraint,
                own: i64::from(constraint.selector.matches(class.labels())),
                counted,
                pods,
                domain_count: domains.values().sum(),
                domains,
            }
        });
        Self {
            namespace: &class.namespace,
            parts: parts.collect(),
        }
    }

    /// Refuses a node whose domains have too many pods.
    pub fn filter(&self, cluster: &Cluster, node: usize) -> Result<(), Rejection> {
        for part in &self.parts {
            let reject = |reason, resolvable| Rejection {
                plugin: Plugin::PodTopologySpread,
                resolvable,
                reasons: vec![reason],
            };
            let topology = cluster.topology(part.constraint.topology);
            let Some(domain) = topology.domain(node) else {
                return Err(reject(Reason::SpreadLabel, false));
            };
            let skew = part.pods[domain] + part.own - part.least();
            if skew > part.constraint.max_skew {
                return Err(reject(Reason::Spread, true));
            }
        }
        Ok(())
    }

    /// Counts a pod that is put on a node (`sign` 1) or taken off it (-1) (`updateWithPod`).
    pub fn change(&mut self, cluster: &Cluster, node: usize, class: &Class, sign: i64) {
        if *class.namespace != *self.namespace {
            return;
        }
        for part in &mut self.parts {
            if !part.counted[node] || !part.constraint.selector.matches(class.labels()) {
                continue;
            }
            let Some(domain) = cluster.topology(part.constraint.topology).domain(node) else {
                continue;
            };
            let before = part.pods[domain];
            if let Some(count) = part.domains.get_mut(&before) {
                *count -= 1;
                if *count == 0 {
                    part.domains.remove(&before);
                }
            }
            part.pods[domain] = before + sign;
            *part.domains.entry(before + sign).or_insert(0) += 1;
        }
    }
}

impl Part<'_> {
    /// Returns the number of pods in the domain with the fewest (`minMatchNum`).
    fn least(&self) -> i64 {
        if self.domain_count < self.constraint.min_domains {
            return 0;
        }
        let fewest = self.domains.first_key_value();
        fewest.map_or(NO_DOMAIN, |(&count, _)| count)
    }
}

/// Returns for each node whether its pods are counted: it has the labels of all constraints, if
/// they are needed, and the policies of this one include it.
pub(crate) fn counted_nodes(
    cluster: &Cluster,
    class: &Class,
    constraint: &SpreadConstraint,
    all: &[SpreadConstraint],
    needs_labels: bool,
) -> Vec<bool> {
    let tolerations = &class.template.spec.tolerations;
    let counted = |(number, node): (usize, &crate::cluster::NodeState)| {
        let node = &node.node;
        (!needs_labels || has_labels(cluster, number, all))
            && (!constraint.honours_affinity
                || class.node_affinity.matches(&node.name, &node.labels))
            && (!constraint.honours_taints
                || taints::untolerated(&node.taints, tolerations).is_none())
    };
    cluster.nodes().iter().enumerate().map(counted).collect()
}

fn has_labels(cluster: &Cluster, node: usize, constraints: &[SpreadConstraint]) -> bool {
    constraints
        .iter()
        .all(|constraint| cluster.topology(constraint.topology).domain(node).is_some())
}

/// Calls `count` with every node that has pods that the selector selects, and their number
/// (`countPodsMatchSelector`).
fn matching(
    cluster: &Cluster,
    selector: &Selector,
    namespace: &str,
    mut count: impl FnMut(usize, i64),
) {
    if selector.is_everything() {
        return;
    }
    let classes = cluster.classes().iter().filter(|class| {
        !class.on_nodes.is_empty()
            && *class.namespace == *namespace
            && selector.matches(class.labels())
    });
    for (node, pods) in classes.flat_map(Class::on_nodes) {
        count(node, i64::from(pods));
    }
}

/// Scores of the feasible nodes by the constraints that only prefer nodes; `None` if the plugin
/// skips the pod.
pub(crate) fn scores(cluster: &Cluster, class: &Class, feasible: &[usize]) -> Option<Vec<i64>> {
    let constraints = class.spread_soft.as_slice();
    if constraints.is_empty() {
        return None;
    }
    let needs_labels = class.spread_needs_all_labels;
    let ignored: Vec<_> = feasible
        .iter()
        .map(|&node| needs_labels && !has_labels(cluster, node, constraints))
        .collect();
    let mut raw = vec![0.0_f64; feasible.len()];
    for constraint in constraints {
        let scored = feasible.iter().zip(&ignored);
        let scored = scored
            .filter(|(_, ignored)| !**ignored)
            .map(|(node, _)| *node);
        let counts = Counts::new(cluster, class, constraint, scored);
        for ((raw, &node), _) in raw
            .iter_mut()
            .zip(feasible)
            .zip(&ignored)
            .filter(|(_, ignored)| !**ignored)
        {
            if let Some(pods) = counts.of(cluster, node) {
                *raw += pods as f64 * counts.weight + (constraint.max_skew - 1) as f64;
            }
        }
    }
    Some(normalized(&raw, &ignored))
}

/// Pods that a constraint counts for each node.
struct Counts<'a> {
    constraint: &'a SpreadConstraint,
    /// By node for the constraint on hosts, otherwise by domain.
    pods: Vec<i64>,
    /// Factor that keeps the counts of few domains from being outweighed by those of many.
    weight: f64,
}

impl<'a> Counts<'a> {
    fn new(
        cluster: &Cluster,
        class: &Class,
        constraint: &'a SpreadConstraint,
        scored: impl Iterator<Item = usize>,
    ) -> Self {
        let topology = cluster.topology(constraint.topology);
        if constraint.is_hostname {
            let mut pods = vec![0_i64; cluster.nodes().len()];
            matching(
                cluster,
                &constraint.selector,
                &class.namespace,
                |node, count| {
                    pods[node] += count;
                },
            );
            return Self {
                constraint,
                pods,
                weight: weight(scored.count()),
            };
        }
        // A missing label counts as an empty value.
        let domain = |node| topology.domain(node).or(topology.empty_value());
        let mut is_present = vec![false; topology.len()];
        let mut lacks = false;
        for node in scored {
            match domain(node) {
                Some(domain) => is_present[domain] = true,
                None => lacks = true,
            }
        }
        let needs_labels = class.spread_needs_all_labels;
        let all = &class.spread_soft;
        let counted = counted_nodes(cluster, class, constraint, all, needs_labels);
        let mut pods = vec![0_i64; topology.len()];
        matching(
            cluster,
            &constraint.selector,
            &class.namespace,
            |node, count| {
                if counted[node]
                    && let Some(domain) = domain(node)
                {
                    pods[domain] += count;
                }
            },
        );
        let present = is_present.iter().filter(|present| **present).count();
        Self {
            constraint,
            pods,
            weight: weight(present + usize::from(lacks)),
        }
    }

    /// Returns the number for a node; `None` if it lacks the label.
    fn of(&self, cluster: &Cluster, node: usize) -> Option<i64> {
        let domain = cluster.topology(self.constraint.topology).domain(node)?;
        Some(if self.constraint.is_hostname {
            self.pods[node]
        } else {
            self.pods[domain]
        })
    }
}

/// Returns the weight of a constraint with so many domains (`topologyNormalizingWeight`), with one
/// implementation of the logarithm on every machine.
pub(crate) fn weight(domains: usize) -> f64 {
    libm::log((domains + 2) as f64)
}

/// Turns sums, of which less is better, into scores (`NormalizeScore`).
pub(crate) fn normalized(raw: &[f64], ignored: &[bool]) -> Vec<i64> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "such a cast saturates, and the sums are small"
    )]
    let rounded: Vec<_> = raw.iter().map(|raw| raw.round() as i64).collect();
    let counted = || {
        let all = rounded.iter().zip(ignored);
        all.filter(|(_, ignored)| !**ignored).map(|(raw, _)| *raw)
    };
    let (least, most) = (
        counted().min().unwrap_or(i64::MAX),
        counted().max().unwrap_or(0).max(0),
    );
    let score = |(&raw, &ignored): (&i64, &bool)| match (ignored, most) {
        (true, _) => 0,
        (false, 0) => MAX_NODE_SCORE,
        (false, most) => MAX_NODE_SCORE.saturating_mul(most + least - raw) / most,
    };
    rounded.iter().zip(ignored).map(score).collect()
}
