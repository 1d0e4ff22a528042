//! State of one sandbox with its containers and processes.

use serde::{Deserialize, Serialize};

use super::behaviour::Behaviour;
use super::change::{NewContainer, NewProcess, NewSandbox, ProcessId};
use super::cri::CriContainer;
use super::machine::{ProcessState, SandboxState};
use super::meta::Texts;
use crate::time::{Moment, Timestamp};
use pod_resources::{CpuQuota, ResourceInfo};

/// Exit code of a process that SIGKILL ended: 128 + 9, as shells count.
pub const KILLED: u32 = 128 + 9;

/// Exit code and time of the end of a sandbox or process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// Exit code; 128 + the number of the signal that ended the process.
    pub code: u32,
    /// Time of the end.
    pub at: Timestamp,
    /// Whether a lack of memory was the reason, beyond what the planned exit says.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom: bool,
}

/// A process that a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Name of the process.
    pub id: ProcessId,
    /// Fake process id.
    pub pid: u32,
    /// Exit code and time.
    pub exit: Exit,
}

/// Everything that is tracked for one sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// Values that the sandbox was created with, updated since.
    pub sandbox: NewSandbox,
    /// Time of the creation.
    pub created_at: Timestamp,
    /// State of the sandbox.
    pub state: SandboxState,
    /// End of the sandbox; set exactly in [`SandboxState::NotReady`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Containers in the order of their creation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Id of the container.
    pub id: String,
    /// Name of the container in its pod, as in [`NewContainer`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Directory of the OCI bundle.
    pub bundle: String,
    /// Resources that the container states.
    pub info: ResourceInfo,
    /// CPU quota and period; `None` if they follow from the CPU limit, and for a container of
    /// the CRI API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<CpuQuota>,
    /// OOM score adjustment, as in [`NewContainer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
    /// Annotations, as in [`NewContainer`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Box<Texts>>,
    /// Whether the container had ended well before one with another name was created, as an
    /// init container does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_initial: bool,
    /// First process.
    pub init: Process,
    /// Simulated behaviour; `None` if neither an annotation nor a profile states one.
    #[serde(default, rename = "conduct", skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Box<Behaviour>>,
    /// TCP ports that the container declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Values that the CRI API must return later; `None` for a container of another API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cri: Option<Box<CriContainer>>,
    /// Processes added by exec, by exec id, in the order of their creation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub execs: Vec<(String, Process)>,
}

/// One fake process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Values that the process was created with.
    pub spec: NewProcess,
    /// State of the process.
    pub state: ProcessState,
    /// Time of the last start or resume on the steady clock ([`Moment::steady`]); set exactly in
    /// [`ProcessState::Running`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// Running time before `running_since`, in nanoseconds.
    #[serde(default)]
    pub ran_ns: u64,
    /// End of the process; set exactly in [`ProcessState::Stopped`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// Reason why a change is illegal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The change names an object that does not exist.
    #[error("{0} not found")]
    NotFound(String),
    /// The change would create an object that exists.
    #[error("{0} already exists")]
    AlreadyExists(String),
    /// The state does not allow the change.
    #[error("cannot {verb} {what}: it is {state}")]
    Illegal {
        /// The refused action, such as `start`.
        verb: &'static str,
        /// The object of the action.
        what: String,
        /// The state of the object.
        state: &'static str,
    },
}

impl SandboxState {
    /// Returns the state in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Ready => "ready",
            Self::NotReady => "not ready",
        }
    }
}

impl ProcessState {
    /// Returns the state in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
        }
    }
}

impl Process {
    pub(super) fn new(spec: NewProcess) -> Self {
        Self {
            spec,
            state: ProcessState::Created,
            running_since: None,
            ran_ns: 0,
            exit: None,
        }
    }

    /// Returns the running time up to `now` in nanoseconds, without pauses.
    pub fn ran_ns(&self, now: impl Into<Moment>) -> u64 {
        let now = now.into().steady();
        let current = self
            .running_since
            .map_or(0, |since| now.nanos().saturating_sub(since.nanos()));
        self.ran_ns.saturating_add(current)
    }
}

impl Container {
    pub(super) fn new(new: NewContainer) -> Self {
        Self {
            id: new.id,
            name: new.name,
            bundle: new.bundle,
            info: new.info,
            cpu_quota: new.cpu_quota,
            oom_score_adj: new.oom_score_adj,
            annotations: new.annotations,
            is_initial: false,
            init: Process::new(new.process),
            behaviour: new.behaviour,
            ports: new.ports,
            cri: new.cri,
            execs: Vec::new(),
        }
    }

    /// Returns the process of an exec id, or the first process for `None`.
    pub fn process(&self, exec: Option<&str>) -> Option<&Process> {
        match exec {
            None => Some(&self.init),
            Some(exec) => self
                .execs
                .iter()
                .find(|(id, _)| id == exec)
                .map(|(_, process)| process),
        }
    }
}

impl Slot {
    /// Returns the slot that [`Change::Create`](super::Change::Create) makes.
    ///
    /// ```
    /// use slot::{NewSandbox, SandboxState, Slot, Timestamp};
    ///
    /// let slot = Slot::new(NewSandbox::default(), Timestamp::now());
    /// assert_eq!(slot.state, SandboxState::Created);
    /// ```
    pub fn new(sandbox: NewSandbox, created_at: Timestamp) -> Self {
        Self {
            sandbox,
            created_at,
            state: SandboxState::Created,
            exit: None,
            containers: Vec::new(),
        }
    }

    /// Returns a container by its id.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the slot has no such container.
    pub fn container(&self, id: &str) -> Result<&Container, Refusal> {
        self.containers
            .iter()
            .find(|c| c.id == id)
            .ok_or_else(|| Refusal::NotFound(format!("container {id}")))
    }

    /// Returns a process by its name.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] if the slot has no such process.
    pub fn process(&self, id: &ProcessId) -> Result<&Process, Refusal> {
        self.container(&id.container)?
            .process(id.exec.as_deref())
            .ok_or_else(|| Refusal::NotFound(id.to_string()))
    }

    pub(super) fn illegal(&self, verb: &'static str) -> Refusal {
        Refusal::Illegal {
            verb,
            what: "the sandbox".to_owned(),
            state: self.state.name(),
        }
    }
}

impl Process {
    pub(super) fn illegal(&self, verb: &'static str, id: &ProcessId) -> Refusal {
        Refusal::Illegal {
            verb,
            what: id.to_string(),
            state: self.state.name(),
        }
    }
}
