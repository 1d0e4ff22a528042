//! Idle costs: the costs of nodes beyond those of their containers.
//!
//! OpenCost computes idle costs node by node and resource by resource (`computeIdleAllocations` in
//! `pkg/costmodel/costmodel.go`). There, a node with more usage than capacity has a negative idle
//! cost; here, it has none, as in the golden data, and the excess is reported.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::allocation::{Allocation, CostError, PricedNode, Window, node_cost};
use crate::money::Money;
use crate::resource::{PerResource, Resource};
use crate::share::by_weight;

/// Costs of one node in a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeCost {
    /// Name.
    pub node: Arc<str>,
    /// Cost of its capacity.
    pub capacity: PerResource<Money>,
    /// Cost of its containers, with its part of those that are on no known node.
    pub allocated: PerResource<Money>,
    /// Cost of its capacity beyond its containers, at least zero.
    pub idle: PerResource<Money>,
}

impl NodeCost {
    /// Returns the cost of the containers beyond the cost of the capacity.
    pub fn excess(&self) -> PerResource<Money> {
        PerResource::from_fn(|resource| {
            (self.allocated[resource] - self.capacity[resource]).at_least_zero()
        })
    }
}

/// Computes the costs of nodes, in their order.
///
/// A container without a node is somewhere on these nodes: its cost is taken from the idle costs
/// of all, in proportion to them. A container on a node that is not among these is outside.
///
/// # Errors
/// A node that costs more than 10^15 currency units.
pub fn node_costs(
    nodes: &[PricedNode],
    allocations: &[Allocation],
    window: Window,
) -> Result<Vec<NodeCost>, CostError> {
    let places: BTreeMap<&str, usize> = nodes
        .iter()
        .enumerate()
        .map(|(place, node)| (&*node.name, place))
        .collect();
    let mut costs = Vec::with_capacity(nodes.len());
    for node in nodes {
        let capacity = node_cost(node, window)?;
        costs.push(NodeCost {
            node: node.name.clone(),
            capacity,
            allocated: PerResource::default(),
            idle: PerResource::default(),
        });
    }
    let mut unplaced = PerResource::<Money>::default();
    for allocation in allocations {
        match &allocation.names.node {
            None => unplaced.add(&allocation.cost),
            Some(node) => {
                if let Some(&place) = places.get(&**node) {
                    costs[place].allocated.add(&allocation.cost);
                }
            }
        }
    }
    for resource in Resource::ALL {
        place(&mut costs, unplaced[resource], resource);
    }
    Ok(costs)
}

/// Computes the idle costs of a resource, and divides the cost of containers without a node among
/// the nodes by idle cost.
fn place(costs: &mut [NodeCost], unplaced: Money, resource: Resource) {
    let idle: Vec<_> = costs
        .iter()
        .map(|node| (node.capacity[resource] - node.allocated[resource]).at_least_zero())
        .collect();
    let total: Money = idle.iter().copied().sum();
    let taken = unplaced.min(total);
    let weights: Vec<_> = idle.iter().map(|idle| idle.units()).collect();
    let parts = by_weight(taken.units(), &weights);
    for ((node, idle), part) in costs.iter_mut().zip(idle).zip(parts) {
        let part = Money::part(part);
        node.allocated[resource] += part;
        node.idle[resource] = idle - part;
    }
}
