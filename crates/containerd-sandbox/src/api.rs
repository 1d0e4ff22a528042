//! The sandbox API as traits, in the words of Kuasar's.
//!
//! A [`Sandboxer`] keeps sandboxes, a [`Sandbox`] keeps containers, a
//! [`Container`] keeps its processes. The handles are cheap to make and to
//! clone; what they stand for may be gone by the time they are used, which
//! then is a `NotFound`.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::SystemTime;

use oci_spec::runtime::LinuxResources;

use crate::any::Any;
use crate::bundle::{Process, Spec};
use crate::error::Result;
use crate::exit::{Exit, ExitSignal};
use crate::id::Key;

/// What a sandbox is created with, whichever door asked for it.
#[derive(Debug, Clone, Default)]
pub struct SandboxOptions {
    /// The creator's own message; CRI's is `runtime.v1.PodSandboxConfig`.
    pub options: Option<Any>,
    /// The network namespace's path; empty for the host's.
    pub netns_path: String,
    /// The request's annotations.
    pub annotations: HashMap<String, String>,
    /// containerd's stored record of the sandbox.
    pub record: SandboxRecord,
}

/// The parts of containerd's stored sandbox record that matter to a runtime.
#[derive(Debug, Clone, Default)]
pub struct SandboxRecord {
    /// The runtime's name, such as `io.containerd.resource-slot.v1`.
    pub runtime: String,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// Client-specific extensions; CRI's is `metadata`, in JSON.
    pub extensions: HashMap<String, Any>,
}

/// What a sandbox says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SandboxStatus {
    /// Its process id.
    pub pid: u32,
    /// Whether it is ready, in CRI's words.
    pub ready: bool,
    /// When it was created.
    pub created_at: SystemTime,
    /// How it ended, if it did.
    pub exit: Option<Exit>,
    /// Details, when asked for. crictl shows the value of `info`, as JSON.
    pub info: HashMap<String, String>,
}

/// What a container is created with.
#[derive(Debug, Clone)]
pub struct ContainerOptions {
    /// The OCI bundle's directory.
    pub bundle: String,
    /// Its `config.json`.
    pub spec: Spec,
    /// Where its streams lead.
    pub stdio: Stdio,
}

/// What a process is added to a container with.
#[derive(Debug, Clone)]
pub struct ExecOptions {
    /// What to run.
    pub process: Process,
    /// Where its streams lead.
    pub stdio: Stdio,
}

/// The paths of a process's streams; empty where it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stdio {
    /// Standard input.
    pub stdin: String,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Whether they are one terminal.
    pub terminal: bool,
}

/// Where a process stands, in the task service's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessState {
    /// Not started.
    Created,
    /// Running.
    Running,
    /// Ended.
    Stopped,
    /// Frozen.
    Paused,
}

/// What a process says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessStatus {
    /// The bundle of its container.
    pub bundle: String,
    /// Its process id.
    pub pid: u32,
    /// Where it stands.
    pub state: ProcessState,
    /// Its streams.
    pub stdio: Stdio,
    /// How it ended, if it did.
    pub exit: Option<Exit>,
}

/// What is left of a deleted process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// The process id it had.
    pub pid: u32,
    /// How it ended; `None` if it never started.
    pub exit: Option<Exit>,
}

/// A change of a sandbox's stored record.
#[derive(Debug, Clone, Default)]
pub struct SandboxUpdate {
    /// The record as it is to be.
    pub record: SandboxRecord,
    /// Which of its fields count; empty: all.
    pub fields: Vec<String>,
}

/// Keeps sandboxes.
pub trait Sandboxer: Send + Sync + 'static {
    /// Its sandboxes.
    type Sandbox: Sandbox;

    /// Creates a sandbox. If the future is dropped before it is done, or fails,
    /// nothing is left behind.
    fn create(&self, id: &Key, options: SandboxOptions) -> impl Future<Output = Result<()>> + Send;

    /// Starts a created sandbox.
    fn start(&self, id: &Key) -> impl Future<Output = Result<()>> + Send;

    /// Stops a sandbox and all that runs in it; `force` without grace.
    /// Stopping a stopped one succeeds.
    fn stop(&self, id: &Key, force: bool) -> impl Future<Output = Result<()>> + Send;

    /// Forgets a sandbox; a ready one is stopped first.
    fn delete(&self, id: &Key) -> impl Future<Output = Result<()>> + Send;

    /// Changes a sandbox's record.
    fn update(&self, id: &Key, update: SandboxUpdate) -> impl Future<Output = Result<()>> + Send;

    /// The sandbox of this id.
    ///
    /// # Errors
    /// `NotFound`.
    fn sandbox(&self, id: &Key) -> Result<Self::Sandbox>;

    /// The container of this id, whichever sandbox it is in: the task service
    /// names no sandbox.
    ///
    /// # Errors
    /// `NotFound`.
    fn container(&self, id: &Key) -> Result<<Self::Sandbox as Sandbox>::Container>;
}

/// Keeps the containers of one sandbox.
pub trait Sandbox: Send + Sync + 'static {
    /// Its containers.
    type Container: Container;

    /// What the sandbox says of itself; with details if `verbose`.
    ///
    /// # Errors
    /// `NotFound` once it is deleted.
    fn status(&self, verbose: bool) -> Result<SandboxStatus>;

    /// Whether it is there.
    ///
    /// # Errors
    /// `NotFound` once it is deleted.
    fn ping(&self) -> Result<()>;

    /// One of its containers.
    ///
    /// # Errors
    /// `NotFound`.
    fn container(&self, id: &str) -> Result<Self::Container>;

    /// Adds a container and returns its process id. If the future is dropped
    /// before it is done, or fails, nothing is left behind.
    fn append_container(
        &self,
        id: &str,
        options: ContainerOptions,
    ) -> impl Future<Output = Result<u32>> + Send;

    /// Changes what a container asks for.
    fn update_container(
        &self,
        id: &str,
        resources: &LinuxResources,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Forgets a container that does not run.
    fn remove_container(&self, id: &str) -> impl Future<Output = Result<Deleted>> + Send;

    /// Fires when the sandbox ends.
    ///
    /// # Errors
    /// `NotFound` once it is deleted.
    fn exit_signal(&self) -> Result<Arc<ExitSignal>>;

    /// Usage of the whole sandbox, as a `containerd.types.Metric`'s data.
    ///
    /// # Errors
    /// `NotFound` once it is deleted.
    fn stats(&self) -> Result<Any>;
}

/// Keeps the processes of one container. `exec` names a process that was added;
/// `None` means the container's first.
pub trait Container: Send + Sync + 'static {
    /// Starts a created process and returns its id.
    fn start(&self, exec: Option<&str>) -> impl Future<Output = Result<u32>> + Send;

    /// Adds a process, not yet started.
    fn exec(&self, exec: &str, options: ExecOptions) -> impl Future<Output = Result<()>> + Send;

    /// Sends a signal; with `all`, to every process of the container.
    fn kill(
        &self,
        exec: Option<&str>,
        signal: u32,
        all: bool,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Waits for a process's end; at once if it has come.
    fn wait(&self, exec: Option<&str>) -> impl Future<Output = Result<Exit>> + Send;

    /// What a process says of itself.
    ///
    /// # Errors
    /// `NotFound`.
    fn state(&self, exec: Option<&str>) -> Result<ProcessStatus>;

    /// The ids of its processes, the first one first; of stopped ones too.
    ///
    /// # Errors
    /// `NotFound`.
    fn pids(&self) -> Result<Vec<u32>>;

    /// Usage, as one of containerd's cgroup metrics messages.
    ///
    /// # Errors
    /// `NotFound`.
    fn stats(&self) -> Result<Any>;

    /// Freezes it.
    fn pause(&self) -> impl Future<Output = Result<()>> + Send;

    /// Lets it go on.
    fn resume(&self) -> impl Future<Output = Result<()>> + Send;

    /// Changes what it asks for.
    fn update(&self, resources: &LinuxResources) -> impl Future<Output = Result<()>> + Send;

    /// Forgets a process that does not run; the first one with its container.
    fn delete(&self, exec: Option<&str>) -> impl Future<Output = Result<Deleted>> + Send;

    /// Sets a terminal's size, in characters.
    ///
    /// # Errors
    /// `NotFound`.
    fn resize_pty(&self, exec: Option<&str>, width: u32, height: u32) -> Result<()>;

    /// Ends a process's standard input.
    fn close_stdin(&self, exec: Option<&str>) -> impl Future<Output = Result<()>> + Send;
}
