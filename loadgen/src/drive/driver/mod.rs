//! The protocols through which a pod's whole life is run: the seam between the
//! load and what it is put on.

mod as_containerd;
mod cri;
mod kind;
mod tasks;
mod waiting;

use std::future::Future;

use containerd_sandbox::Result;

pub use self::as_containerd::{AsContainerd, AsContainerdAt};
pub use self::cri::{CriAt, CriDriver};
pub use self::kind::DriverKind;
pub use self::tasks::{Tasks, TasksAt};

use crate::drive::calls::Calls;
use crate::record::failure::Failure;
use crate::workload::plan::Pod;

/// A connection over which whole pods can be run. Clones share it.
///
/// The futures stay on the thread that made them, so they need not be `Send`.
pub trait Driver: Clone + Send + 'static {
    /// Where it leads, and whatever else it needs.
    type Address: Clone + Send + Sync + 'static;

    /// What of a pod may be there.
    type Created: Created;

    /// A pod all of whose containers run, and what is held of it.
    type Running: 'static;

    /// Connects.
    ///
    /// # Errors
    /// `Unavailable`, naming the socket.
    fn connect(address: &Self::Address) -> impl Future<Output = Result<Self>>;

    /// Makes a call that changes nothing.
    ///
    /// # Errors
    /// If there is no answer, or one that nobody behind such a driver gives.
    fn probe(&self) -> impl Future<Output = Result<()>>;

    /// Makes a pod's calls in order until all its containers run, and notes in
    /// `created` what would have to be removed if one of them failed. This and what
    /// follows is called within a [`tokio::task::LocalSet`].
    ///
    /// # Errors
    /// The first call that failed or whose reply is wrong.
    fn start(
        &self,
        pod: &Pod,
        created: &mut Self::Created,
        calls: Calls<'_>,
    ) -> impl Future<Output = Result<Self::Running, Failure>>;

    /// Waits for each container's end, or ends it, and removes it and starts it again.
    ///
    /// # Errors
    /// As [`Driver::start`].
    fn restart(
        &self,
        pod: &Pod,
        running: Self::Running,
        calls: Calls<'_>,
    ) -> impl Future<Output = Result<Self::Running, Failure>>;

    /// Starts each container again, each on its own, whenever it has ended by itself,
    /// until `over` returns; it is called anew for each wait.
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

    /// Ends and removes the containers and then the pod. Containers that end by
    /// themselves are waited for, except for those of a pod that was [kept](Driver::keep):
    /// they get a SIGTERM.
    ///
    /// # Errors
    /// As [`Driver::start`].
    fn stop(
        &self,
        pod: &Pod,
        running: Self::Running,
        calls: Calls<'_>,
    ) -> impl Future<Output = Result<(), Failure>>;

    /// Removes what a failed pod may have left; whether all of it is gone.
    fn tear_down(
        &self,
        pod: &Pod,
        created: Self::Created,
        calls: Calls<'_>,
    ) -> impl Future<Output = bool>;
}

/// What of a pod may be there; by default nothing.
pub trait Created: Default {
    /// Whether nothing is.
    fn is_empty(&self) -> bool;

    /// What of it turns out, by this failure, to be somebody else's is no longer in it.
    #[must_use]
    fn without_others(self, failure: &Failure) -> Self;
}
