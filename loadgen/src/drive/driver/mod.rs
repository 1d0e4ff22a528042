//! Drivers: the protocols over which the engine runs the lifecycle of a pod.

mod as_containerd;
mod cri;
mod kind;
mod tasks;
mod waiting;

use std::future::Future;

use containerd_sandbox::Result;

pub use self::as_containerd::{AsContainerd, AsContainerdAt};
pub use self::cri::{CriAt, CriDriver, PodCgroups};
pub use self::kind::DriverKind;
pub use self::tasks::{Tasks, TasksAt};

use crate::drive::calls::Calls;
use crate::record::failure::Failure;
use crate::workload::plan::Pod;

/// A connection over which whole pods can be run. Clones share the connection.
///
/// The futures stay on the thread that made them, so they need not be `Send`.
pub trait Driver: Clone + Send + 'static {
    /// Address of the server, and the settings of the driver.
    type Address: Clone + Send + Sync + 'static;

    /// Record of the objects of a pod that may exist on the server.
    type Created: Created;

    /// State of a pod with all its containers started.
    type Running: 'static;

    /// Connects to the server.
    ///
    /// # Errors
    /// `Unavailable`, with the path of the socket.
    fn connect(address: &Self::Address) -> impl Future<Output = Result<Self>>;

    /// Makes a call that changes nothing.
    ///
    /// # Errors
    /// No reply, or a reply that no server of this protocol gives.
    fn probe(&self) -> impl Future<Output = Result<()>>;

    /// Makes the calls of a pod in order until all its containers run. Notes in `created`
    /// the objects to remove if one of the calls fails. Callers are within a
    /// [`tokio::task::LocalSet`], here and in the methods below.
    ///
    /// # Errors
    /// The first call that failed or had a wrong reply.
    fn start(
        &self,
        pod: &Pod,
        created: &mut Self::Created,
        calls: Calls<'_>,
    ) -> impl Future<Output = Result<Self::Running, Failure>>;

    /// Waits for the end of each container, or ends it, then removes it and starts it
    /// again.
    ///
    /// # Errors
    /// As [`Driver::start`].
    fn restart(
        &self,
        pod: &Pod,
        running: Self::Running,
        calls: Calls<'_>,
    ) -> impl Future<Output = Result<Self::Running, Failure>>;

    /// Restarts each container, independently of the others, when it has ended by itself,
    /// until `over` returns. `over` is called again for each wait.
    ///
    /// # Errors
    /// As [`Driver::start`].
    fn keep(
        &self,
        pod: &Pod,
        running: Self::Running,
        over: impl AsyncFn(),
        calls: Calls<'_>,
    ) -> impl Future<Output = Result<Self::Running, Failure>>;

    /// Ends and removes the containers, then the pod. Waits for containers that end by
    /// themselves; those of a pod after [`Driver::keep`] get a SIGTERM instead.
    ///
    /// # Errors
    /// As [`Driver::start`].
    fn stop(
        &self,
        pod: &Pod,
        running: Self::Running,
        calls: Calls<'_>,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Removes the remaining objects of a failed pod. Returns whether all of them are
    /// gone.
    fn tear_down(
        &self,
        pod: &Pod,
        created: Self::Created,
        calls: Calls<'_>,
    ) -> impl Future<Output = bool>;
}

/// Objects of a pod that may exist on the server; none by default.
pub trait Created: Default {
    /// Returns whether no object may exist.
    fn is_empty(&self) -> bool;

    /// Removes from this record the objects that, according to `failure`, belong to
    /// another client.
    #[must_use]
    fn without_others(self, failure: &Failure) -> Self;
}
