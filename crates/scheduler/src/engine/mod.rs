//! Places many pods on many nodes with the results of the full scan.
//!
//! Equal pods form classes, which have a score for each node. A placement changes one node; a
//! class learns of it when its next pod is placed ([`changes`]). The best node is found in a tree
//! of scores ([`leaves`]), or by one look at each feasible node for a class with rules about the
//! places of other pods, which counters by domain follow ([`counter`], [`rules`], [`scan`]).
//!
//! ```text
//! engine   interface: a cluster, a profile, and the parts below
//! scan     best nodes of a class with rules about other pods
//! rules    such rules of all classes         counter   counts by domain
//! core     classes, nodes and the log        class     scores of one class, normalised
//! leaves   tree of scores   changes  log     score     scores by resources    node  sums
//! ```

mod changes;
mod class;
mod core;
mod counter;
mod leaves;
mod node;
mod rules;
mod scan;
mod score;
mod without;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use inventory::api::LabelSelector;
use inventory::{HostPort, Template};

use crate::cluster::{ClassId, Cluster, PodId, PodOnNode, SpecError};
use crate::evaluation::{Evaluation, Ties};
use crate::profile::{Profile, ResourceWeight, Strategy, Version};
use crate::spec::node_affinity::Pinned;
use crate::spec::{ports, taints};

use class::{Best, Fixed, FixedWeights};
use core::Core;
use node::Nodes;
use rules::Rules;
use scan::{Place, Scan};
use score::Scoring;

/// Largest weight of a plugin that the engine computes with.
const LARGEST_WEIGHT: i64 = 1_000_000;

/// Fault of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A weight of a plugin is out of range.
    #[error("the weight of a plugin is {0}, which is not from 0 to {LARGEST_WEIGHT}")]
    Weight(i64),
    /// A weight of a resource is out of range.
    #[error("the weight of a resource is {0}, which is not from 1 to 100")]
    ResourceWeight(i64),
}

/// Node chosen for a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Number of the node.
    pub node: usize,
    /// Sum of the weighted scores of the node.
    pub total: i64,
}

/// A cluster that places pods one after the other.
///
/// The results are those of [`Cluster::evaluate`] with the same profile, which looks at every
/// node for every pod.
#[derive(Debug)]
pub struct Engine {
    cluster: Cluster,
    profile: Profile,
    core: Core,
    rules: Rules,
    scan: Scan,
    ties: Ties,
    /// Whether a node takes no pods.
    closed: Vec<bool>,
    /// Number of classes that are known to `core` and `rules`.
    classes: usize,
}

impl Engine {
    /// Returns an engine for a cluster with the pods that are on its nodes.
    ///
    /// # Errors
    /// A weight of the profile that no scheduler accepts.
    pub fn new(cluster: Cluster, profile: Profile, ties: Ties) -> Result<Self, EngineError> {
        check(&profile)?;
        let nodes = Nodes::new(cluster.nodes(), cluster.resource_count());
        let scoring = scoring(&profile, &cluster);
        let weights = FixedWeights {
            taints: profile.weights.taint_toleration,
            affinity: profile.weights.node_affinity,
        };
        let mut engine = Self {
            core: Core::new(nodes, scoring, weights),
            rules: Rules::default(),
            scan: Scan::default(),
            classes: 0,
            closed: vec![false; cluster.nodes().len()],
            cluster,
            profile,
            ties,
        };
        engine.add_classes();
        Ok(engine)
    }

    /// Returns the cluster.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns the profile.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Returns the class of pods with this namespace and template ([`Cluster::class`]).
    ///
    /// # Errors
    /// A selector of the spec that no API server accepts.
    pub fn class(
        &mut self,
        namespace: &Arc<str>,
        template: &Arc<Template>,
        selector: Option<&LabelSelector>,
    ) -> Result<ClassId, SpecError> {
        let class = self.cluster.class(namespace, template, selector)?;
        self.add_classes();
        Ok(class)
    }

    /// Chooses the node for a pod of a class; `None` if no node is feasible. `draw` is the number
    /// of the choice ([`Ties::choose`]).
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn choose(&mut self, class: ClassId, draw: u64) -> Option<Choice> {
        let best = self.find(class, self.ties != Ties::First)?;
        Some(Choice {
            node: self.ties.choose(&best.nodes, draw)?,
            total: best.total,
        })
    }

    /// Returns the nodes with the highest total, in ascending order, and that total; `None` if no
    /// node is feasible.
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn best(&mut self, class: ClassId) -> Option<(Vec<usize>, i64)> {
        self.find(class, true).map(|best| (best.nodes, best.total))
    }

    /// Puts a pod on a node, whether or not it fits.
    ///
    /// # Panics
    /// The cluster has no such node or class.
    pub fn add(&mut self, node: usize, pod: PodOnNode) {
        let class = pod.class.number();
        self.cluster.add(node, pod);
        self.core.change(node, &self.cluster.nodes()[node]);
        self.rules.change(&self.cluster, class, node, 1);
    }

    /// Takes a pod off a node and returns it; `None` if the node does not have it.
    ///
    /// # Panics
    /// The cluster has no such node.
    pub fn remove(&mut self, node: usize, pod: PodId) -> Option<PodOnNode> {
        let removed = self.cluster.remove(node, pod)?;
        let class = removed.class.number();
        self.core.change(node, &self.cluster.nodes()[node]);
        self.rules.change(&self.cluster, class, node, -1);
        Some(removed)
    }

    /// Chooses the node for a pod and puts it there; `None` if no node is feasible. The number of
    /// the pod is that of the choice.
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn place(&mut self, pod: PodOnNode) -> Option<usize> {
        let choice = self.choose(pod.class, u64::from(pod.id.0))?;
        self.add(choice.node, pod);
        Some(choice.node)
    }

    /// Keeps new pods off a node, or lets them go there again.
    ///
    /// The node stays in its domains, unlike one that is gone: constraints of topology spread
    /// count it.
    ///
    /// # Panics
    /// The cluster has no such node.
    pub fn close(&mut self, node: usize, is_closed: bool) {
        self.closed[node] = is_closed;
        self.core.change(node, &self.cluster.nodes()[node]);
    }

    /// Returns for each node whether it takes a pod of some class by resources, ports, labels and
    /// taints, whatever its rules about other pods.
    pub fn takes_some(&mut self) -> Vec<bool> {
        let cluster = &self.cluster;
        let mut takes = vec![false; cluster.nodes().len()];
        for number in 0..self.classes {
            let ports = cluster.classes()[number].host_ports();
            let scores = self
                .core
                .update(number, blocked(cluster, &self.closed, ports));
            scores.feasible(|node, _, _| takes[node] = true);
        }
        takes
    }

    /// Returns the verdict and the scores of every node for a pod of a class, by the full scan.
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn evaluate(&self, class: ClassId) -> Evaluation {
        self.cluster.evaluate(class, &self.profile)
    }

    fn find(&mut self, class: ClassId, all: bool) -> Option<Best> {
        let number = class.number();
        let (cluster, core) = (&self.cluster, &mut self.core);
        let ports = cluster.class_of(class).host_ports();
        let blocked = blocked(cluster, &self.closed, ports);
        let rules = self.rules.of(number);
        if rules.is_empty() {
            return core.best(number, blocked, all);
        }
        let weights = core.weights();
        let place = Place {
            cluster,
            counters: &self.rules.counters,
            rules,
            needs_labels: cluster.class_of(class).spread_needs_all_labels,
        };
        let scores = core.update(number, blocked);
        self.scan
            .best(scores, place, weights, &self.profile.weights, all)
    }

    /// Takes the classes over that the cluster has got.
    fn add_classes(&mut self) {
        for number in self.classes..self.cluster.classes().len() {
            let class = &self.cluster.classes()[number];
            let fixed = fixed(&self.cluster, class);
            let resources = self.cluster.resource_count();
            self.core.add_class(class, &fixed, resources);
            self.rules.add_class(&self.cluster);
        }
        self.classes = self.cluster.classes().len();
    }
}

/// Returns whether a node is closed or has one of these ports in use.
fn blocked<'a>(
    cluster: &'a Cluster,
    closed: &'a [bool],
    ports: &'a [HostPort],
) -> impl Fn(usize) -> bool + 'a {
    move |node| {
        closed[node]
            || !ports.is_empty() && ports::collide(ports, &cluster.nodes()[node].usage.ports)
    }
}

/// Returns the verdicts on all nodes of the plugins that look at labels and taints alone.
fn fixed(cluster: &Cluster, class: &crate::cluster::Class) -> Vec<Option<Fixed>> {
    let spec = &class.template().spec;
    let affinity = &class.node_affinity;
    let of_node = |state: &crate::cluster::NodeState| {
        let node = &state.node;
        let admits = match &affinity.pinned {
            Pinned::Conflict => false,
            Pinned::Names(names) => names.contains(&*node.name),
            Pinned::All => true,
        };
        let admits = admits
            && (!node.unschedulable || class.tolerates_unschedulable)
            && (spec.node_name.is_empty() || *spec.node_name == *node.name)
            && taints::untolerated(&node.taints, &spec.tolerations).is_none()
            && affinity.matches(&node.name, &node.labels);
        admits.then(|| Fixed {
            taints: taints::intolerable(&node.taints, &spec.tolerations),
            affinity: if affinity.has_preferences() {
                affinity.preference(&node.name, &node.labels)
            } else {
                0
            },
        })
    };
    cluster.nodes().iter().map(of_node).collect()
}

/// Returns the part of a profile that scores nodes by their resources. A resource that no node has
/// does not count.
fn scoring(profile: &Profile, cluster: &Cluster) -> Scoring {
    let numbered = |resources: &[ResourceWeight]| -> Vec<(usize, i64)> {
        let numbered = resources.iter().filter_map(|resource| {
            let number = cluster.resource(&resource.name)?.number();
            Some((number, resource.weight))
        });
        numbered.collect()
    };
    let balanced = numbered(&profile.balanced_resources);
    Scoring {
        strategy: match &profile.strategy {
            Strategy::LeastAllocated => score::Strategy::Least,
            Strategy::MostAllocated => score::Strategy::Most,
            Strategy::RequestedToCapacityRatio(shape) => score::Strategy::Ratio(shape.clone()),
        },
        fit_resources: numbered(&profile.strategy_resources),
        fit_weight: profile.weights.fit,
        balanced_resources: balanced.into_iter().map(|(resource, _)| resource).collect(),
        balanced_weight: profile.weights.balanced_allocation,
        balance_is_absolute: profile.version < Version::V1_36,
    }
}

/// Refuses weights with which sums could leave the range of the engine's numbers.
fn check(profile: &Profile) -> Result<(), EngineError> {
    let weights = &profile.weights;
    let plugins = [
        weights.taint_toleration,
        weights.node_affinity,
        weights.fit,
        weights.topology_spread,
        weights.pod_affinity,
        weights.balanced_allocation,
    ];
    if let Some(weight) = plugins
        .iter()
        .find(|weight| !(0..=LARGEST_WEIGHT).contains(*weight))
    {
        return Err(EngineError::Weight(*weight));
    }
    let resources = profile
        .strategy_resources
        .iter()
        .chain(&profile.balanced_resources);
    let mut resources = resources.map(|resource| resource.weight);
    match resources.find(|weight| !(1..=100).contains(weight)) {
        Some(weight) => Err(EngineError::ResourceWeight(weight)),
        None => Ok(()),
    }
}
