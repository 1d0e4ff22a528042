//! Configuration of a scheduler.

use std::str::FromStr;

use crate::plugin::Plugin;
use crate::scoring::Shape;

/// Version of Kubernetes whose scheduler places the pods.
///
/// 1.35 scores and words as 1.34 does, so it has no variant of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Version {
    /// 1.34: the balance of a node counts as it is with the pod.
    V1_34,
    /// 1.36: the balance of a node counts by how much the pod improves it.
    #[default]
    V1_36,
}

impl Version {
    /// Returns the version as it is written.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1_34 => "1.34",
            Self::V1_36 => "1.36",
        }
    }
}

/// Error of a text that is no known version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a version of the scheduler: {0:?} (1.34 or 1.36)")]
pub struct VersionError(String);

impl FromStr for Version {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        match text {
            "1.34" => Ok(Self::V1_34),
            "1.36" => Ok(Self::V1_36),
            _ => Err(VersionError(text.to_owned())),
        }
    }
}

/// Preference among the nodes that have room (`ScoringStrategy` of `NodeResourcesFitArgs`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Strategy {
    /// The emptiest node, the default.
    #[default]
    LeastAllocated,
    /// The fullest node.
    MostAllocated,
    /// The node whose utilisation has the highest value of a function.
    RequestedToCapacityRatio(Shape),
}

/// Weight of a resource for a score (`ResourceSpec`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceWeight {
    /// Name of the resource.
    pub name: String,
    /// Weight, 1 to 100.
    pub weight: i64,
}

impl ResourceWeight {
    /// Returns the weights of CPU and memory in the default configuration.
    pub fn defaults() -> Vec<Self> {
        ["cpu", "memory"]
            .map(|name| Self {
                name: name.to_owned(),
                weight: 1,
            })
            .to_vec()
    }
}

/// Weights of the plugins that score nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weights {
    /// `TaintToleration`.
    pub taint_toleration: i64,
    /// `NodeAffinity`.
    pub node_affinity: i64,
    /// `NodeResourcesFit`.
    pub fit: i64,
    /// `PodTopologySpread`.
    pub topology_spread: i64,
    /// `InterPodAffinity`.
    pub pod_affinity: i64,
    /// `NodeResourcesBalancedAllocation`.
    pub balanced_allocation: i64,
}

/// The weights of `getDefaultPlugins` in `pkg/scheduler/apis/config/v1/default_plugins.go`.
impl Default for Weights {
    fn default() -> Self {
        Self {
            taint_toleration: 3,
            node_affinity: 2,
            fit: 1,
            topology_spread: 2,
            pod_affinity: 2,
            balanced_allocation: 1,
        }
    }
}

impl Weights {
    /// Returns the weight of a plugin; 0 for one that scores nothing.
    pub fn of(&self, plugin: Plugin) -> i64 {
        match plugin {
            Plugin::TaintToleration => self.taint_toleration,
            Plugin::NodeAffinity => self.node_affinity,
            Plugin::NodeResourcesFit => self.fit,
            Plugin::PodTopologySpread => self.topology_spread,
            Plugin::InterPodAffinity => self.pod_affinity,
            Plugin::NodeResourcesBalancedAllocation => self.balanced_allocation,
            Plugin::NodeUnschedulable | Plugin::NodeName | Plugin::NodePorts => 0,
        }
    }
}

/// Configuration of a scheduler, by default the one of kube-scheduler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Version.
    pub version: Version,
    /// Preference among the nodes that have room.
    pub strategy: Strategy,
    /// Resources that the strategy counts.
    pub strategy_resources: Vec<ResourceWeight>,
    /// Resources that should be used in equal shares.
    pub balanced_resources: Vec<ResourceWeight>,
    /// Weights of the plugins.
    pub weights: Weights,
}

impl Default for Profile {
    fn default() -> Self {
        Self {
            version: Version::default(),
            strategy: Strategy::default(),
            strategy_resources: ResourceWeight::defaults(),
            balanced_resources: ResourceWeight::defaults(),
            weights: Weights::default(),
        }
    }
}
