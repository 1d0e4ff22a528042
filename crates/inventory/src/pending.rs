//! Objects that can be used only when everything was read: workloads and classes.

use std::collections::{BTreeMap, BTreeSet};
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
    /// Beginnings of the names of pods that workloads have, by namespace.
    pub taken: BTreeSet<(String, String)>,
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

impl Workload {
    /// Returns the names of the pods. `taken` has the beginnings that other workloads have: a
    /// Deployment and a Job may have one name, their pods may not.
    pub fn names(&self, taken: &mut BTreeSet<(String, String)>) -> Names {
        let mut prefix = format!("{}-", self.name);
        if self.kind == "Pod" {
            prefix.clone_from(&self.name);
        } else if !taken.insert((self.namespace.clone(), prefix.clone())) {
            prefix = format!("{}-{}-", self.name, self.kind.to_ascii_lowercase());
        }
        Names {
            prefix,
            kind: self.kind,
            first: u64::from(self.first_ordinal),
        }
    }
}

/// Names of the pods of a workload: like those that its controller makes, but always the same.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    prefix: String,
    kind: &'static str,
    first: u64,
}

impl Names {
    /// Returns the name of a pod, from 0.
    pub fn pod(&self, index: u32) -> String {
        match self.kind {
            "Pod" => self.prefix.clone(),
            "StatefulSet" => format!("{}{}", self.prefix, self.first + u64::from(index)),
            _ => format!("{}{index:05}", self.prefix),
        }
    }
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
