//! Counts of pods by domain that follow every placement.

use crate::cluster::Cluster;
use crate::cluster::topology::TopologyIndex;

/// Division of the nodes that a counter counts by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Division {
    /// Domains of a label; a node without the label is not counted.
    Label(TopologyIndex),
    /// Domains of a label; a node without the label is in the domain of the empty value.
    LabelOrEmpty(TopologyIndex),
    /// Single nodes.
    Node,
}

impl Division {
    /// Returns the domain of a node.
    pub(super) fn domain(self, cluster: &Cluster, node: usize) -> Option<usize> {
        match self {
            Self::Label(topology) => cluster.topology(topology).domain(node),
            Self::LabelOrEmpty(topology) => {
                let topology = cluster.topology(topology);
                topology.domain(node).or(topology.empty_value())
            }
            Self::Node => Some(node),
        }
    }

    fn len(self, cluster: &Cluster) -> usize {
        match self {
            Self::Label(topology) | Self::LabelOrEmpty(topology) => {
                cluster.topology(topology).len()
            }
            Self::Node => cluster.nodes().len(),
        }
    }
}

/// Number of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CounterId(u32);

#[derive(Debug)]
struct Counter {
    division: Division,
    /// Whether the pods of a node are counted; all are without this.
    counted: Option<Vec<bool>>,
    sums: Vec<i64>,
    /// Sum over all domains.
    total: i64,
}

/// Counters, and for each class of pods the counters that count its pods.
#[derive(Debug, Default)]
pub(super) struct Counters {
    all: Vec<Counter>,
    watchers: Vec<Vec<(CounterId, i64)>>,
}

impl Counters {
    /// Adds a counter that counts nothing.
    pub(super) fn add(
        &mut self,
        cluster: &Cluster,
        division: Division,
        counted: Option<Vec<bool>>,
    ) -> CounterId {
        let id = CounterId(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
        self.all.push(Counter {
            division,
            counted,
            sums: vec![0; division.len(cluster)],
            total: 0,
        });
        id
    }

    /// Lets a counter count each pod of a class, those on nodes and those to come, by a weight.
    pub(super) fn watch(&mut self, cluster: &Cluster, id: CounterId, class: usize, weight: i64) {
        if self.watchers.len() <= class {
            self.watchers.resize_with(class + 1, Vec::new);
        }
        self.watchers[class].push((id, weight));
        for (node, pods) in cluster.classes()[class].on_nodes() {
            self.count(cluster, id, node, weight.saturating_mul(i64::from(pods)));
        }
    }

    /// Counts a pod of a class that is put on a node (`sign` 1) or taken off it (-1).
    pub(super) fn change(&mut self, cluster: &Cluster, class: usize, node: usize, sign: i64) {
        for watcher in 0..self.watchers.get(class).map_or(0, Vec::len) {
            let (id, weight) = self.watchers[class][watcher];
            self.count(cluster, id, node, sign * weight);
        }
    }

    fn count(&mut self, cluster: &Cluster, id: CounterId, node: usize, amount: i64) {
        let counter = &mut self.all[id.0 as usize];
        if counter
            .counted
            .as_ref()
            .is_some_and(|counted| !counted[node])
        {
            return;
        }
        if let Some(domain) = counter.division.domain(cluster, node) {
            counter.sums[domain] += amount;
            counter.total += amount;
        }
    }

    /// Returns the sums by domain.
    pub(super) fn sums(&self, id: CounterId) -> &[i64] {
        &self.all[id.0 as usize].sums
    }

    /// Returns the sum over all domains.
    pub(super) fn total(&self, id: CounterId) -> i64 {
        self.all[id.0 as usize].total
    }

    /// Returns the division of a counter.
    pub(super) fn division(&self, id: CounterId) -> Division {
        self.all[id.0 as usize].division
    }

    /// Returns the sum of the domain of a node; `None` if the node is in no domain.
    pub(super) fn of(&self, cluster: &Cluster, id: CounterId, node: usize) -> Option<i64> {
        let counter = &self.all[id.0 as usize];
        let domain = counter.division.domain(cluster, node)?;
        Some(counter.sums[domain])
    }
}
