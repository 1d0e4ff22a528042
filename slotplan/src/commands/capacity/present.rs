//! Nodes of the input and the pods that run on them.

use std::sync::Arc;

use capacity::{Fleet, Kind};
use inventory::{Inventory, Node, Pod};

use crate::placement::DefaultSpread;

/// Nodes that a plan adds to.
#[derive(Debug, Default)]
pub struct Present<'a> {
    nodes: Vec<(&'a Node, Vec<capacity::Present>)>,
}

impl<'a> Present<'a> {
    /// Returns the nodes of the inventory with the pods that have no end, or none.
    pub fn new(inventory: &'a Inventory, is_used: bool, spread: &DefaultSpread) -> Self {
        if !is_used {
            return Self::default();
        }
        let of_node = |node: &'a Node| {
            let pods = inventory.pods.iter().enumerate().filter(|(_, pod)| {
                pod.departure.is_none() && pod.node.as_deref() == Some(&*node.name)
            });
            let present = pods.map(|(place, pod)| capacity::Present {
                kind: Kind {
                    namespace: Arc::clone(&pod.namespace),
                    template: Arc::clone(&pod.template),
                    selector: spread.selector(pod),
                    name: workload(pod),
                },
                pod: place,
                is_daemon: is_daemon(pod),
            });
            (node, present.collect())
        };
        Self {
            nodes: inventory.nodes.iter().map(of_node).collect(),
        }
    }

    /// Returns whether a plan starts without nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Returns the number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the nodes as the beginning of a plan.
    pub fn fleet(&self) -> Fleet<'_> {
        Fleet {
            existing: self
                .nodes
                .iter()
                .map(|(node, pods)| (*node, pods.clone()))
                .collect(),
            new: Vec::new(),
        }
    }

    /// Returns the pods that need a node: without nodes all, else those that run on none of them.
    pub fn waiting(&self, pods: &[Pod]) -> Vec<Pod> {
        let names: std::collections::BTreeSet<&str> =
            self.nodes.iter().map(|(node, _)| &*node.name).collect();
        let waits = |pod: &&Pod| {
            let runs = pod.node.as_deref().is_some_and(|node| names.contains(node));
            !runs && (self.is_empty() || pod.departure.is_none())
        };
        pods.iter().filter(waits).cloned().collect()
    }
}

/// Returns the name of a pod's workload; its own without one.
pub fn workload(pod: &Pod) -> Arc<str> {
    let owner = pod.owner.as_ref();
    Arc::clone(owner.map_or(&pod.name, |owner| &owner.name))
}

fn is_daemon(pod: &Pod) -> bool {
    let owner = pod.owner.as_ref();
    owner.is_some_and(|owner| &*owner.kind == "DaemonSet")
}
