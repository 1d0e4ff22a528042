//! Direct connections to a sandboxer, with sandbox and task calls over gRPC or ttrpc.

mod controller;
mod ttrpc;

use std::future::Future;
use std::path::Path;
use std::time::Duration;

use containerd_sandbox::Result;

pub use self::controller::ControllerConnection;
pub use self::ttrpc::TtrpcConnection;

use crate::workload::plan::Pod;

/// Key of the verbose status that crictl and loadgen read.
pub(crate) const INFO: &str = "info";

/// An id that no plan contains.
const NOBODY: &str = "loadgen-probe";

/// Status of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxStatus {
    /// Id of the sandbox in the reply.
    pub id: String,
    /// State of the sandbox, by the names of CRI.
    pub state: String,
    /// Value of `info` in a verbose status, as JSON; `None` if the reply has no such key.
    pub info: Option<String>,
}

/// State of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskState {
    /// Id of the task in the reply.
    pub id: String,
    /// State of the task, by the names of the task service.
    pub status: String,
    /// Process id of the task.
    pub pid: u32,
    /// Exit status of the task; it has a meaning only after the end of the task.
    pub exit_status: u32,
}

/// A connection to a sandboxer. Clones share the connection.
///
/// The futures stay on the thread that made them, so they need not be `Send`. A future
/// that is not polled may delay other calls on the connection. All calls except
/// [`Connection::wait_task`] end after the time limit of the connection.
pub trait Connection: Clone + Send + 'static {
    /// Connects to a Unix socket. The calls are in one namespace of containerd and end
    /// after `timeout`.
    ///
    /// # Errors
    /// `Unavailable`, with the path of the socket.
    fn connect(
        socket: &Path,
        namespace: &str,
        timeout: Duration,
    ) -> impl Future<Output = Result<Self>>;

    /// Creates the sandbox of a pod from its `PodSandboxConfig`.
    fn create_sandbox(&self, pod: &Pod) -> impl Future<Output = Result<()>>;

    /// Starts a created sandbox.
    fn start_sandbox(&self, id: &str) -> impl Future<Output = Result<()>>;

    /// Returns the verbose status of a sandbox.
    fn sandbox_status(&self, id: &str) -> impl Future<Output = Result<SandboxStatus>>;

    /// Stops a sandbox.
    fn stop_sandbox(&self, id: &str) -> impl Future<Output = Result<()>>;

    /// Removes a sandbox.
    fn shutdown_sandbox(&self, id: &str) -> impl Future<Output = Result<()>>;

    /// Creates a task from an OCI bundle and returns its process id. The specification in
    /// the bundle names the sandbox.
    fn create_task(&self, id: &str, bundle: &Path) -> impl Future<Output = Result<u32>>;

    /// Starts a created task and returns its process id.
    fn start_task(&self, id: &str) -> impl Future<Output = Result<u32>>;

    /// Returns the state of a task.
    fn task_state(&self, id: &str) -> impl Future<Output = Result<TaskState>>;

    /// Sends a signal to a task.
    fn kill_task(&self, id: &str, signal: u32) -> impl Future<Output = Result<()>>;

    /// Waits for the end of a task without a time limit, and returns its exit status.
    fn wait_task(&self, id: &str) -> impl Future<Output = Result<u32>>;

    /// Removes a stopped task and returns its exit status.
    fn delete_task(&self, id: &str) -> impl Future<Output = Result<u32>>;

    /// Makes a call that changes nothing.
    ///
    /// # Errors
    /// No reply, or a reply that no sandboxer gives.
    fn probe(&self) -> impl Future<Output = Result<()>>;
}
