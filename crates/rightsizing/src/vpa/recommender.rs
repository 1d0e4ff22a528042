//! Samples of the same container of all pods of a workload.

use inventory::Timestamp;

use super::container::{Aggregation, ContainerState, Observation};
use super::estimate::Estimate;

/// Recommender of one container of a workload, which takes samples as they come.
///
/// Its size depends on the number of pods and not on the number of samples.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Recommender {
    aggregation: Aggregation,
    pods: Vec<ContainerState>,
}

impl Recommender {
    /// Adds an observation of the container of a pod, which is numbered from 0; returns whether
    /// it counts ([`ContainerState::add`]).
    pub fn add(&mut self, pod: usize, time: Timestamp, observation: Observation) -> bool {
        if pod >= self.pods.len() {
            self.pods.resize(pod + 1, ContainerState::default());
        }
        self.pods[pod].add(&mut self.aggregation, time, observation)
    }

    /// Returns the usage.
    pub fn aggregation(&self) -> &Aggregation {
        &self.aggregation
    }

    /// Returns the recommendation for pods with this number of containers.
    pub fn estimate(&self, containers: usize) -> Estimate {
        Estimate::of(&self.aggregation, containers)
    }
}
