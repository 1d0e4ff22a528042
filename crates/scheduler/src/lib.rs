//! Places pods on nodes as kube-scheduler does: its filters, scores and messages.
//!
//! # Modules
//!
//! - `cluster`: nodes, the pods on them, and classes of equal pods.
//! - `profile`: the configuration of a scheduler.
//! - `spec`: the demands of a pod on one node: selectors, affinity, taints, ports.
//! - `plugins`: filters and scores that depend on the pods of nodes.
//! - `scoring`: scores of a node by its resources.
//! - `evaluate`, `evaluation`: the full scan over all nodes, and its result.
//! - `engine`: the same results for many pods, without a look at every node for each.
//! - `timeline`: placement over time, with arrivals, departures and waiting pods.
//! - `preemption`, `disruption`: making room by removing pods of lower priority.
//! - `schedule`: placing all pods that wait.
//! - `fit`: how many more pods of one class fit.
//! - `explain`: the verdict of every filter on every node.

mod cluster;
mod disruption;
mod engine;
mod evaluate;
mod evaluation;
mod explain;
mod fit;
mod plugin;
mod plugins;
mod preemption;
mod profile;
mod schedule;
pub mod scoring;
mod spec;
pub mod timeline;

pub use cluster::{
    Class, ClassId, Cluster, ClusterError, NodeState, PodId, PodOnNode, ResourceIndex, SpecError,
};
pub use disruption::{Amount, Bound, Budget};
pub use engine::{Choice, Engine, EngineError};
pub use evaluation::{Evaluation, Reason, Rejection, Scores, Ties, Verdict};
pub use explain::Refusals;
pub use fit::Room;
pub use plugin::Plugin;
pub use preemption::{Nomination, NotHelpful};
pub use profile::{Profile, ResourceWeight, Strategy, Version, VersionError, Weights};
pub use schedule::{GATED, Outcome, Settings, Waiting};
pub use spec::selector::SelectorError;

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
