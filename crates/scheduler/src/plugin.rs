//! Names of the plugins of kube-scheduler.

/// Plugin of kube-scheduler's default configuration.
///
/// The others of the default configuration look at volumes, images and devices, about which plans
/// know nothing: they refuse no node, and `ImageLocality` scores every node with 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plugin {
    /// Refuses nodes that are marked unschedulable.
    NodeUnschedulable,
    /// Refuses nodes other than the one that the spec names.
    NodeName,
    /// Refuses nodes by their taints.
    TaintToleration,
    /// Refuses and scores nodes by their labels and names.
    NodeAffinity,
    /// Refuses nodes on which another pod has the port.
    NodePorts,
    /// Refuses and scores nodes by what is left of their resources.
    NodeResourcesFit,
    /// Spreads pods over domains.
    PodTopologySpread,
    /// Refuses and scores nodes by the pods in their domains.
    InterPodAffinity,
    /// Scores nodes by the balance of their resources.
    NodeResourcesBalancedAllocation,
}

impl Plugin {
    /// Plugins that refuse nodes, in the order in which a scheduler asks them.
    pub const FILTERS: [Self; 8] = [
        Self::NodeUnschedulable,
        Self::NodeName,
        Self::TaintToleration,
        Self::NodeAffinity,
        Self::NodePorts,
        Self::NodeResourcesFit,
        Self::PodTopologySpread,
        Self::InterPodAffinity,
    ];

    /// Plugins that score nodes, in the order of the default configuration.
    pub const SCORES: [Self; 6] = [
        Self::TaintToleration,
        Self::NodeAffinity,
        Self::NodeResourcesFit,
        Self::PodTopologySpread,
        Self::InterPodAffinity,
        Self::NodeResourcesBalancedAllocation,
    ];

    /// Returns the name in a scheduler's configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::NodeUnschedulable => "NodeUnschedulable",
            Self::NodeName => "NodeName",
            Self::TaintToleration => "TaintToleration",
            Self::NodeAffinity => "NodeAffinity",
            Self::NodePorts => "NodePorts",
            Self::NodeResourcesFit => "NodeResourcesFit",
            Self::PodTopologySpread => "PodTopologySpread",
            Self::InterPodAffinity => "InterPodAffinity",
            Self::NodeResourcesBalancedAllocation => "NodeResourcesBalancedAllocation",
        }
    }
}
