//! Spans of the calls of pods: where a call spends its time below this program.
//!
//! [`Collector`] receives the spans of a containerd, of its shims and of the sandboxer over OTLP.
//! [`Recorder`] keeps this program's own span of each call, whose trace context goes with the call,
//! so that containerd's spans are its children. Spans without that context are joined by the id of
//! a pod or container and by time: containerd sends no trace context to a proxy sandboxer, and CNI
//! plugins know of none. [`tree`] builds the tree of each call, and [`self_time`] divides the
//! latency of the call among its spans. Both are pure.

pub mod cni;
mod collector;
pub mod component;
mod recorder;
pub mod self_time;
pub mod tree;

pub use self::collector::{Collector, variables};
pub use self::recorder::{Begun, Called, Calls, PodTrace, Recorder};
