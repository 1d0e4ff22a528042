//! Groups of costs, with idle and shared costs laid on them.
//!
//! The order of the steps is that of `AggregateBy` in `core/pkg/opencost/allocation.go` of
//! OpenCost: idle costs are divided by the costs of containers, resource by resource, shared
//! containers among them; then shared costs, with the idle costs laid on them, are divided among
//! the groups by their costs without idle and shared costs, or evenly.
//!
//! Where OpenCost drops costs, they stay here: if there are no containers but shared ones, its
//! result is empty, and shared costs that no group takes vanish. Here, they stay in the groups
//! [`IDLE`](crate::group::IDLE) and [`SHARED`](crate::group::SHARED), so that the groups sum to the
//! whole.

use std::collections::BTreeMap;

use crate::allocation::{Allocation, Window};
use crate::group::{Group, GroupKind, IDLE, SHARED};
use crate::idle::NodeCost;
use crate::money::Money;
use crate::property::{Property, key};
use crate::resource::{PerResource, Resource};
use crate::share::by_weight;

/// Use of idle costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Idle {
    /// Left out.
    LeftOut,
    /// A group of its own.
    #[default]
    Apart,
    /// A group for each node.
    ApartByNode,
    /// Laid on all containers of the cluster.
    SharedInCluster,
    /// Laid on the containers of each node.
    SharedOnNode,
}

/// Division of a shared cost among groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// In proportion to their costs.
    #[default]
    Weighted,
    /// The same for each.
    Even,
}

/// Choices of a grouping.
#[derive(Debug, Clone, Default)]
pub struct Grouping {
    /// Properties that the containers of a group have in common.
    pub by: Vec<Property>,
    /// Name of the cluster.
    pub cluster: String,
    /// Use of idle costs.
    pub idle: Idle,
    /// Namespaces with costs that the others bear, and the division.
    pub shares: Vec<(String, Split)>,
    /// Costs per hour of the window that the groups bear, with the division.
    pub overheads: Vec<(Money, Split)>,
}

/// Costs of groups, and the whole that they sum to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grouped {
    /// Groups: those of containers in the order of their keys, then idle and shared ones.
    pub groups: Vec<Group>,
    /// Cost of all containers.
    pub allocated: PerResource<Money>,
    /// Idle cost of all nodes; zero if it is left out.
    pub idle: PerResource<Money>,
    /// Costs per hour, over the window.
    pub overhead: Money,
}

impl Grouped {
    /// Returns the sum of everything, which is the sum of the groups.
    pub fn total(&self) -> Money {
        self.allocated.total() + self.idle.total() + self.overhead
    }

    /// Returns the costs of all groups in billionths, with units that rounding leaves over given to
    /// the largest remainders: they sum to [`Money::nano`] of the whole.
    pub fn nanos(&self) -> Vec<u128> {
        let whole = u128::try_from(self.total().nano()).unwrap_or(0);
        let weights: Vec<_> = self
            .groups
            .iter()
            .map(|group| group.total().units())
            .collect();
        by_weight(whole, &weights)
    }
}

/// Groups costs.
pub fn group(
    allocations: &[Allocation],
    nodes: &[NodeCost],
    window: Window,
    grouping: &Grouping,
) -> Grouped {
    let laid = Laid::new(allocations, nodes, grouping.idle);
    let mut groups = BTreeMap::new();
    let mut own = BTreeMap::new();
    let mut pools = Pools::default();
    let mut allocated = PerResource::<Money>::default();
    for (place, allocation) in allocations.iter().enumerate() {
        allocated.add(&allocation.cost);
        let idle = laid.on.get(place).copied().unwrap_or_default();
        let namespace = &*allocation.names.namespace;
        if let Some((_, split)) = grouping.shares.iter().find(|(name, _)| name == namespace) {
            *pools.of(*split) += allocation.cost.total() + idle.total();
            continue;
        }
        let key = key(&grouping.by, &allocation.names, &grouping.cluster);
        *own.entry(key.clone()).or_insert(Money::ZERO) += allocation.cost.total();
        let new = |key: &String| Group::new(GroupKind::Containers, key.clone());
        let group = groups.entry(key).or_insert_with_key(new);
        group.cost.add(&allocation.cost);
        group.cost.add(&idle);
        group.idle.add(&idle);
        group.allocated.add(&allocation.allocated);
        group.requested.add(&allocation.requested);
        group.used.add(&allocation.used);
    }
    let mut overhead = Money::ZERO;
    for (per_hour, split) in &grouping.overheads {
        let cost = per_hour.over(window.nanoseconds());
        overhead += cost;
        *pools.of(*split) += cost;
    }
    let left = pools.divide(&mut groups, &own);
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.extend(laid.left);
    if !left.is_zero() {
        let mut group = Group::new(GroupKind::Shared, SHARED.to_owned());
        group.shared = left;
        groups.push(group);
    }
    Grouped {
        groups,
        allocated,
        idle: laid.total,
        overhead,
    }
}

/// Idle costs, laid on containers or left.
struct Laid {
    /// Idle costs on each container; empty if none are laid.
    on: Vec<PerResource<Money>>,
    /// Groups of the idle costs that are left.
    left: Vec<Group>,
    /// All idle costs.
    total: PerResource<Money>,
}

impl Laid {
    fn new(allocations: &[Allocation], nodes: &[NodeCost], idle: Idle) -> Self {
        let mut laid = Self {
            on: Vec::new(),
            left: Vec::new(),
            total: PerResource::default(),
        };
        if idle == Idle::LeftOut {
            return laid;
        }
        for node in nodes {
            laid.total.add(&node.idle);
        }
        match idle {
            Idle::LeftOut => {}
            Idle::Apart => laid.leave(IDLE.to_owned(), laid.total),
            Idle::ApartByNode => {
                for node in nodes {
                    laid.leave(format!("{}/{IDLE}", node.node), node.idle);
                }
            }
            Idle::SharedInCluster => {
                let all: Vec<_> = (0..allocations.len()).collect();
                laid.on = vec![PerResource::default(); allocations.len()];
                let left = laid.lay(allocations, &all, laid.total);
                laid.leave(IDLE.to_owned(), left);
            }
            Idle::SharedOnNode => {
                let mut on_node: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
                for (place, allocation) in allocations.iter().enumerate() {
                    if let Some(node) = &allocation.names.node {
                        on_node.entry(node).or_default().push(place);
                    }
                }
                laid.on = vec![PerResource::default(); allocations.len()];
                for node in nodes {
                    let places = on_node.remove(&*node.node).unwrap_or_default();
                    let left = laid.lay(allocations, &places, node.idle);
                    laid.leave(format!("{}/{IDLE}", node.node), left);
                }
            }
        }
        laid
    }

    /// Lays idle costs on the containers at these places, resource by resource in proportion to
    /// their costs. Returns the costs that none of them takes.
    fn lay(
        &mut self,
        allocations: &[Allocation],
        places: &[usize],
        idle: PerResource<Money>,
    ) -> PerResource<Money> {
        let mut left = PerResource::default();
        for resource in Resource::ALL {
            let weights: Vec<_> = places
                .iter()
                .map(|&place| allocations[place].cost[resource].units())
                .collect();
            if weights.iter().all(|weight| *weight == 0) {
                left[resource] = idle[resource];
                continue;
            }
            for (&place, part) in places
                .iter()
                .zip(by_weight(idle[resource].units(), &weights))
            {
                self.on[place][resource] += Money::part(part);
            }
        }
        left
    }

    fn leave(&mut self, key: String, cost: PerResource<Money>) {
        if cost.total().is_zero() {
            return;
        }
        let mut group = Group::new(GroupKind::Idle, key);
        group.cost = cost;
        self.left.push(group);
    }
}

/// Shared costs by their division.
#[derive(Default)]
struct Pools {
    weighted: Money,
    even: Money,
}

impl Pools {
    fn of(&mut self, split: Split) -> &mut Money {
        match split {
            Split::Weighted => &mut self.weighted,
            Split::Even => &mut self.even,
        }
    }

    /// Lays the costs on groups. Returns the costs that none of them takes.
    fn divide(self, groups: &mut BTreeMap<String, Group>, own: &BTreeMap<String, Money>) -> Money {
        let by_cost: Vec<_> = own.values().map(|cost| cost.units()).collect();
        let evenly = vec![1; own.len()];
        let mut left = Money::ZERO;
        for (cost, weights) in [(self.weighted, by_cost), (self.even, evenly)] {
            if weights.iter().all(|weight| *weight == 0) {
                left += cost;
                continue;
            }
            for (group, part) in groups.values_mut().zip(by_weight(cost.units(), &weights)) {
                group.shared += Money::part(part);
            }
        }
        left
    }
}
