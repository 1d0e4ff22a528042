//! Affinity to pods and aversion to them: the plugin `InterPodAffinity`.
//!
//! The sources are `interpodaffinity/filtering.go` and `scoring.go`.

use std::collections::BTreeMap;

use crate::cluster::class::PodTerm;
use crate::cluster::topology::TopologyIndex;
use crate::cluster::{Class, Cluster};
use crate::evaluation::{Reason, Rejection};
use crate::plugin::Plugin;
use crate::scoring::MAX_NODE_SCORE;

/// Weight of a required term of a pod on a node for the score of the nodes in its domain
/// (`HardPodAffinityWeight` of the default configuration).
pub(crate) const REQUIRED_WEIGHT: i64 = 1;

/// Number of pods, or sum of weights, in each domain of each topology.
#[derive(Debug, Clone, Default)]
struct DomainSums(BTreeMap<(TopologyIndex, usize), i64>);

impl DomainSums {
    fn add(&mut self, cluster: &Cluster, term: &PodTerm, node: usize, amount: i64) {
        if let Some(domain) = cluster.topology(term.topology).domain(node) {
            *self.0.entry((term.topology, domain)).or_insert(0) += amount;
        }
    }

    /// Adds, and forgets a domain whose sum is 0.
    fn change(&mut self, cluster: &Cluster, term: &PodTerm, node: usize, amount: i64) {
        self.add(cluster, term, node, amount);
        if let Some(domain) = cluster.topology(term.topology).domain(node) {
            let key = (term.topology, domain);
            if self.0.get(&key) == Some(&0) {
                self.0.remove(&key);
            }
        }
    }

    fn get(&self, topology: TopologyIndex, domain: usize) -> i64 {
        self.0.get(&(topology, domain)).copied().unwrap_or(0)
    }
}

/// Counts of the pods that the terms of the pod to place match, and of pods whose terms match it.
#[derive(Debug)]
pub(crate) struct AffinityFilter<'a> {
    class: &'a Class,
    /// Pods that match all terms of affinity.
    affinity: DomainSums,
    anti_affinity: DomainSums,
    /// Pods with a term of aversion that matches the pod to place.
    existing_anti: DomainSums,
}

impl<'a> AffinityFilter<'a> {
    /// Counts the pods (`PreFilter`).
    pub fn new(cluster: &Cluster, class: &'a Class) -> Self {
        let mut filter = Self {
            class,
            affinity: DomainSums::default(),
            anti_affinity: DomainSums::default(),
            existing_anti: DomainSums::default(),
        };
        let needs_all = !(class.affinity.is_empty() && class.anti_affinity.is_empty());
        let placed = cluster.classes().iter();
        let placed = placed.filter(|other| !other.on_nodes.is_empty());
        for other in placed.filter(|other| needs_all || !other.anti_affinity.is_empty()) {
            let matches = filter.matches(cluster, other);
            for (node, count) in other.on_nodes() {
                filter.count(cluster, other, &matches, node, i64::from(count));
            }
        }
        filter
    }

    fn matches(&self, cluster: &Cluster, other: &Class) -> Matches {
        let namespace = cluster.namespace_labels(&self.class.namespace);
        Matches {
            affinity: matches_all(&self.class.affinity, other),
            anti_affinity: each(&self.class.anti_affinity, |term| {
                term.matches_existing(other)
            }),
            existing_anti: each(&other.anti_affinity, |term| {
                term.matches_incoming(self.class, namespace)
            }),
        }
    }

    fn count(
        &mut self,
        cluster: &Cluster,
        other: &Class,
        matches: &Matches,
        node: usize,
        count: i64,
    ) {
        let class = self.class;
        if matches.affinity {
            for term in &class.affinity {
                self.affinity.change(cluster, term, node, count);
            }
        }
        for &term in &matches.anti_affinity {
            let term = &class.anti_affinity[term];
            self.anti_affinity.change(cluster, term, node, count);
        }
        for &term in &matches.existing_anti {
            let term = &other.anti_affinity[term];
            self.existing_anti.change(cluster, term, node, count);
        }
    }

    /// Counts a pod that is put on a node (`sign` 1) or taken off it (-1) (`updateWithPod`).
    pub fn change(&mut self, cluster: &Cluster, node: usize, other: &Class, sign: i64) {
        let matches = self.matches(cluster, other);
        self.count(cluster, other, &matches, node, sign);
    }

    /// Refuses a node by the pods in its domains.
    pub fn filter(&self, cluster: &Cluster, node: usize) -> Result<(), Rejection> {
        let reject = |reason, resolvable| {
            Err(Rejection {
                plugin: Plugin::InterPodAffinity,
                resolvable,
                reasons: vec![reason],
            })
        };
        if !self.satisfies_affinity(cluster, node) {
            return reject(Reason::PodAffinity, false);
        }
        let collides = |term: &PodTerm| {
            let domain = cluster.topology(term.topology).domain(node);
            domain.is_some_and(|domain| self.anti_affinity.get(term.topology, domain) > 0)
        };
        if self.class.anti_affinity.iter().any(collides) {
            return reject(Reason::PodAntiAffinity, true);
        }
        if self.existing_refuse(cluster, node) {
            return reject(Reason::ExistingAntiAffinity, true);
        }
        Ok(())
    }

    fn satisfies_affinity(&self, cluster: &Cluster, node: usize) -> bool {
        let mut pods_exist = true;
        for term in &self.class.affinity {
            let Some(domain) = cluster.topology(term.topology).domain(node) else {
                return false;
            };
            pods_exist &= self.affinity.get(term.topology, domain) > 0;
        }
        // The first pod of a group that wants to be together goes anywhere.
        pods_exist || (self.affinity.0.is_empty() && matches_all(&self.class.affinity, self.class))
    }

    fn existing_refuse(&self, cluster: &Cluster, node: usize) -> bool {
        let mut topology = None;
        for &(index, _) in self.existing_anti.0.keys() {
            if topology == Some(index) {
                continue;
            }
            topology = Some(index);
            let domain = cluster.topology(index).domain(node);
            if domain.is_some_and(|domain| self.existing_anti.get(index, domain) > 0) {
                return true;
            }
        }
        false
    }
}

/// Terms that match, by their numbers.
struct Matches {
    affinity: bool,
    anti_affinity: Vec<usize>,
    existing_anti: Vec<usize>,
}

fn each(terms: &[PodTerm], matches: impl Fn(&PodTerm) -> bool) -> Vec<usize> {
    let all = terms.iter().enumerate();
    all.filter(|(_, term)| matches(term))
        .map(|(number, _)| number)
        .collect()
}

/// Returns whether a pod matches all of the terms, of which there are some
/// (`podMatchesAllAffinityTerms`).
pub(crate) fn matches_all(terms: &[PodTerm], other: &Class) -> bool {
    !terms.is_empty() && terms.iter().all(|term| term.matches_existing(other))
}

/// Scores of the feasible nodes by the preferences of the pod and of the pods on nodes; `None` if
/// the plugin skips the pod.
pub(crate) fn scores(cluster: &Cluster, class: &Class, feasible: &[usize]) -> Option<Vec<i64>> {
    let sums = preferences(cluster, class);
    if sums.0.is_empty() {
        return None;
    }
    let mut topologies: Vec<_> = sums.0.keys().map(|&(topology, _)| topology).collect();
    topologies.dedup();
    let raw = feasible.iter().map(|&node| {
        let sums = topologies.iter().filter_map(|&topology| {
            let domain = cluster.topology(topology).domain(node)?;
            Some(sums.get(topology, domain))
        });
        sums.sum::<i64>()
    });
    Some(normalized(&raw.collect::<Vec<_>>()))
}

/// Returns the sums of the weights of the terms that match (`PreScore`).
fn preferences(cluster: &Cluster, class: &Class) -> DomainSums {
    let namespace = cluster.namespace_labels(&class.namespace);
    let mut sums = DomainSums::default();
    let has_own = !(class.preferred.is_empty() && class.preferred_anti.is_empty());
    let placed = cluster.classes().iter();
    let placed = placed.filter(|other| !other.on_nodes.is_empty());
    for other in placed.filter(|other| has_own || other.has_pod_terms()) {
        let own = weighted(&class.preferred, 1, |term| term.matches_existing(other));
        let own_anti = weighted(&class.preferred_anti, -1, |term| {
            term.matches_existing(other)
        });
        let required = other.affinity.iter();
        let required = required
            .filter(|term| term.matches_incoming(class, namespace))
            .map(|term| (REQUIRED_WEIGHT, term));
        let theirs = weighted(&other.preferred, 1, |term| {
            term.matches_incoming(class, namespace)
        });
        let theirs_anti = weighted(&other.preferred_anti, -1, |term| {
            term.matches_incoming(class, namespace)
        });
        let terms: Vec<_> = own
            .chain(own_anti)
            .chain(required)
            .chain(theirs)
            .chain(theirs_anti)
            .collect();
        for (node, count) in other.on_nodes() {
            for &(weight, term) in &terms {
                sums.add(cluster, term, node, weight.saturating_mul(count.into()));
            }
        }
    }
    sums
}

fn weighted<'a>(
    terms: &'a [(i64, PodTerm)],
    sign: i64,
    matches: impl Fn(&PodTerm) -> bool + 'a,
) -> impl Iterator<Item = (i64, &'a PodTerm)> + 'a {
    terms
        .iter()
        .filter(move |(_, term)| matches(term))
        .map(move |(weight, term)| (sign * weight, term))
}

/// Maps sums to 0 to 100 (`NormalizeScore`).
pub(crate) fn normalized(raw: &[i64]) -> Vec<i64> {
    let least = raw.iter().copied().min().unwrap_or(0);
    let range = raw.iter().copied().max().unwrap_or(0).saturating_sub(least);
    let score = |&raw: &i64| {
        if range == 0 {
            return 0;
        }
        let part = raw.saturating_sub(least) as f64 / range as f64;
        #[expect(clippy::cast_possible_truncation, reason = "at most 100")]
        let score = (MAX_NODE_SCORE as f64 * part) as i64;
        score
    };
    raw.iter().map(score).collect()
}
