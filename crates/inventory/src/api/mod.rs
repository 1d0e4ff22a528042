//! Objects of the Kubernetes API, with the fields that decide something here.
//!
//! Names, defaults and meanings are those of `k8s.io/api` of Kubernetes 1.36. A field that is
//! unknown or decides nothing is ignored. Values are as they were written: `effective` applies the
//! defaults of the API server.

mod affinity;
mod meta;
mod node;
mod pod;
mod selector;

pub use affinity::{
    Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, PodAffinity,
    PodAffinityTerm, PreferredSchedulingTerm, WeightedPodAffinityTerm,
};
pub use meta::{ObjectMeta, OwnerReference};
pub use node::{NodeObject, NodeSpec, NodeStatus, Taint};
pub use pod::{
    Container, ContainerPort, PodSpec, Quantities, ResourceRequirements, SchedulingGate,
    Toleration, TopologySpreadConstraint,
};
pub use selector::{LabelSelector, LabelSelectorRequirement, Labels};
