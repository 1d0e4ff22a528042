//! Nodes.

use serde::Deserialize;

use super::{ObjectMeta, Quantities};

/// Node (`Node`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeObject {
    /// Metadata.
    pub metadata: ObjectMeta,
    /// What its administrator states.
    pub spec: NodeSpec,
    /// What its kubelet states.
    pub status: NodeStatus,
}

/// Statements of an administrator about a node (`NodeSpec`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeSpec {
    /// Whether new pods are kept away.
    pub unschedulable: bool,
    /// Taints.
    pub taints: Vec<Taint>,
    /// Identifier of the machine at its provider.
    #[serde(rename = "providerID")]
    pub provider_id: String,
}

/// Taint of a node (`Taint`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Taint {
    /// Name.
    pub key: String,
    /// Value.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: String,
}

/// Statements of a kubelet about its node (`NodeStatus`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NodeStatus {
    /// Resources of the machine.
    pub capacity: Quantities,
    /// Resources that pods may request.
    pub allocatable: Quantities,
}
