//! Metadata of objects.

use serde::Deserialize;

use super::Labels;
use crate::Timestamp;

/// Metadata of an object (`ObjectMeta`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectMeta {
    /// Name, unique among the objects of one kind in a namespace.
    pub name: String,
    /// Prefix of a name that the API server completes.
    pub generate_name: String,
    /// Namespace; empty for the default one, and for objects without a namespace.
    pub namespace: String,
    /// Unique identifier.
    pub uid: String,
    /// Labels.
    pub labels: Labels,
    /// Annotations.
    pub annotations: Labels,
    /// Objects that own this one.
    pub owner_references: Vec<OwnerReference>,
    /// Time of the creation.
    pub creation_timestamp: Option<Timestamp>,
    /// Time at which a deletion lets the object go.
    pub deletion_timestamp: Option<Timestamp>,
}

/// Reference to an owner (`OwnerReference`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// Kind, such as `ReplicaSet`.
    pub kind: String,
    /// Name.
    pub name: String,
    /// Whether this owner is the one that made the object.
    pub controller: bool,
}
