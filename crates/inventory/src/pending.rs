//! Objects that can be used only when everything was read: workloads and classes.

use std::collections::BTreeMap;

use crate::Source;
use crate::api::{Labels, ObjectMeta, PodSpec, Quantities, Toleration};

/// Workloads and classes that were read.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub workloads: Vec<Workload>,
    pub priority_classes: BTreeMap<String, PriorityClass>,
    pub runtime_classes: BTreeMap<String, RuntimeClass>,
}

/// Object that makes pods.
#[derive(Debug)]
pub(crate) struct Workload {
    pub kind: &'static str,
    pub meta: ObjectMeta,
    pub template_labels: Labels,
    pub spec: PodSpec,
    pub count: Count,
    pub source: Source,
}

/// How many pods a workload makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Count {
    /// A number.
    Of(u32),
    /// One for each node that it may run on.
    PerNode,
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
