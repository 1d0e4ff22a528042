//! State of a node.

use inventory::{Node, Timestamp};

use super::class::{Class, ClassId};
use super::resources::ResourceIndex;
use crate::spec::ports::{self, UsedPorts};

/// Number that the caller gives to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PodId(pub u32);

/// Pod on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PodOnNode {
    /// Number of the pod.
    pub id: PodId,
    /// Class.
    pub class: ClassId,
    /// Start; a pod without one counts as started after all others (`GetPodStartTime`).
    pub start: Timestamp,
}

impl PodOnNode {
    /// Start of a pod that has not started yet.
    pub const NOT_STARTED: Timestamp = Timestamp(i64::MAX);
}

/// Use of a node by its pods. Sums have 128 bits, so that removing a pod restores them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    requested: Vec<i128>,
    /// CPU and memory as the scores of nodes count them.
    scored: [i128; 2],
    pods: usize,
    pub ports: UsedPorts,
}

impl Usage {
    pub fn add(&mut self, class: &Class) {
        self.change(class, 1);
        self.pods += 1;
        ports::add(&mut self.ports, class.host_ports());
    }

    pub fn remove(&mut self, class: &Class) {
        self.change(class, -1);
        self.pods = self.pods.saturating_sub(1);
        ports::remove(&mut self.ports, class.host_ports());
    }

    fn change(&mut self, class: &Class, sign: i128) {
        for &(resource, amount) in &class.requests {
            let number = resource.number();
            if self.requested.len() <= number {
                self.requested.resize(number + 1, 0);
            }
            self.requested[number] += sign * i128::from(amount);
        }
        for (sum, resource) in self
            .scored
            .iter_mut()
            .zip([ResourceIndex::CPU, ResourceIndex::MEMORY])
        {
            *sum += sign * i128::from(class.scored_request(resource));
        }
    }

    /// Returns the sum of the requests; beyond 64 bits, the largest number.
    pub fn requested(&self, resource: ResourceIndex) -> i64 {
        clamp(self.requested.get(resource.number()).copied().unwrap_or(0))
    }

    /// Returns the sum as the scores of nodes count it.
    pub fn scored(&self, resource: ResourceIndex) -> i64 {
        match self.scored.get(resource.number()) {
            Some(&sum) => clamp(sum),
            None => self.requested(resource),
        }
    }

    pub fn pods(&self) -> usize {
        self.pods
    }
}

fn clamp(sum: i128) -> i64 {
    i64::try_from(sum).unwrap_or(if sum < 0 { i64::MIN } else { i64::MAX })
}

/// Node of a [`Cluster`](crate::Cluster) with its pods.
#[derive(Debug, Clone)]
pub struct NodeState {
    pub(crate) node: Node,
    pub(crate) allocatable: Vec<i64>,
    pub(crate) allowed_pods: i64,
    pub(crate) usage: Usage,
    pub(crate) pods: Vec<PodOnNode>,
}

impl NodeState {
    /// Returns the node.
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Returns the amount of a resource that pods can request, in its unit.
    pub fn allocatable(&self, resource: ResourceIndex) -> i64 {
        self.allocatable
            .get(resource.number())
            .copied()
            .unwrap_or(0)
    }

    /// Returns the sum of the requests of the pods; beyond 64 bits, the largest number.
    pub fn requested(&self, resource: ResourceIndex) -> i64 {
        self.usage.requested(resource)
    }

    /// Returns the sum of the requests of the pods as the scores of nodes count them: a container
    /// without a request counts as 100 millicores and 200 MiB (`NonZeroRequested`).
    pub fn scored(&self, resource: ResourceIndex) -> i64 {
        self.usage.scored(resource)
    }

    /// Returns the number of pods that the node takes.
    pub fn allowed_pods(&self) -> i64 {
        self.allowed_pods
    }

    /// Returns the pods, in the order in which they were added.
    pub fn pods(&self) -> &[PodOnNode] {
        &self.pods
    }
}
