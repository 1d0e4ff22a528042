//! How many more pods of one class fit.

use crate::cluster::{ClassId, Cluster, PodId, PodOnNode};
use crate::evaluate::Prepared;
use crate::evaluation::Ties;
use crate::profile::Profile;
use crate::spec::node_affinity::Pinned;

/// Number of pods that fit, and the reason why no more do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Room {
    /// Number of pods on each node.
    pub on_nodes: Vec<u64>,
    /// Message of the scheduler about the first pod that does not fit; `None` if the limit was
    /// reached.
    pub stop: Option<String>,
}

impl Room {
    /// Returns the number of pods.
    pub fn pods(&self) -> u64 {
        self.on_nodes.iter().sum()
    }
}

impl Cluster {
    /// Puts pods of a class on nodes one after the other, at most `limit`, until one fits nowhere,
    /// as cluster-capacity does (`pkg/framework/simulator.go`). The pods stay in the cluster;
    /// their numbers count up from `first`.
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn fill(
        &mut self,
        class: ClassId,
        profile: &Profile,
        ties: Ties,
        limit: u64,
        first: PodId,
    ) -> Room {
        let mut room = Room {
            on_nodes: vec![0; self.nodes().len()],
            stop: None,
        };
        let mut ids = first.0..=u32::MAX;
        if self.is_each_node_for_itself(class) {
            self.fill_each_node(class, profile, limit, &mut ids, &mut room);
        }
        for draw in room.pods()..limit {
            let evaluation = self.evaluate(class, profile);
            let Some(node) = evaluation.placed(ties, draw) else {
                break;
            };
            self.add_new(node, class, &mut ids);
            room.on_nodes[node] += 1;
        }
        room.stop = self.evaluate(class, profile).message();
        room
    }

    /// Returns whether the room on a node does not depend on the pods of the class on others.
    fn is_each_node_for_itself(&self, class: ClassId) -> bool {
        let class = self.class_of(class);
        class.affinity.is_empty()
            && class.anti_affinity.is_empty()
            && class.spread_hard.is_empty()
            && class.node_affinity.pinned != Pinned::Conflict
    }

    /// Fills one node after the other: if each is for itself, each gets as many pods as in any
    /// other order. With a limit that all of them exceed, none is filled.
    fn fill_each_node(
        &mut self,
        class: ClassId,
        profile: &Profile,
        limit: u64,
        ids: &mut impl Iterator<Item = u32>,
        room: &mut Room,
    ) {
        let of = self.class_of(class);
        let prepared = Prepared::new(self, of, profile.version);
        let mut counts = vec![0_u64; self.nodes().len()];
        let mut left = limit;
        for (number, node) in self.nodes().iter().enumerate() {
            if let Pinned::Names(names) = &of.node_affinity.pinned
                && !names.contains(&*node.node.name)
            {
                continue;
            }
            let mut usage = node.usage.clone();
            while prepared.filter(self, number, &usage).is_ok() {
                if left == 0 {
                    return;
                }
                left -= 1;
                usage.add(of);
                counts[number] += 1;
            }
        }
        for (node, count) in counts.iter().enumerate() {
            for _ in 0..*count {
                self.add_new(node, class, ids);
            }
        }
        room.on_nodes = counts;
    }

    fn add_new(&mut self, node: usize, class: ClassId, ids: &mut impl Iterator<Item = u32>) {
        let pod = PodOnNode {
            id: PodId(ids.next().unwrap_or(u32::MAX)),
            class,
            start: PodOnNode::NOT_STARTED,
        };
        self.add(node, pod);
    }
}
