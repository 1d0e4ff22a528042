//! Rules of classes about the places of other pods: topology spread and affinity between pods.
//!
//! Whether a rule concerns pods of another class is decided once for each pair of classes. From
//! then on, counters by domain follow each placement, so that a pod is placed without a look at
//! any other pod.

use std::collections::BTreeMap;

use crate::cluster::class::{PodTerm, SpreadConstraint};
use crate::cluster::topology::TopologyIndex;
use crate::cluster::{Class, Cluster};
use crate::plugins::pod_affinity::{REQUIRED_WEIGHT, matches_all};
use crate::plugins::spread::counted_nodes;

use super::counter::{CounterId, Counters, Division};

/// Constraint of spread that refuses nodes.
#[derive(Debug)]
pub(super) struct HardSpread {
    pub(super) counter: CounterId,
    pub(super) max_skew: i64,
    /// 1 if the pod itself is counted.
    pub(super) own: i64,
    /// Domains with a node whose pods are counted.
    pub(super) domains: Vec<usize>,
    pub(super) min_domains: usize,
}

/// Constraint of spread that scores nodes.
#[derive(Debug)]
pub(super) struct SoftSpread {
    pub(super) counter: CounterId,
    pub(super) topology: TopologyIndex,
    pub(super) max_skew: i64,
}

/// Rules of one class.
#[derive(Debug, Default)]
pub(super) struct ClassRules {
    pub(super) hard: Vec<HardSpread>,
    pub(super) soft: Vec<SoftSpread>,
    /// Counts, for each term of affinity, of the pods that match all terms.
    pub(super) affinity: Vec<CounterId>,
    /// Whether the pod matches its own terms of affinity.
    pub(super) matches_itself: bool,
    /// Counts of the pods that keep the class out of their domains: by its own terms or theirs.
    refusing: BTreeMap<TopologyIndex, CounterId>,
    /// Sums of the weights of pods in whose domains the class would rather be.
    preferred: BTreeMap<TopologyIndex, CounterId>,
}

impl ClassRules {
    /// Returns whether nothing but resources, ports and labels decides.
    pub(super) fn is_empty(&self) -> bool {
        self.hard.is_empty()
            && self.soft.is_empty()
            && self.affinity.is_empty()
            && self.refusing.is_empty()
            && self.preferred.is_empty()
    }

    /// Returns the counters of pods that keep the class out of their domains.
    pub(super) fn refusing(&self) -> impl Iterator<Item = CounterId> {
        self.refusing.values().copied()
    }

    /// Returns the counters of weights.
    pub(super) fn preferred(&self) -> impl Iterator<Item = CounterId> {
        self.preferred.values().copied()
    }
}

/// Rules of all classes and their counters.
#[derive(Debug, Default)]
pub(super) struct Rules {
    pub(super) counters: Counters,
    classes: Vec<ClassRules>,
}

impl Rules {
    /// Returns the rules of a class.
    pub(super) fn of(&self, class: usize) -> &ClassRules {
        &self.classes[class]
    }

    /// Counts a pod of a class that is put on a node (`sign` 1) or taken off it (-1).
    pub(super) fn change(&mut self, cluster: &Cluster, class: usize, node: usize, sign: i64) {
        self.counters.change(cluster, class, node, sign);
    }

    /// Adds the class that follows those with rules.
    pub(super) fn add_class(&mut self, cluster: &Cluster) {
        let number = self.classes.len();
        let class = &cluster.classes()[number];
        self.classes.push(ClassRules::default());
        self.add_spread(cluster, number);
        let affinity = class.affinity.iter();
        self.classes[number].affinity = affinity
            .map(|term| {
                let division = Division::Label(term.topology);
                self.counters.add(cluster, division, None)
            })
            .collect();
        self.classes[number].matches_itself = matches_all(&class.affinity, class);
        for other in 0..=number {
            self.relate(cluster, number, other);
            if other != number {
                self.relate(cluster, other, number);
            }
        }
    }

    /// Lets the counters of one class count the pods of another one.
    fn relate(&mut self, cluster: &Cluster, number: usize, counted: usize) {
        let (class, other) = (&cluster.classes()[number], &cluster.classes()[counted]);
        if class.namespace() == other.namespace() {
            let hard = self.classes[number].hard.iter().map(|part| part.counter);
            let soft = self.classes[number].soft.iter().map(|part| part.counter);
            let counters = hard
                .zip(&class.spread_hard)
                .chain(soft.zip(&class.spread_soft));
            let counters: Vec<_> = counters
                .filter(|(_, constraint)| counts(constraint, other))
                .map(|(counter, _)| counter)
                .collect();
            for counter in counters {
                self.counters.watch(cluster, counter, counted, 1);
            }
        }
        if matches_all(&class.affinity, other) {
            for term in 0..class.affinity.len() {
                let counter = self.classes[number].affinity[term];
                self.counters.watch(cluster, counter, counted, 1);
            }
        }
        let namespace = cluster.namespace_labels(class.namespace());
        let own = |terms: &[PodTerm]| matching(terms, |term| term.matches_existing(other));
        let theirs =
            |terms: &[PodTerm]| matching(terms, |term| term.matches_incoming(class, namespace));
        let refusing = own(&class.anti_affinity)
            .into_iter()
            .chain(theirs(&other.anti_affinity));
        for topology in refusing {
            self.watch(cluster, number, counted, topology, Kind::Refusing, 1);
        }
        let mut weights: Vec<(TopologyIndex, i64)> = Vec::new();
        let required = theirs(&other.affinity);
        weights.extend(
            required
                .into_iter()
                .map(|topology| (topology, REQUIRED_WEIGHT)),
        );
        for (terms, sign) in [(&class.preferred, 1), (&class.preferred_anti, -1)] {
            let matching = terms
                .iter()
                .filter(|(_, term)| term.matches_existing(other));
            weights.extend(matching.map(|(weight, term)| (term.topology, sign * weight)));
        }
        for (terms, sign) in [(&other.preferred, 1), (&other.preferred_anti, -1)] {
            let matching = terms
                .iter()
                .filter(|(_, term)| term.matches_incoming(class, namespace));
            weights.extend(matching.map(|(weight, term)| (term.topology, sign * weight)));
        }
        for (topology, weight) in weights {
            self.watch(cluster, number, counted, topology, Kind::Preferred, weight);
        }
    }

    fn watch(
        &mut self,
        cluster: &Cluster,
        number: usize,
        counted: usize,
        topology: TopologyIndex,
        kind: Kind,
        weight: i64,
    ) {
        let rules = &mut self.classes[number];
        let of_kind = match kind {
            Kind::Refusing => &mut rules.refusing,
            Kind::Preferred => &mut rules.preferred,
        };
        let counters = &mut self.counters;
        let counter = *of_kind
            .entry(topology)
            .or_insert_with(|| counters.add(cluster, Division::Label(topology), None));
        self.counters.watch(cluster, counter, counted, weight);
    }

    fn add_spread(&mut self, cluster: &Cluster, number: usize) {
        let class = &cluster.classes()[number];
        let all = &class.spread_hard;
        let hard = all.iter().map(|constraint| {
            let counted = counted_nodes(cluster, class, constraint, all, true);
            let topology = cluster.topology(constraint.topology);
            let mut is_present = vec![false; topology.len()];
            for node in (0..counted.len()).filter(|&node| counted[node]) {
                if let Some(domain) = topology.domain(node) {
                    is_present[domain] = true;
                }
            }
            let division = Division::Label(constraint.topology);
            HardSpread {
                counter: self.counters.add(cluster, division, Some(counted)),
                max_skew: constraint.max_skew,
                own: i64::from(constraint.selector.matches(class.labels())),
                domains: (0..is_present.len()).filter(|&at| is_present[at]).collect(),
                min_domains: constraint.min_domains,
            }
        });
        self.classes[number].hard = hard.collect();
        let (all, needs_labels) = (&class.spread_soft, class.spread_needs_all_labels);
        let soft = all.iter().map(|constraint| {
            let counter = if constraint.is_hostname {
                self.counters.add(cluster, Division::Node, None)
            } else {
                let counted = counted_nodes(cluster, class, constraint, all, needs_labels);
                let division = Division::LabelOrEmpty(constraint.topology);
                self.counters.add(cluster, division, Some(counted))
            };
            SoftSpread {
                counter,
                topology: constraint.topology,
                max_skew: constraint.max_skew,
            }
        });
        self.classes[number].soft = soft.collect();
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Refusing,
    Preferred,
}

/// Returns whether a constraint counts the pods of a class of its own namespace: a selector of
/// everything counts nothing (`countPodsMatchSelector`).
fn counts(constraint: &SpreadConstraint, other: &Class) -> bool {
    !constraint.selector.is_everything() && constraint.selector.matches(other.labels())
}

/// Returns the topologies of the terms that match.
fn matching(terms: &[PodTerm], matches: impl Fn(&PodTerm) -> bool) -> Vec<TopologyIndex> {
    let matching = terms.iter().filter(|term| matches(term));
    matching.map(|term| term.topology).collect()
}
