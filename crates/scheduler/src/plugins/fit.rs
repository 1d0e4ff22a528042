//! Room on nodes: the plugins `NodeResourcesFit` and `NodeResourcesBalancedAllocation`.

use crate::cluster::node::Usage;
use crate::cluster::{Class, Cluster, NodeState, ResourceIndex};
use crate::evaluation::{Reason, Rejection};
use crate::plugin::Plugin;
use crate::profile::{Profile, ResourceWeight, Strategy, Version};
use crate::scoring::{self, Use};

/// Refuses a node that lacks room for a pod (`fitsRequest` in `noderesources/fit.go`).
///
/// A resource that an extension of dynamic resource allocation would provide is not known.
pub(crate) fn filter(
    cluster: &Cluster,
    class: &Class,
    node: &NodeState,
    usage: &Usage,
) -> Result<(), Rejection> {
    let mut reasons = Vec::new();
    let mut resolvable = true;
    let pods = i64::try_from(usage.pods()).unwrap_or(i64::MAX);
    if pods.saturating_add(1) > node.allowed_pods {
        reasons.push(Reason::TooManyPods);
    }
    for &(resource, request) in &class.requests {
        let allocatable = node.allocatable(resource);
        let left = i128::from(allocatable) - i128::from(usage.requested(resource));
        if i128::from(request) > left {
            reasons.push(Reason::Insufficient(
                cluster.resource_name(resource).clone(),
            ));
            resolvable &= request <= allocatable;
        }
    }
    if reasons.is_empty() {
        return Ok(());
    }
    Err(Rejection {
        plugin: Plugin::NodeResourcesFit,
        resolvable,
        reasons,
    })
}

/// Scores of nodes by their resources, with the configuration looked up.
#[derive(Debug)]
pub(crate) struct ResourceScores<'a> {
    profile: &'a Profile,
    strategy: Vec<Weighed>,
    balanced: Vec<Weighed>,
    is_balanced: bool,
}

/// Resource with its weight and what the pod adds.
#[derive(Debug)]
struct Weighed {
    resource: ResourceIndex,
    weight: i64,
    request: i64,
}

impl<'a> ResourceScores<'a> {
    pub fn new(cluster: &Cluster, class: &Class, profile: &'a Profile) -> Self {
        let strategy = weighed(cluster, &profile.strategy_resources, |resource| {
            class.scored_request(resource)
        });
        let balanced = weighed(cluster, &profile.balanced_resources, |resource| {
            class.request(resource)
        });
        Self {
            profile,
            is_balanced: balanced.iter().any(|resource| resource.request != 0),
            strategy,
            balanced,
        }
    }

    /// Scores a node by the strategy.
    pub fn fit(&self, node: &NodeState) -> i64 {
        let uses = uses(&self.strategy, node, |resource| node.scored(resource));
        match &self.profile.strategy {
            Strategy::LeastAllocated => scoring::least_allocated(&uses),
            Strategy::MostAllocated => scoring::most_allocated(&uses),
            Strategy::RequestedToCapacityRatio(shape) => {
                scoring::requested_to_capacity_ratio(&uses, shape)
            }
        }
    }

    /// Scores a node by its balance; `None` for a pod that requests none of the resources.
    pub fn balanced(&self, node: &NodeState) -> Option<i64> {
        self.is_balanced.then(|| {
            let uses = uses(&self.balanced, node, |resource| node.requested(resource));
            match self.profile.version {
                Version::V1_34 => scoring::balanced_allocation_1_34(&uses),
                Version::V1_36 => scoring::balanced_allocation(&uses),
            }
        })
    }
}

fn uses(
    resources: &[Weighed],
    node: &NodeState,
    allocated: impl Fn(ResourceIndex) -> i64,
) -> Vec<Use> {
    let of = |weighed: &Weighed| {
        // A scalar resource that the pod does not request does not count.
        if weighed.request == 0 && weighed.resource.is_scalar() {
            return Use::default();
        }
        Use::with_pod(
            weighed.weight,
            allocated(weighed.resource),
            weighed.request,
            node.allocatable(weighed.resource),
        )
    };
    resources.iter().map(of).collect()
}

fn weighed(
    cluster: &Cluster,
    resources: &[ResourceWeight],
    request: impl Fn(ResourceIndex) -> i64,
) -> Vec<Weighed> {
    // A resource that no node and no pod has counts nowhere.
    let known = resources
        .iter()
        .filter_map(|of| Some((cluster.resource(&of.name)?, of.weight)));
    known
        .map(|(resource, weight)| Weighed {
            resource,
            weight,
            request: request(resource),
        })
        .collect()
}
