//! Affinities of pods to nodes and to other pods.

use serde::Deserialize;

use super::LabelSelector;

/// Affinities of a pod (`Affinity`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Affinity {
    /// Affinity to nodes.
    pub node_affinity: Option<NodeAffinity>,
    /// Affinity to pods.
    pub pod_affinity: Option<PodAffinity>,
    /// Aversion to pods.
    pub pod_anti_affinity: Option<PodAffinity>,
}

/// Affinity to nodes (`NodeAffinity`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(default)]
pub struct NodeAffinity {
    /// Selector that the node must match.
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Option<NodeSelector>,
    /// Terms that raise a node's score.
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution")]
    pub preferred: Vec<PreferredSchedulingTerm>,
}

/// Alternatives for the labels and fields of a node (`NodeSelector`): one term must match.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelector {
    /// Alternatives.
    pub node_selector_terms: Vec<NodeSelectorTerm>,
}

/// Requirements on one node, all of which it must meet (`NodeSelectorTerm`). A term without
/// requirements matches no node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelectorTerm {
    /// Requirements on labels.
    pub match_expressions: Vec<NodeSelectorRequirement>,
    /// Requirements on fields; `metadata.name` is the only one.
    pub match_fields: Vec<NodeSelectorRequirement>,
}

/// Requirement on one label or field of a node (`NodeSelectorRequirement`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSelectorRequirement {
    /// Name of the label or field.
    pub key: String,
    /// `In`, `NotIn`, `Exists`, `DoesNotExist`, `Gt` or `Lt`.
    pub operator: String,
    /// Values that the operator compares with.
    pub values: Vec<String>,
}

/// Term with a weight (`PreferredSchedulingTerm`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PreferredSchedulingTerm {
    /// Weight, 1 to 100.
    pub weight: i32,
    /// Term.
    pub preference: NodeSelectorTerm,
}

/// Affinity to pods, or aversion to them (`PodAffinity`, `PodAntiAffinity`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(default)]
pub struct PodAffinity {
    /// Terms that the node must meet.
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub required: Vec<PodAffinityTerm>,
    /// Terms that change a node's score.
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution")]
    pub preferred: Vec<WeightedPodAffinityTerm>,
}

/// Pods in whose topology domain a pod should or should not be (`PodAffinityTerm`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodAffinityTerm {
    /// Selector of the pods; without one, no pod is selected.
    pub label_selector: Option<LabelSelector>,
    /// Label of nodes whose values name the domains.
    pub topology_key: String,
    /// Namespaces of the pods; the pod's own if this and the selector are empty.
    pub namespaces: Vec<String>,
    /// Selector of namespaces; an empty one selects all.
    pub namespace_selector: Option<LabelSelector>,
    /// Labels whose values of the pod itself are added to the selector.
    pub match_label_keys: Vec<String>,
    /// Labels whose values of the pod itself are excluded by the selector.
    pub mismatch_label_keys: Vec<String>,
}

/// Term with a weight (`WeightedPodAffinityTerm`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WeightedPodAffinityTerm {
    /// Weight, 1 to 100.
    pub weight: i32,
    /// Term.
    pub pod_affinity_term: PodAffinityTerm,
}
