//! Pods that fit nowhere when nodes go.

use std::collections::BTreeMap;
use std::sync::Arc;

use scheduler::{Engine, PodId, PodOnNode};

use crate::fleet::FIRST_DAEMON;
use crate::shape::ZONE;

/// Loss of a node or of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Name of the node or zone.
    pub lost: Arc<str>,
    /// Number of lost nodes.
    pub nodes: usize,
    /// Number of pods on them, without those of DaemonSets.
    pub pods: usize,
    /// Pods that fit on no other node, with the scheduler's message.
    pub homeless: Vec<(PodId, String)>,
}

/// Nodes that go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Together {
    /// Each node for itself.
    Node,
    /// The nodes of each zone.
    Zone,
}

/// Takes each node, or the nodes of each zone, away in turn and places their pods on the others.
///
/// Pods are placed in the order of the queue: the higher priority first, then by number. Pods of
/// DaemonSets go with their node. Afterwards the engine has the pods that it had before.
///
/// A lost node stays in its domains, so that a constraint of topology spread counts a domain
/// without pods.
pub fn losses(engine: &mut Engine, together: Together) -> Vec<Loss> {
    let groups = groups(engine, together);
    groups
        .into_iter()
        .map(|(name, nodes)| lose(engine, name, &nodes))
        .collect()
}

fn groups(engine: &Engine, together: Together) -> Vec<(Arc<str>, Vec<usize>)> {
    let nodes = engine.cluster().nodes().iter().enumerate();
    match together {
        Together::Node => nodes
            .map(|(number, node)| (Arc::clone(&node.node().name), vec![number]))
            .collect(),
        Together::Zone => {
            let mut zones = BTreeMap::<Arc<str>, Vec<usize>>::new();
            for (number, node) in nodes {
                if let Some(zone) = node.node().labels.get(ZONE) {
                    zones.entry(zone.as_str().into()).or_default().push(number);
                }
            }
            zones.into_iter().collect()
        }
    }
}

fn lose(engine: &mut Engine, lost: Arc<str>, nodes: &[usize]) -> Loss {
    let mut taken: Vec<(usize, PodOnNode)> = Vec::new();
    for &node in nodes {
        engine.close(node, true);
        let pods = engine.cluster().nodes()[node].pods().to_vec();
        for pod in pods {
            engine.remove(node, pod.id);
            taken.push((node, pod));
        }
    }
    let mut moving: Vec<_> = taken.iter().map(|(_, pod)| *pod).collect();
    moving.retain(|pod| pod.id.0 < FIRST_DAEMON);
    moving.sort_by_key(|pod| {
        let priority = engine.cluster().class_of(pod.class).priority();
        (std::cmp::Reverse(priority), pod.id)
    });
    let mut placed = Vec::new();
    let mut homeless = Vec::new();
    for pod in &moving {
        match engine.place(*pod) {
            Some(node) => placed.push((node, pod.id)),
            None => homeless.push(*pod),
        }
    }
    let mut messages = BTreeMap::new();
    let homeless = homeless.iter().map(|pod| {
        let message = messages
            .entry(pod.class)
            .or_insert_with(|| message(engine, nodes, *pod));
        (pod.id, message.clone())
    });
    let homeless = homeless.collect();
    for (node, pod) in placed {
        engine.remove(node, pod);
    }
    for &node in nodes {
        engine.close(node, false);
    }
    for (node, pod) in taken {
        engine.add(node, pod);
    }
    Loss {
        lost,
        nodes: nodes.len(),
        pods: moving.len(),
        homeless,
    }
}

/// Returns the scheduler's message about a pod, the lost nodes left out.
fn message(engine: &Engine, lost: &[usize], pod: PodOnNode) -> String {
    engine
        .evaluate(pod.class)
        .without(lost)
        .message()
        .unwrap_or_default()
}
