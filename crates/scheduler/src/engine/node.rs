//! Resources of nodes and the sums of their pods' requests, laid out for scoring.

use crate::cluster::{self, Class, ResourceIndex};
use crate::scoring::balance_of_two;

/// Number of the CPU resource.
pub(super) const CPU: usize = 0;
/// Number of the memory resource.
pub(super) const MEMORY: usize = 1;

/// Amount from which on a hundredfold is too near to the range of integers.
const LARGE: i64 = 1 << 50;

/// Amounts of one node that scores and filters read most.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NodeState {
    /// Allocatable CPU and memory.
    pub(super) allocatable: [i64; 2],
    /// Sum of the requests of CPU and memory.
    pub(super) requested: [i64; 2],
    /// The same sum with the amounts that count for containers without requests.
    pub(super) nonzero: [i64; 2],
    /// Number of pods.
    pub(super) pods: i64,
    /// Largest number of pods.
    pub(super) allowed_pods: i64,
    /// A hundred divided by the allocatable amounts; 0 for a node without one of them, or with
    /// amounts of [`LARGE`], which the shorter way to the scores does not take.
    pub(super) inverse: [f64; 2],
    /// Score of the balance of CPU and memory.
    pub(super) balance: i64,
}

impl NodeState {
    /// Returns the state of a node without pods.
    fn new(allocatable: [i64; 2], allowed_pods: i64) -> Self {
        let ordinary = |amount: &i64| (1..LARGE).contains(amount);
        let inverse = if allocatable.iter().all(ordinary) {
            allocatable.map(|amount| 100.0 / amount as f64)
        } else {
            [0.0; 2]
        };
        Self {
            allocatable,
            allowed_pods,
            inverse,
            ..Self::default()
        }
    }

    /// Returns whether the node takes the shorter way to the scores.
    pub(super) fn is_ordinary(&self) -> bool {
        self.inverse[CPU] != 0.0
    }

    /// Returns the score of the balance of CPU and memory with these requests more.
    pub(super) fn balance_with(&self, requests: [i64; 2]) -> i64 {
        let share = |resource: usize| {
            let requested = self.requested[resource].saturating_add(requests[resource]);
            (requested as f64 / self.allocatable[resource] as f64).min(1.0)
        };
        balance_of_two(share(CPU), share(MEMORY))
    }
}

/// Amounts of all nodes, copied from a cluster.
#[derive(Debug)]
pub(super) struct Nodes {
    states: Vec<NodeState>,
    /// Allocatable amounts of resources from number 2 on, by resource and node.
    allocatable: Vec<Vec<i64>>,
    /// Sums of requests likewise.
    requested: Vec<Vec<i64>>,
}

/// Requests of a pod by the numbers of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Requests {
    /// CPU and memory.
    pub(super) plain: [i64; 2],
    /// CPU and memory that count for scores.
    pub(super) nonzero: [i64; 2],
    /// Others, without those of amount 0.
    pub(super) others: Vec<(usize, i64)>,
}

impl Requests {
    /// Returns the requests of the pods of a class.
    pub(super) fn of(class: &Class) -> Self {
        let both = [ResourceIndex::CPU, ResourceIndex::MEMORY];
        let others = class.requests().iter();
        Self {
            plain: both.map(|resource| class.request(resource)),
            nonzero: both.map(|resource| class.scored_request(resource)),
            others: others
                .map(|(resource, amount)| (resource.number(), *amount))
                .filter(|(number, _)| *number > MEMORY)
                .collect(),
        }
    }
}

impl Nodes {
    /// Copies the amounts of nodes, with this number of different resources.
    pub(super) fn new(nodes: &[cluster::NodeState], resources: usize) -> Self {
        let both = [ResourceIndex::CPU, ResourceIndex::MEMORY];
        let states = nodes.iter().map(|node| {
            let allocatable = both.map(|resource| node.allocatable(resource));
            NodeState::new(allocatable, node.allowed_pods())
        });
        let others = (2..resources).map(|number| {
            let amounts = nodes.iter();
            amounts
                .map(|node| node.allocatable(ResourceIndex(number)))
                .collect()
        });
        let mut copied = Self {
            states: states.collect(),
            allocatable: others.collect(),
            requested: vec![vec![0; nodes.len()]; resources.saturating_sub(2)],
        };
        for (number, node) in nodes.iter().enumerate() {
            copied.refresh(number, node);
        }
        copied
    }

    /// Adds resources that no node has.
    pub(super) fn add_resources(&mut self, resources: usize) {
        let nodes = self.states.len();
        let others = resources.saturating_sub(2).max(self.allocatable.len());
        self.allocatable.resize_with(others, || vec![0; nodes]);
        self.requested.resize_with(others, || vec![0; nodes]);
    }

    /// Copies the sums of the requests of a node's pods.
    pub(super) fn refresh(&mut self, number: usize, node: &cluster::NodeState) {
        let both = [ResourceIndex::CPU, ResourceIndex::MEMORY];
        let state = &mut self.states[number];
        state.requested = both.map(|resource| node.requested(resource));
        state.nonzero = both.map(|resource| node.scored(resource));
        state.pods = i64::try_from(node.pods().len()).unwrap_or(i64::MAX);
        state.balance = state.balance_with([0; 2]);
        for (sums, resource) in self.requested.iter_mut().zip(2..) {
            sums[number] = node.requested(ResourceIndex(resource));
        }
    }

    /// Returns the number of nodes.
    pub(super) fn len(&self) -> usize {
        self.states.len()
    }

    /// Returns whether a node has the requested amounts left (`fitsRequest` in `fit.go`).
    pub(super) fn fits(&self, requests: &Requests, node: usize) -> bool {
        let state = &self.states[node];
        let has = |resource: usize| {
            let request = requests.plain[resource];
            let left = state.allocatable[resource].saturating_sub(state.requested[resource]);
            request == 0 || request <= left
        };
        state.pods < state.allowed_pods
            && has(CPU)
            && has(MEMORY)
            && requests.others.iter().all(|&(resource, request)| {
                let (allocatable, requested) = self.amounts(resource, node);
                request <= allocatable.saturating_sub(requested)
            })
    }

    /// Returns the state of a node.
    pub(super) fn state(&self, node: usize) -> &NodeState {
        &self.states[node]
    }

    /// Returns the allocatable amount and the sum of requests of a resource of a node.
    pub(super) fn amounts(&self, resource: usize, node: usize) -> (i64, i64) {
        match resource.checked_sub(2) {
            None => {
                let state = &self.states[node];
                (state.allocatable[resource], state.requested[resource])
            }
            Some(other) => match (self.allocatable.get(other), self.requested.get(other)) {
                (Some(allocatable), Some(requested)) => (allocatable[node], requested[node]),
                _ => (0, 0),
            },
        }
    }
}
