//! Servers for every door, generic over a [`Sandboxer`](crate::Sandboxer).
//!
//! Each RPC is one line over an inner function that takes the namespace and the
//! request, so that it can be tested without a socket.
// One shape for every RPC, whether or not it has something to wait for.
#![allow(clippy::unused_async)]

mod calls;
mod connection;
mod controller;
mod frame;
#[doc(hidden)]
pub mod fuzzed;
mod latency;
mod limits;
mod listener;
mod outcome;
mod refusal;
mod sandbox;
mod task;

use std::sync::Arc;

pub use calls::{Call, Calls, MethodCalls};
pub use latency::{BOUNDS_NS, BUCKETS, Latencies, Latency};
pub use limits::{Counted, Limits, One};
pub use listener::{MAX_GRPC_MESSAGE, bind, serve};
pub use outcome::Outcomes;

use crate::error::Result;
use crate::id::Key;

/// One sandboxer as all doors share it.
pub(crate) struct Service<S> {
    sandboxer: Arc<S>,
    /// Where the task service of every sandbox answers, as containerd dials it.
    address: Arc<str>,
    outcomes: Arc<Outcomes>,
    calls: DoorCalls,
    in_flight: Counted,
}

/// What is counted of the RPCs of the sandbox API's doors; off by default. Clones count
/// together.
#[derive(Debug, Clone, Default)]
pub struct DoorCalls {
    /// Of ttrpc `containerd.runtime.sandbox.v1.Sandbox`.
    pub sandbox: Calls,
    /// Of ttrpc `containerd.task.v3.Task` and v2.
    pub task: Calls,
    /// Of gRPC `containerd.services.sandbox.v1.Controller`.
    pub controller: Calls,
}

impl DoorCalls {
    /// Counts all of them.
    pub fn counting() -> Self {
        Self {
            sandbox: Calls::counting("ttrpc_sandbox", sandbox::METHODS),
            task: Calls::counting("ttrpc_task", task::METHODS),
            controller: Calls::counting("grpc_controller", controller::METHODS),
        }
    }
}

impl<S> Clone for Service<S> {
    fn clone(&self) -> Self {
        Self {
            sandboxer: Arc::clone(&self.sandboxer),
            address: Arc::clone(&self.address),
            outcomes: Arc::clone(&self.outcomes),
            calls: self.calls.clone(),
            in_flight: self.in_flight.clone(),
        }
    }
}

impl<S> Service<S> {
    pub(crate) fn new(
        sandboxer: Arc<S>,
        address: &str,
        calls: DoorCalls,
        in_flight: Counted,
    ) -> Self {
        Self {
            sandboxer,
            address: address.into(),
            outcomes: Arc::default(),
            calls,
            in_flight,
        }
    }
}

/// One more call under way, of any door, unless there are too many.
///
/// # Errors
/// `ResourceExhausted`.
pub fn one_call(in_flight: &Counted) -> Result<One> {
    in_flight.one("calls under way", "--max-in-flight")
}

/// The version of the task API at the address: `containerd.task.v3`.
pub(crate) const TASK_API_VERSION: u32 = 3;

/// CRI's words for a sandbox's state, which containerd passes on verbatim.
pub(crate) fn state_name(ready: bool) -> &'static str {
    if ready {
        "SANDBOX_READY"
    } else {
        "SANDBOX_NOTREADY"
    }
}

/// The platform containers would run on: Linux, and this machine's architecture
/// by Go's name, as containerd compares it.
pub(crate) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" => "ppc64le",
        other => other,
    }
}

/// The key of a sandbox or container that a request names in `field`.
pub(crate) fn key(namespace: &str, field: &str, id: &str) -> Result<Key> {
    Key::named(field, namespace, id)
}
