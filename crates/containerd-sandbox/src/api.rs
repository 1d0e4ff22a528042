//! The traits of the sandbox API, in the vocabulary of Kuasar's sandbox API.
//!
//! A [`Sandboxer`] manages sandboxes, a [`Sandbox`] its containers, a [`Container`] its
//! processes. Implementations of `Sandbox` and `Container` are handles, cheap to create; when
//! their object was deleted in the meantime, their methods return `NotFound`.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use oci_config::{LinuxResources, Process, Spec};

use crate::any::Any;
use crate::error::Result;
use crate::exit::{Exit, ExitSignal};
use crate::id::Key;

/// Arguments of the creation of a sandbox, over any API.
#[derive(Debug, Clone, Default)]
pub struct SandboxOptions {
    /// Message that the client defines; CRI's is `runtime.v1.PodSandboxConfig`.
    pub options: Option<Any>,
    /// Path of the network namespace; empty for the host's.
    pub netns_path: String,
    /// Annotations of the request.
    pub annotations: HashMap<String, String>,
    /// containerd's stored record of the sandbox; empty over APIs that send none.
    pub record: SandboxRecord,
}

/// The parts of containerd's stored sandbox record that are of use to a runtime.
#[derive(Debug, Clone, Default)]
pub struct SandboxRecord {
    /// Name of the runtime, such as `io.containerd.resource-slot.v1`.
    pub runtime: String,
    /// Labels of the sandbox.
    pub labels: HashMap<String, String>,
    /// Extensions by name, which the client defines; CRI's is `metadata`, in JSON.
    pub extensions: HashMap<String, Any>,
}

/// Status of a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxStatus {
    /// Process id.
    pub pid: u32,
    /// Whether the sandbox is in CRI's state ready.
    pub ready: bool,
    /// Time of creation.
    pub created_at: SystemTime,
    /// End, if it has come.
    pub exit: Option<Exit>,
    /// Details, if requested. crictl shows the value of `info`, as JSON.
    pub info: HashMap<String, String>,
}

/// Arguments of the creation of a container.
#[derive(Debug, Clone)]
pub struct ContainerOptions {
    /// Directory of the OCI bundle.
    pub bundle: String,
    /// The bundle's `config.json`.
    pub spec: Spec,
    /// Paths of the standard streams.
    pub stdio: Stdio,
}

/// Arguments of the addition of a process to a container.
#[derive(Debug, Clone)]
pub struct ExecOptions {
    /// Process to add.
    pub process: Process,
    /// Paths of the standard streams.
    pub stdio: Stdio,
}

/// Paths of the standard streams of a process; empty for a stream that it does not have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stdio {
    /// Path of standard input.
    pub stdin: String,
    /// Path of standard output.
    pub stdout: String,
    /// Path of standard error.
    pub stderr: String,
    /// Whether the streams are a terminal.
    pub terminal: bool,
}

/// State of a process, by the names of the task service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// Created and not started.
    Created,
    /// Started.
    Running,
    /// Ended, and not deleted.
    Stopped,
    /// Paused by a request.
    Paused,
}

/// Status of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStatus {
    /// Bundle of the container.
    pub bundle: String,
    /// Process id.
    pub pid: u32,
    /// State.
    pub state: ProcessState,
    /// Paths of the standard streams.
    pub stdio: Stdio,
    /// End, if it has come.
    pub exit: Option<Exit>,
}

/// Last status of a deleted process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Former process id.
    pub pid: u32,
    /// End; `None` if the process never started.
    pub exit: Option<Exit>,
}

/// Change of a sandbox's stored record.
#[derive(Debug, Clone, Default)]
pub struct SandboxUpdate {
    /// New record.
    pub record: SandboxRecord,
    /// Names of the fields to change; all if empty.
    pub fields: Vec<String>,
}

/// Manages sandboxes.
pub trait Sandboxer: Send + Sync + 'static {
    /// Handle of a sandbox.
    type Sandbox: Sandbox;

    /// Creates a sandbox. If the future fails or is dropped before it is done, no sandbox is
    /// left.
    fn create(&self, id: &Key, options: SandboxOptions) -> impl Future<Output = Result<()>> + Send;

    /// Starts a created sandbox.
    fn start(&self, id: &Key) -> impl Future<Output = Result<()>> + Send;

    /// Stops a sandbox and its processes; with `force` without a grace period. Succeeds if the
    /// sandbox is stopped already.
    fn stop(&self, id: &Key, force: bool) -> impl Future<Output = Result<()>> + Send;

    /// Deletes a sandbox, after stopping it if it is ready.
    fn delete(&self, id: &Key) -> impl Future<Output = Result<()>> + Send;

    /// Changes the record of a sandbox.
    fn update(&self, id: &Key, update: SandboxUpdate) -> impl Future<Output = Result<()>> + Send;

    /// Returns the sandbox with this key.
    ///
    /// # Errors
    /// `NotFound` if the object does not exist.
    fn sandbox(&self, id: &Key) -> Result<Self::Sandbox>;

    /// Returns the container with this key, of any sandbox: requests of the task service name no
    /// sandbox.
    ///
    /// # Errors
    /// `NotFound` if the object does not exist.
    fn container(&self, id: &Key) -> Result<<Self::Sandbox as Sandbox>::Container>;
}

/// Manages the containers of one sandbox.
pub trait Sandbox: Send + Sync + 'static {
    /// Handle of a container.
    type Container: Container;

    /// Returns the status of the sandbox, with details if `verbose`.
    ///
    /// # Errors
    /// `NotFound` if the sandbox was deleted.
    fn status(&self, verbose: bool) -> Result<SandboxStatus>;

    /// Checks that the sandbox exists.
    ///
    /// # Errors
    /// `NotFound` if the sandbox was deleted.
    fn ping(&self) -> Result<()>;

    /// Returns the container with this id.
    ///
    /// # Errors
    /// `NotFound` if the object does not exist.
    fn container(&self, id: &str) -> Result<Self::Container>;

    /// Adds a container and returns its process id. If the future fails or is dropped before it
    /// is done, no container is left.
    fn append_container(
        &self,
        id: &str,
        options: ContainerOptions,
    ) -> impl Future<Output = Result<u32>> + Send;

    /// Changes the resources of a container.
    fn update_container(
        &self,
        id: &str,
        resources: &LinuxResources,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Deletes a container that does not run.
    fn remove_container(&self, id: &str) -> impl Future<Output = Result<Deleted>> + Send;

    /// Returns the signal that fires when the sandbox ends.
    ///
    /// # Errors
    /// `NotFound` if the sandbox was deleted.
    fn exit_signal(&self) -> Result<Arc<ExitSignal>>;

    /// Returns the usage of the whole sandbox, as the data of a `containerd.types.Metric`.
    ///
    /// # Errors
    /// `NotFound` if the sandbox was deleted.
    fn stats(&self) -> Result<Any>;
}

/// Manages the processes of one container. `exec` is the id of a process that was added; `None`
/// stands for the first process.
pub trait Container: Send + Sync + 'static {
    /// Starts a created process and returns its process id.
    fn start(&self, exec: Option<&str>) -> impl Future<Output = Result<u32>> + Send;

    /// Adds a process without starting it.
    fn exec(&self, exec: &str, options: ExecOptions) -> impl Future<Output = Result<()>> + Send;

    /// Sends a signal to a process; with `all`, to every process of the container.
    fn kill(
        &self,
        exec: Option<&str>,
        signal: u32,
        all: bool,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Waits for the end of a process. Returns at once if it has come.
    fn wait(&self, exec: Option<&str>) -> impl Future<Output = Result<Exit>> + Send;

    /// Returns the status of a process.
    ///
    /// # Errors
    /// `NotFound` if the object does not exist.
    fn state(&self, exec: Option<&str>) -> Result<ProcessStatus>;

    /// Returns the process ids, stopped processes included, that of the first process first.
    ///
    /// # Errors
    /// `NotFound` if the object does not exist.
    fn pids(&self) -> Result<Vec<u32>>;

    /// Returns the usage, as one of containerd's messages of cgroup metrics.
    ///
    /// # Errors
    /// `NotFound` if the object does not exist.
    fn stats(&self) -> Result<Any>;

    /// Pauses all processes.
    fn pause(&self) -> impl Future<Output = Result<()>> + Send;

    /// Resumes all processes.
    fn resume(&self) -> impl Future<Output = Result<()>> + Send;

    /// Changes the resources.
    fn update(&self, resources: &LinuxResources) -> impl Future<Output = Result<()>> + Send;

    /// Deletes a process that does not run. Deleting the first process deletes the container.
    fn delete(&self, exec: Option<&str>) -> impl Future<Output = Result<Deleted>> + Send;

    /// Sets the size of a terminal, in characters.
    ///
    /// # Errors
    /// `NotFound` if the object does not exist.
    fn resize_pty(&self, exec: Option<&str>, width: u32, height: u32) -> Result<()>;

    /// Closes the standard input of a process.
    fn close_stdin(&self, exec: Option<&str>) -> impl Future<Output = Result<()>> + Send;
}
