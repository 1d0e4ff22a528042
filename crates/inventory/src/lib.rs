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
//! - `builder`: assembly out of many inputs, with shared texts and templates.
//! - `pending`, `finish`: workloads and classes, which need everything to be read first.
//! - `usage`: readers of the usage of containers.
//! - `window`: the part of an inventory in a window of time.
//! - `tree`: YAML and JSON as trees with lines.
//! - `kubernetes`: the reader of objects of the API.
//! - `simkube`, `openb`: the readers of traces of SimKube and of Alibaba's CSV files.
//! - `trace`: the reader of loadgen's traces.
//! - `check`: the API server's checks of specs.
//! - `journal`: the reader of the sandboxer's journals.
//! - `lines`: lines of a text that is read in pieces.
//! - `owner`: the workload of a pod by its labels.
//! - `read`: the formats, and the choice of a reader.

mod amounts;
pub mod api;
mod builder;
mod check;
mod effective;
mod error;
mod finish;
pub mod journal;
pub mod kubernetes;
mod lines;
mod model;
pub mod openb;
mod owner;
mod pending;
mod read;
pub mod simkube;
mod source;
mod time;
mod trace;
mod tree;
pub mod usage;
mod window;

pub use amounts::{Amounts, ResourceName};
pub use builder::{InventoryBuilder, Part, Scale};
pub use effective::{
    ContainerFacts, Effective, HostPort, Parts, QosClass, amounts, container_facts, defaulted,
    pod_limits, pod_requests, quota_usage,
};
pub use error::ReadError;
pub use model::{
    Assumption, Ignored, Inventory, MemorySource, Node, Object, Owner, Pod, Sample, Template,
    UsageSeries,
};
pub use owner::owner_of;
pub use read::{FileFormat, read};
pub use source::Source;
pub use time::{Timestamp, TimestampError};
pub use window::Window;

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
