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

impl Workload {
    /// Returns the names of the pods.
    pub fn names(&self) -> Names {
        let prefix = match self.kind {
            "Deployment" => format!("{}-{}-", self.name, hash(&self.namespace, &self.name)),
            "Pod" => self.name.clone(),
            _ => format!("{}-", self.name),
        };
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

/// Returns the part of a pod's name that stands for its ReplicaSet. It depends on namespace and
/// name alone.
fn hash(namespace: &str, name: &str) -> String {
    // Letters and digits of generated names (`SafeEncodeString` in apimachinery).
    const ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    // FNV-1a of 64 bits.
    let bytes = namespace.bytes().chain([b'/']).chain(name.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut text = String::new();
    for _ in 0..10 {
        let place = usize::try_from(hash % ALPHABET.len() as u64).unwrap_or(0);
        text.push(char::from(ALPHABET[place]));
        hash /= ALPHABET.len() as u64;
    }
    text
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
