//! The nodes before further pods are placed: their requests, and the reasons of those that refuse
//! the pod.

use std::collections::BTreeMap;

use scheduler::{ClassId, Cluster, Profile, ResourceIndex};

/// Nodes before further pods are placed.
#[derive(Debug)]
pub(super) struct Nodes {
    /// Requested CPU in millicores, requested memory in bytes and number of pods, node by node.
    pub(super) requested: Vec<(i64, i64, usize)>,
    /// Reasons of nodes that take none of the pods, with the places of the nodes.
    pub(super) refusals: BTreeMap<String, Vec<usize>>,
}

impl Nodes {
    /// Looks at all nodes of a cluster for a pod of this class.
    pub(super) fn new(cluster: &Cluster, class: ClassId, profile: &Profile) -> Self {
        let nodes = cluster.nodes().iter();
        let requested = nodes.map(|node| {
            let of = |resource| node.requested(resource);
            (
                of(ResourceIndex::CPU),
                of(ResourceIndex::MEMORY),
                node.pods().len(),
            )
        });
        let mut refusals: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (node, refused) in cluster.explain(class, profile).iter().enumerate() {
            let reasons: Vec<_> = refused
                .iter()
                .flat_map(|refusal| refusal.reasons.iter().map(ToString::to_string))
                .collect();
            if !reasons.is_empty() {
                refusals.entry(reasons.join(", ")).or_default().push(node);
            }
        }
        Self {
            requested: requested.collect(),
            refusals,
        }
    }

    /// Returns the reasons of refusals, those of the most nodes first.
    pub(super) fn by_reason(&self) -> Vec<(&str, &[usize])> {
        let reasons = self.refusals.iter();
        let mut reasons: Vec<_> = reasons
            .map(|(reason, nodes)| (reason.as_str(), nodes.as_slice()))
            .collect();
        reasons.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
        reasons
    }
}
