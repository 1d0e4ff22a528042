//! One slot: what is tracked for a sandbox, and how changes move it.
//!
//! Pure: no clock, no I/O, no signals. The live sandboxer and the journal's
//! replay both go through [`Slot::check`] and [`Slot::apply`], so a restart
//! cannot come to another state than the one that was acknowledged.

use serde::{Deserialize, Serialize};

use super::change::{Change, NewContainer, NewProcess, NewSandbox, ProcessId};
use super::conduct::Conduct;
use super::cri::CriContainer;
use super::machine::{Next, ProcessEvent, ProcessState, SandboxEvent, SandboxState};
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
    fn new(spec: NewProcess) -> Self {
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

    /// Moves to a state the table allowed.
    fn enter(&mut self, state: ProcessState, at: Timestamp) {
        self.ran_ns = self.ran_ns(at);
        self.running_since = (state == ProcessState::Running).then_some(at);
        self.state = state;
    }

    /// Ends it if it has not ended.
    fn end(&mut self, id: ProcessId, code: u32, at: Timestamp, ended: &mut Vec<Ended>) {
        if self.state != ProcessState::Stopped {
            let exit = Exit { code, at };
            self.enter(ProcessState::Stopped, at);
            self.exit = Some(exit);
            ended.push(Ended {
                id,
                pid: self.spec.pid,
                exit,
            });
        }
    }
}

impl Container {
    fn new(new: NewContainer) -> Self {
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

    fn process_mut(&mut self, exec: Option<&str>) -> Option<&mut Process> {
        match exec {
            None => Some(&mut self.init),
            Some(exec) => self
                .execs
                .iter_mut()
                .find(|(id, _)| id == exec)
                .map(|(_, process)| process),
        }
    }

    /// Ends its processes.
    fn end_all(&mut self, code: u32, at: Timestamp, ended: &mut Vec<Ended>) {
        self.init.end(ProcessId::init(&self.id), code, at, ended);
        for (exec, process) in &mut self.execs {
            process.end(ProcessId::exec(&self.id, exec), KILLED, at, ended);
        }
    }
}

impl Slot {
    /// A slot as [`Change::Create`] makes it.
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

    /// Whether `change` is legal now. Changes nothing.
    ///
    /// # Errors
    /// Why it is not.
    pub fn check(&self, change: &Change) -> Result<(), Refusal> {
        match change {
            Change::Create(_) => Err(Refusal::AlreadyExists("sandbox".to_owned())),
            Change::Start => self.check_sandbox(SandboxEvent::Start, "start"),
            Change::Stop(_) => self.check_sandbox(SandboxEvent::Stop, "stop"),
            Change::Delete => self.check_sandbox(SandboxEvent::Delete, "delete"),
            Change::Update(_) | Change::UpdatePod { .. } => Ok(()),
            Change::CreateContainer(new) => {
                if self.container(&new.id).is_ok() {
                    return Err(Refusal::AlreadyExists(format!("container {}", new.id)));
                }
                if self.state != SandboxState::Ready {
                    return Err(self.illegal("add a container to"));
                }
                Ok(())
            }
            Change::UpdateContainer { container, .. } => {
                let init = &self.container(container)?.init;
                if init.state == ProcessState::Stopped {
                    return Err(init.illegal("update", &ProcessId::init(container)));
                }
                Ok(())
            }
            Change::CreateExec {
                container, exec, ..
            } => {
                let owner = self.container(container)?;
                if owner.process(Some(exec)).is_some() {
                    return Err(Refusal::AlreadyExists(
                        ProcessId::exec(container, exec).to_string(),
                    ));
                }
                if owner.init.state != ProcessState::Running {
                    return Err(owner.init.illegal("exec in", &ProcessId::init(container)));
                }
                Ok(())
            }
            Change::StartProcess(id) => self.check_process(id, ProcessEvent::Start, "start"),
            Change::Pause(container) => {
                self.check_process(&ProcessId::init(container), ProcessEvent::Pause, "pause")
            }
            Change::Resume(container) => {
                self.check_process(&ProcessId::init(container), ProcessEvent::Resume, "resume")
            }
            Change::Exit(id, _) => self.check_process(id, ProcessEvent::Exit, "end"),
            Change::DeleteProcess(id) => self.check_process(id, ProcessEvent::Delete, "delete"),
        }
    }

    /// Makes a change that [`Slot::check`] has just allowed, and tells which
    /// processes it ended. [`Change::Create`] and [`Change::Delete`] are about
    /// the slot as a whole: whoever holds the slots makes them.
    ///
    /// # Errors
    /// As [`Slot::check`]; then nothing has changed.
    pub fn apply(&mut self, change: Change, at: Timestamp) -> Result<Vec<Ended>, Refusal> {
        self.check(&change)?;
        let mut ended = Vec::new();
        match change {
            Change::Create(_) => {}
            Change::Start => self.state = SandboxState::Ready,
            Change::Stop(code) => self.end(code, at, &mut ended),
            Change::Delete => self.end(KILLED, at, &mut ended),
            Change::Update(info) => self.sandbox.info = info,
            Change::UpdatePod { info, linux } => {
                self.sandbox.info = info;
                if let Some(pod) = &mut self.sandbox.cri {
                    pod.updated = Some(linux);
                }
            }
            Change::CreateContainer(new) => {
                // Most pods have one or two, and room for four is kept for the first.
                self.containers.reserve_exact(1);
                self.containers.push(Container::new(new));
            }
            Change::UpdateContainer {
                container,
                info,
                linux,
            } => {
                let container = self.container_mut(&container)?;
                container.info = info;
                if let (Some(cri), Some(linux)) = (&mut container.cri, linux) {
                    cri.updated = Some(linux);
                }
            }
            Change::CreateExec {
                container,
                exec,
                process,
            } => {
                let owner = self.container_mut(&container)?;
                owner.execs.push((exec, Process::new(process)));
            }
            Change::StartProcess(id) => {
                let container = self.container_mut(&id.container)?;
                if let (None, Some(cri)) = (&id.exec, &mut container.cri) {
                    cri.started_at = Some(at);
                }
                self.process_mut(&id)?.enter(ProcessState::Running, at);
            }
            Change::Pause(container) => {
                let init = &mut self.container_mut(&container)?.init;
                init.enter(ProcessState::Paused, at);
            }
            Change::Resume(container) => {
                let init = &mut self.container_mut(&container)?.init;
                init.enter(ProcessState::Running, at);
            }
            Change::Exit(id, code) => {
                if id.exec.is_none() {
                    self.container_mut(&id.container)?
                        .end_all(code, at, &mut ended);
                } else {
                    self.process_mut(&id)?.end(id.clone(), code, at, &mut ended);
                }
            }
            Change::DeleteProcess(id) => {
                self.process_mut(&id)?
                    .end(id.clone(), KILLED, at, &mut ended);
                match &id.exec {
                    None => self.containers.retain(|c| c.id != id.container),
                    Some(exec) => self
                        .container_mut(&id.container)?
                        .execs
                        .retain(|(e, _)| e != exec),
                }
            }
        }
        Ok(ended)
    }

    /// Ends it, and all that has not ended in it.
    fn end(&mut self, code: u32, at: Timestamp, ended: &mut Vec<Ended>) {
        if self.state == SandboxState::NotReady {
            return;
        }
        for container in &mut self.containers {
            container.end_all(KILLED, at, ended);
        }
        self.state = SandboxState::NotReady;
        self.exit = Some(Exit { code, at });
    }

    fn container_mut(&mut self, id: &str) -> Result<&mut Container, Refusal> {
        self.containers
            .iter_mut()
            .find(|c| c.id == id)
            .ok_or_else(|| Refusal::NotFound(format!("container {id}")))
    }

    fn process_mut(&mut self, id: &ProcessId) -> Result<&mut Process, Refusal> {
        self.container_mut(&id.container)?
            .process_mut(id.exec.as_deref())
            .ok_or_else(|| Refusal::NotFound(id.to_string()))
    }

    fn check_sandbox(&self, event: SandboxEvent, verb: &'static str) -> Result<(), Refusal> {
        match self.state.on(event) {
            Some(Next::State(_) | Next::Gone) => Ok(()),
            None => Err(self.illegal(verb)),
        }
    }

    fn check_process(
        &self,
        id: &ProcessId,
        event: ProcessEvent,
        verb: &'static str,
    ) -> Result<(), Refusal> {
        let process = self.process(id)?;
        match process.state.on(event) {
            Some(_) => Ok(()),
            None => Err(process.illegal(verb, id)),
        }
    }

    fn illegal(&self, verb: &'static str) -> Refusal {
        Refusal::Illegal {
            verb,
            what: "the sandbox".to_owned(),
            state: self.state.name(),
        }
    }
}

impl Process {
    fn illegal(&self, verb: &'static str, id: &ProcessId) -> Refusal {
        Refusal::Illegal {
            verb,
            what: id.to_string(),
            state: self.state.name(),
        }
    }
}
