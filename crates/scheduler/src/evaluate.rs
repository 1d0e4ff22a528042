//! The full scan: every filter and score on every node.

use crate::cluster::node::Usage;
use crate::cluster::{Class, ClassId, Cluster};
use crate::evaluation::{Evaluation, Reason, Rejection, Scores};
use crate::plugin::Plugin;
use crate::plugins::fit::ResourceScores;
use crate::plugins::pod_affinity::AffinityFilter;
use crate::plugins::spread::SpreadFilter;
use crate::plugins::{fit, pod_affinity, spread};
use crate::profile::{Profile, Version};
use crate::scoring::MAX_NODE_SCORE;
use crate::spec::node_affinity::Pinned;
use crate::spec::{ports, taints};

/// A pod to place, with what its filters count over all nodes (`PreFilter`).
#[derive(Debug)]
pub(crate) struct Prepared<'a> {
    pub class: &'a Class,
    version: Version,
    spread: SpreadFilter<'a>,
    affinity: AffinityFilter<'a>,
}

impl<'a> Prepared<'a> {
    pub fn new(cluster: &Cluster, class: &'a Class, version: Version) -> Self {
        Self {
            class,
            version,
            spread: SpreadFilter::new(cluster, class),
            affinity: AffinityFilter::new(cluster, class),
        }
    }

    /// Counts a pod that is put on a node (`sign` 1) or taken off it (-1).
    pub fn change(&mut self, cluster: &Cluster, node: usize, class: &Class, sign: i64) {
        self.spread.change(cluster, node, class, sign);
        self.affinity.change(cluster, node, class, sign);
    }

    /// Asks the filters in turn about a node that is used in this way; the first that refuses
    /// decides (`RunFilterPlugins`).
    pub fn filter(&self, cluster: &Cluster, node: usize, usage: &Usage) -> Result<(), Rejection> {
        let mut filters = Plugin::FILTERS.into_iter();
        filters.try_for_each(|plugin| self.ask(plugin, cluster, node, usage))
    }

    /// Asks one filter about a node that is used in this way.
    pub fn ask(
        &self,
        plugin: Plugin,
        cluster: &Cluster,
        node: usize,
        usage: &Usage,
    ) -> Result<(), Rejection> {
        let class = self.class;
        let spec = &class.template.spec;
        let state = &cluster.nodes()[node];
        let refused = |reason, resolvable| Rejection {
            plugin,
            resolvable,
            reasons: vec![reason],
        };
        let refuse = |refuses: bool, reason, resolvable| {
            if refuses {
                Err(refused(reason, resolvable))
            } else {
                Ok(())
            }
        };
        match plugin {
            Plugin::NodeUnschedulable => refuse(
                state.node.unschedulable && !class.tolerates_unschedulable,
                Reason::Unschedulable,
                false,
            ),
            Plugin::NodeName => refuse(
                !spec.node_name.is_empty() && spec.node_name != *state.node.name,
                Reason::NodeName,
                false,
            ),
            Plugin::TaintToleration => {
                match taints::untolerated(&state.node.taints, &spec.tolerations) {
                    None => Ok(()),
                    Some(_) if self.version >= Version::V1_36 => {
                        Err(refused(Reason::Taints, false))
                    }
                    Some(taint) => {
                        let (key, value) = (taint.key.clone(), taint.value.clone());
                        Err(refused(Reason::Taint { key, value }, false))
                    }
                }
            }
            Plugin::NodeAffinity => refuse(
                !class
                    .node_affinity
                    .matches(&state.node.name, &state.node.labels),
                Reason::NodeAffinity,
                false,
            ),
            Plugin::NodePorts => refuse(
                ports::collide(class.host_ports(), &usage.ports),
                Reason::Ports,
                true,
            ),
            Plugin::NodeResourcesFit => fit::filter(cluster, class, state, usage),
            Plugin::PodTopologySpread => self.spread.filter(cluster, node),
            Plugin::InterPodAffinity => self.affinity.filter(cluster, node),
            Plugin::NodeResourcesBalancedAllocation => Ok(()),
        }
    }
}

impl Cluster {
    /// Asks all filters about all nodes and scores the nodes that take a pod of this class.
    ///
    /// All nodes are looked at (`percentageOfNodesToScore: 100`).
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn evaluate(&self, class: ClassId, profile: &Profile) -> Evaluation {
        self.evaluate_on(class, profile, None)
    }

    /// Does the same for a pod that may go to one node only, as a DaemonSet makes it: with an
    /// affinity to the name of the node.
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn evaluate_on(
        &self,
        class: ClassId,
        profile: &Profile,
        only: Option<usize>,
    ) -> Evaluation {
        let class = self.class_of(class);
        let mut evaluation = Evaluation {
            nodes: self.nodes().len(),
            feasible: Vec::new(),
            scores: Vec::new(),
            rejected: Vec::new(),
            conflict: class.node_affinity.pinned == Pinned::Conflict,
        };
        if evaluation.conflict {
            return evaluation;
        }
        let prepared = Prepared::new(self, class, profile.version);
        let named: Option<Vec<usize>> = match (only, &class.node_affinity.pinned) {
            (Some(only), _) => Some(vec![only]),
            (None, Pinned::Names(names)) => {
                let mut named: Vec<_> = (names.iter())
                    .filter_map(|name| self.find_node(name))
                    .collect();
                named.sort_unstable();
                Some(named)
            }
            (None, _) => None,
        };
        let mut look = |number: usize| {
            let usage = &self.nodes()[number].usage;
            match prepared.filter(self, number, usage) {
                Ok(()) => evaluation.feasible.push(number),
                Err(rejection) => evaluation.rejected.push((number, rejection)),
            }
        };
        match named {
            Some(named) => named.into_iter().for_each(&mut look),
            None => (0..self.nodes().len()).for_each(&mut look),
        }
        evaluation.scores = self.scores(class, profile, &evaluation.feasible);
        evaluation
    }

    /// Scores nodes that take a pod.
    fn scores(&self, class: &Class, profile: &Profile, feasible: &[usize]) -> Vec<Scores> {
        let weights = &profile.weights;
        let resources = ResourceScores::new(self, class, profile);
        let weigh = |scores: Option<Vec<i64>>, weight: i64| {
            scores.map(|scores| -> Vec<i64> {
                let weighted = scores.into_iter().map(|score| score * weight);
                weighted.collect()
            })
        };
        let tolerations = &class.template.spec.tolerations;
        let nodes = || feasible.iter().map(|&node| &self.nodes()[node].node);
        let intolerable = nodes().map(|node| taints::intolerable(&node.taints, tolerations));
        let taints = normalized(intolerable.collect(), true);
        let affinity = class.node_affinity.has_preferences().then(|| {
            let preference =
                nodes().map(|node| class.node_affinity.preference(&node.name, &node.labels));
            normalized(preference.collect(), false)
        });
        let affinity = weigh(affinity, weights.node_affinity);
        let spread = weigh(
            spread::scores(self, class, feasible),
            weights.topology_spread,
        );
        let pods = weigh(
            pod_affinity::scores(self, class, feasible),
            weights.pod_affinity,
        );
        let at =
            |scores: &Option<Vec<i64>>, place: usize| scores.as_ref().map(|scores| scores[place]);
        let all = feasible.iter().enumerate().map(|(place, &node)| {
            let state = &self.nodes()[node];
            let balanced = resources.balanced(state);
            Scores {
                taint_toleration: taints[place] * weights.taint_toleration,
                node_affinity: at(&affinity, place),
                fit: resources.fit(state) * weights.fit,
                topology_spread: at(&spread, place),
                pod_affinity: at(&pods, place),
                balanced_allocation: balanced.map(|score| score * weights.balanced_allocation),
            }
        });
        all.collect()
    }
}

/// Maps sums to 0 to 100 in proportion to the largest; `reverse` for sums of which less is better
/// (`DefaultNormalizeScore` in `helper/normalize_score.go`).
fn normalized(mut raw: Vec<i64>, reverse: bool) -> Vec<i64> {
    let most = raw.iter().copied().max().unwrap_or(0).max(0);
    for score in &mut raw {
        let share = match most {
            0 => 0,
            most => MAX_NODE_SCORE.saturating_mul(*score) / most,
        };
        *score = if reverse {
            MAX_NODE_SCORE - share
        } else {
            share
        };
    }
    raw
}
