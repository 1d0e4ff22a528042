//! Objects that can be used only when everything was read: workloads and classes.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Source;
use crate::api::{Labels, OwnerReference, PodSpec, Quantities, Toleration};

/// Workloads and classes that were read.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub workloads: Vec<Workload>,
    pub autoscalers: Vec<Autoscaler>,
    pub priority_classes: BTreeMap<String, PriorityClass>,
    pub runtime_classes: BTreeMap<String, RuntimeClass>,
    /// Whether some pod came from a cluster.
    pub has_pods_of_cluster: bool,
}

/// Object that makes pods.
#[derive(Debug)]
pub(crate) struct Workload {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    /// Whether the object came from a cluster, not from its author.
    pub of_cluster: bool,
    /// Object that made this one.
    pub controller: Option<OwnerReference>,
    pub labels: Labels,
    pub spec: PodSpec,
    pub raw: Option<Arc<serde_json::Value>>,
    pub count: Count,
    /// Number of the first pod of a StatefulSet.
    pub first_ordinal: u32,
    pub source: Source,
}

/// How many pods a workload makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// A number, which an autoscaler may change.
    Replicas(u32),
    /// A number.
    Fixed(u32),
    /// One for each node that it may run on.
    PerNode,
}

/// Bounds of the number of pods of a workload (`HorizontalPodAutoscaler`).
#[derive(Debug)]
pub(crate) struct Autoscaler {
    pub namespace: String,
    pub name: String,
    pub target_kind: String,
    pub target_name: String,
    pub least: u32,
    pub most: u32,
}

/// Class of pods of one priority (`PriorityClass`).
#[derive(Debug)]
pub(crate) struct PriorityClass {
    pub value: i32,
    pub global_default: bool,
    pub preemption_policy: Option<String>,
    pub source: Source,
}

/// Class of pods with one runtime (`RuntimeClass`).
#[derive(Debug)]
pub(crate) struct RuntimeClass {
    pub overhead: Quantities,
    pub node_selector: Labels,
    pub tolerations: Vec<Toleration>,
    pub source: Source,
}
