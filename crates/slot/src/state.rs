//! One slot: what is tracked for a sandbox, and how changes move it.
//!
//! Pure: no clock, no I/O, no signals. The live sandboxer and the journal's
//! replay both go through [`Slot::check`] and [`Slot::apply`], so a restart
//! cannot come to another state than the one that was acknowledged.

use serde::{Deserialize, Serialize};

use super::change::{NewContainer, NewProcess, NewSandbox, ProcessId};
use super::conduct::Conduct;
use super::cri::CriContainer;
use super::machine::{ProcessState, SandboxState};
use crate::time::Timestamp;
use pod_resources::ResourceInfo;

/// The exit code of a process that SIGKILL ended: 128 + 9, as shells count.
pub const KILLED: u32 = 128 + 9;

/// How and when a sandbox or process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exit {
    /// The exit code, 128 + signal for a signal.
    pub code: u32,
    /// When.
    pub at: Timestamp,
}

/// A process that a change ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub id: ProcessId,
    /// Its fake process id.
    pub pid: u32,
    /// How it ended.
    pub exit: Exit,
}

/// Everything tracked for one sandbox.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// What it was created with, updates included.
    pub sandbox: NewSandbox,
    /// When it was created.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: SandboxState,
    /// How it ended; set exactly in [`SandboxState::NotReady`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// Its containers, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Container>,
}

/// One container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Container {
    /// Its id.
    pub id: String,
    /// The OCI bundle's directory.
    pub bundle: String,
    /// The resources it states.
    pub info: ResourceInfo,
    /// Its first process.
    pub init: Process,
    /// What it is seen to do while it runs, if that was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conduct: Option<Box<Conduct>>,
    /// What CRI's door must give back of it; `None` if it came through another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cri: Option<Box<CriContainer>>,
    /// Processes added by exec, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub execs: Vec<(String, Process)>,
}

/// One fake process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// What it was created with.
    pub spec: NewProcess,
    /// Where it stands.
    pub state: ProcessState,
    /// When it was last let run; set exactly while running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// How long it ran before that, in nanoseconds.
    #[serde(default)]
    pub ran_ns: u64,
    /// How it ended; set exactly when stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
}

/// Why a change cannot be made to a slot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It names something that is not there.
    #[error("{0} not found")]
    NotFound(String),
    /// It would make something that is there.
    #[error("{0} already exists")]
    AlreadyExists(String),
    /// The state does not allow it.
    #[error("cannot {verb} {what}: it is {state}")]
    Illegal {
        /// What was to be done.
        verb: &'static str,
        /// To what.
        what: String,
        /// The state it is in.
        state: &'static str,
    },
}

impl SandboxState {
    /// The state in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Ready => "ready",
            Self::NotReady => "not ready",
        }
    }
}

impl ProcessState {
    /// The state in words.
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

    /// How long it has run by `now`, pauses left out, in nanoseconds.
    pub fn ran_ns(&self, now: Timestamp) -> u64 {
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
            bundle: new.bundle,
            info: new.info,
            init: Process::new(new.process),
            conduct: new.conduct,
            cri: new.cri,
            execs: Vec::new(),
        }
    }

    /// One of its processes.
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
    /// A slot as [`Change::Create`](super::Change::Create) makes it.
    pub fn new(sandbox: NewSandbox, created_at: Timestamp) -> Self {
        Self {
            sandbox,
            created_at,
            state: SandboxState::Created,
            exit: None,
            containers: Vec::new(),
        }
    }

    /// What the sandbox asks for, field by field: what it states itself, else
    /// the sum of what its containers state.
    pub fn resource_info(&self) -> ResourceInfo {
        let containers = self
            .containers
            .iter()
            .fold(ResourceInfo::default(), |sum, c| sum.plus(c.info));
        self.sandbox.info.or(containers)
    }

    /// One of its containers.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
    pub fn container(&self, id: &str) -> Result<&Container, Refusal> {
        self.containers
            .iter()
            .find(|c| c.id == id)
            .ok_or_else(|| Refusal::NotFound(format!("container {id}")))
    }

    /// One of its processes.
    ///
    /// # Errors
    /// [`Refusal::NotFound`].
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
