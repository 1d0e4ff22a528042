//! Pods, nodes and their usage over time, from files of many kinds.
//!
//! Every command of `slotplan` computes on the same [`Inventory`]. Amounts are integers
//! ([`Amounts`]: millicores, bytes, counts), so the same input gives the same results on every
//! machine.
//!
//! # Modules
//!
//! - `model`: what is read: pods, nodes, usage.
//! - `api`: objects of the Kubernetes API.
//! - `effective`: the resources of a pod after the defaults of the API server.
//! - `amounts`, `time`, `source`: values.

mod amounts;
pub mod api;
mod effective;
mod model;
mod source;
mod time;

pub use amounts::{Amounts, ResourceName};
pub use effective::{Effective, HostPort, QosClass, amounts};
pub use model::{Assumption, Inventory, Node, Object, Owner, Pod, Sample, Template, UsageSeries};
pub use source::Source;
pub use time::{Timestamp, TimestampError};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
