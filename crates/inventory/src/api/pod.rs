//! Specs of pods.

use std::collections::BTreeMap;

use kube_resources::Quantity;
use serde::Deserialize;

use super::{Affinity, LabelSelector, Labels};

/// Quantities by the name of the resource (`ResourceList`).
pub type Quantities = BTreeMap<String, Quantity>;

/// Spec of a pod (`PodSpec`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodSpec {
    /// Containers that run before the others, and sidecars.
    pub init_containers: Vec<Container>,
    /// Containers.
    pub containers: Vec<Container>,
    /// Resources that the pod states for all of its containers.
    pub resources: Option<ResourceRequirements>,
    /// Resources that running the pod takes beside those of its containers.
    pub overhead: Quantities,
    /// Priority.
    pub priority: Option<i32>,
    /// Name of the priority class, from which an API server derives the priority.
    pub priority_class_name: String,
    /// `Never` if the pod evicts no other.
    pub preemption_policy: Option<String>,
    /// Node to which the pod is bound.
    pub node_name: String,
    /// Labels that the node must have.
    pub node_selector: Labels,
    /// Affinities.
    pub affinity: Option<Affinity>,
    /// Taints that the pod tolerates.
    pub tolerations: Vec<Toleration>,
    /// Constraints on how equal pods spread.
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
    /// Gates that keep the pod from being scheduled.
    pub scheduling_gates: Vec<SchedulingGate>,
    /// Whether the pod has the network of its node.
    pub host_network: bool,
    /// Name of the scheduler; empty for the default one.
    pub scheduler_name: String,
    /// Name of the runtime class, which may add overhead and constraints.
    pub runtime_class_name: Option<String>,
    /// `Always`, `OnFailure` or `Never`; empty for `Always`.
    pub restart_policy: String,
    /// Seconds after which the pod is ended.
    pub active_deadline_seconds: Option<i64>,
}

/// Container of a pod (`Container`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// Name.
    pub name: String,
    /// Image.
    pub image: String,
    /// Resources.
    pub resources: ResourceRequirements,
    /// Ports.
    pub ports: Vec<ContainerPort>,
    /// `Always` makes an init container a sidecar.
    pub restart_policy: Option<String>,
}

impl Container {
    /// Returns whether an init container goes on running beside the containers that follow it.
    pub fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}

/// Resources of a container or pod (`ResourceRequirements`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceRequirements {
    /// Amounts that a node must have left.
    pub requests: Quantities,
    /// Amounts that may be used at most.
    pub limits: Quantities,
}

/// Port of a container (`ContainerPort`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    /// Port of the pod.
    pub container_port: i32,
    /// Port of the node; 0 for none.
    pub host_port: i32,
    /// Address of the node; empty for all.
    #[serde(rename = "hostIP")]
    pub host_ip: String,
    /// `TCP`, `UDP` or `SCTP`; empty for `TCP`.
    pub protocol: String,
}

/// Taint that a pod tolerates (`Toleration`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Toleration {
    /// Name of the taint; empty for all, with the operator `Exists`.
    pub key: String,
    /// `Exists`, `Equal`, `Lt` or `Gt`; empty for `Equal`.
    pub operator: String,
    /// Value of the taint.
    pub value: String,
    /// Effect of the taint; empty for all.
    pub effect: String,
    /// Seconds for which a `NoExecute` taint is tolerated.
    pub toleration_seconds: Option<i64>,
}

/// Constraint on how equal pods spread over the domains of a topology
/// (`TopologySpreadConstraint`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopologySpreadConstraint {
    /// Largest difference of the number of pods between domains.
    pub max_skew: i32,
    /// Label of nodes whose values name the domains.
    pub topology_key: String,
    /// `DoNotSchedule` or `ScheduleAnyway`.
    pub when_unsatisfiable: String,
    /// Selector of the pods that are counted.
    pub label_selector: Option<LabelSelector>,
    /// Number of domains that are wanted at least.
    pub min_domains: Option<i32>,
    /// `Honor` (the default) leaves out nodes that the affinity excludes, `Ignore` counts them.
    pub node_affinity_policy: Option<String>,
    /// `Honor` leaves out nodes whose taints are not tolerated, `Ignore` (the default) counts them.
    pub node_taints_policy: Option<String>,
    /// Labels whose values of the pod itself are added to the selector.
    pub match_label_keys: Vec<String>,
}

/// Gate that keeps a pod from being scheduled (`PodSchedulingGate`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(default)]
pub struct SchedulingGate {
    /// Name.
    pub name: String,
}
