//! Recommendation of the Vertical Pod Autoscaler, bit for bit.
//!
//! Semantics are those of `vertical-pod-autoscaler/pkg/recommender` of kubernetes/autoscaler at
//! commit 55c37cd5eb (after 1.6), with the defaults of its command line.
//!
//! - `float`, `moment`, `amount`: numbers, times and amounts as upstream computes with them.
//! - `buckets`, `histogram`: decaying histograms (`util`).
//! - `container`: from samples of one container to its aggregation (`model`).
//! - `estimate`: from aggregations to amounts (`logic`).
//! - `recommender`: samples of all pods of a workload, in the order of time.

mod amount;
mod buckets;
mod container;
mod estimate;
mod float;
mod histogram;
mod moment;
mod recommender;

pub use container::{Aggregation, ContainerState, Observation};
pub use estimate::{Estimate, minimum_for};
pub use histogram::Checkpoint;
pub use moment::Moment;
pub use recommender::Recommender;
