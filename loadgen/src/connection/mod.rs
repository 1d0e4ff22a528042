//! A sandboxer reached directly: sandbox and task calls, whatever carries them.

mod controller;
mod ttrpc;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use containerd_sandbox::Result;

pub use self::controller::ControllerConnection;
pub use self::ttrpc::TtrpcConnection;

use crate::workload::plan::Pod;

/// The key of a verbose status that crictl and we look at.
pub(crate) const INFO: &str = "info";

/// An id that no plan has.
const NOBODY: &str = "loadgen-probe";

/// What a sandbox says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxStatus {
    /// The id it answers for.
    pub id: String,
    /// Its state, in CRI's words.
    pub state: String,
    /// The value of `info` in a verbose status: JSON.
    pub info: Option<String>,
}

/// What a task says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// The id it answers for.
    pub id: String,
    /// Its state, in the task service's words.
    pub status: String,
    /// Its process id.
    pub pid: u32,
    /// Its exit status, if it has ended.
    pub exit_status: u32,
}

/// A connection to a sandboxer. Clones share it.
///
/// The futures stay on the thread that made them, so they need not be `Send`. A
/// future that is not polled may hold up other calls on the connection. All but
/// that of [`Connection::wait_task`] end after the connection's time limit.
pub trait Connection: Clone + Send + 'static {
    /// Connects to a Unix socket; calls are in one containerd namespace and end
    /// after `timeout`.
    ///
    /// # Errors
    /// `Unavailable`, naming the socket.
    fn connect(
        socket: &Path,
        namespace: &str,
        timeout: Duration,
    ) -> impl Future<Output = Result<Self>>;

    /// Creates a pod's sandbox from its `PodSandboxConfig`.
    fn create_sandbox(&self, pod: &Pod) -> impl Future<Output = Result<()>>;

    /// Starts a created sandbox.
    fn start_sandbox(&self, id: &str) -> impl Future<Output = Result<()>>;

    /// A sandbox's verbose status.
    fn sandbox_status(&self, id: &str) -> impl Future<Output = Result<SandboxStatus>>;

    /// Stops a sandbox.
    fn stop_sandbox(&self, id: &str) -> impl Future<Output = Result<()>>;

    /// Removes a sandbox.
    fn shutdown_sandbox(&self, id: &str) -> impl Future<Output = Result<()>>;

    /// Creates a task from an OCI bundle, whose spec names the sandbox, and
    /// returns its process id.
    fn create_task(&self, id: &str, bundle: &Path) -> impl Future<Output = Result<u32>>;

    /// Starts a created task and returns its process id.
    fn start_task(&self, id: &str) -> impl Future<Output = Result<u32>>;

    /// A task's state.
    fn task_state(&self, id: &str) -> impl Future<Output = Result<TaskState>>;

    /// Sends a task a signal.
    fn kill_task(&self, id: &str, signal: u32) -> impl Future<Output = Result<()>>;

    /// Waits for a task's end, however long, and returns its exit status.
    fn wait_task(&self, id: &str) -> impl Future<Output = Result<u32>>;

    /// Removes a stopped task and returns its exit status.
    fn delete_task(&self, id: &str) -> impl Future<Output = Result<u32>>;

    /// Makes a call that changes nothing.
    ///
    /// # Errors
    /// If there is no answer, or one that no sandboxer gives.
    fn probe(&self) -> impl Future<Output = Result<()>>;
}
