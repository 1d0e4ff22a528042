//! Deciding and making a change of a slot.
//!
//! [`Slot::decide`] looks a change up once: it finds the container and process that the
//! change names and asks the tables of [`super::machine`] for the next state. Making the
//! change uses that decision and searches and judges nothing again.

use super::change::{Change, ProcessId};
use super::machine::{Next, ProcessEvent, ProcessState, SandboxEvent, SandboxState};
use super::state::{Container, Ended, Exit, KILLED, Process, Refusal, Slot};
use crate::time::Moment;

/// Decision on a legal change: its subject and, if the change is an event of a state
/// machine, the subject's next state.
#[derive(Debug, Clone, Copy)]
enum Decision {
    /// The sandbox moves to its next state.
    Sandbox(Next<SandboxState>),
    /// A process moves to its next state.
    Process(Place, Next<ProcessState>),
    /// A container changes or gets a process; no state changes. Holds the container's index.
    Container(usize),
    /// The sandbox changes or gets a container; no state changes.
    Record,
}

/// Exit code and moment of a change; of a change that ends nothing, only the moment counts.
#[derive(Debug, Clone, Copy)]
struct End {
    code: u32,
    at: Moment,
    oom: bool,
}

impl End {
    /// Returns the end that a change makes.
    fn of(change: &Change, at: Moment) -> Self {
        Self {
            code: exit_code(change),
            at,
            oom: matches!(change, Change::OutOfMemory(_)),
        }
    }

    /// Returns the end at the same moment by SIGKILL.
    fn by_kill(self) -> Self {
        Self {
            code: KILLED,
            oom: false,
            ..self
        }
    }

    fn exit(self) -> Exit {
        Exit {
            code: self.code,
            at: self.at.wall(),
            oom: self.oom,
        }
    }
}

/// Indices of a process in its slot. They hold for as long as the slot stays as it was.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// Index in [`Slot::containers`].
    container: usize,
    /// Index in [`Container::execs`]; `None` for the container's first process.
    exec: Option<usize>,
}

/// A legal change of a slot that has not been made yet.
///
/// Borrows the slot, so the slot cannot change between the decision and [`apply`]. Dropped,
/// the transition leaves the slot as it was.
///
/// [`apply`]: Self::apply
#[derive(Debug)]
#[must_use = "the change is made by `apply`"]
pub struct Transition<'a> {
    slot: &'a mut Slot,
    change: Change,
    decision: Decision,
}

impl<'a> Transition<'a> {
    /// Returns the slot as it is before the change.
    pub fn slot(&self) -> &Slot {
        self.slot
    }

    /// Returns the change.
    pub fn change(&self) -> &Change {
        &self.change
    }

    /// Makes the change at the time `at`. Returns the processes that it ended, and the slot
    /// as it is after the change.
    pub fn apply(self, at: impl Into<Moment>) -> (Vec<Ended>, &'a Slot) {
        let ended = self.slot.make(self.decision, self.change, at.into());
        (ended, self.slot)
    }
}

impl Slot {
    /// Returns an error if `change` is illegal in the present state. Changes nothing.
    ///
    /// # Errors
    /// The [`Refusal`] that [`Slot::apply`] would return.
    ///
    /// ```
    /// use slot::{Change, NewSandbox, Slot, Timestamp};
    ///
    /// let slot = Slot::new(NewSandbox::default(), Timestamp::now());
    /// assert!(slot.check(&Change::Start).is_ok());
    /// let refused = slot.check(&Change::Pause("web".to_owned())).unwrap_err();
    /// assert_eq!(refused.to_string(), "container web not found");
    /// ```
    pub fn check(&self, change: &Change) -> Result<(), Refusal> {
        self.decide(change).map(drop)
    }

    /// Decides on a change that is to be made after something else, such as writing it to
    /// a journal, has succeeded.
    ///
    /// # Errors
    /// The reason why the change is illegal in the present state.
    pub fn prepare(&mut self, change: Change) -> Result<Transition<'_>, Refusal> {
        Ok(Transition {
            decision: self.decide(&change)?,
            slot: self,
            change,
        })
    }

    /// Makes a change at the time `at` and returns the processes that it ended.
    ///
    /// [`Change::Create`] is always refused, and [`Change::Delete`] only ends what has not
    /// ended: the owner of the slots adds and removes them.
    ///
    /// # Errors
    /// The reason why the change is illegal in the present state; the slot has then not
    /// changed.
    ///
    /// ```
    /// use slot::{Change, NewContainer, NewSandbox, ProcessId, Slot, Timestamp};
    ///
    /// let now = Timestamp::now();
    /// let mut slot = Slot::new(NewSandbox::default(), now);
    /// slot.apply(Change::Start, now)?;
    /// let web = NewContainer { id: "web".to_owned(), ..NewContainer::default() };
    /// slot.apply(Change::CreateContainer(web), now)?;
    /// slot.apply(Change::StartProcess(ProcessId::init("web")), now)?;
    ///
    /// let ended = slot.apply(Change::Stop(0), now)?;
    /// assert_eq!(ended[0].id, ProcessId::init("web"));
    /// assert_eq!(ended[0].exit.code, slot::KILLED);
    /// # Ok::<(), slot::Refusal>(())
    /// ```
    pub fn apply(&mut self, change: Change, at: impl Into<Moment>) -> Result<Vec<Ended>, Refusal> {
        let decision = self.decide(&change)?;
        Ok(self.make(decision, change, at.into()))
    }

    /// Decides whether `change` is legal and to which state it leads.
    fn decide(&self, change: &Change) -> Result<Decision, Refusal> {
        match change {
            Change::Create(_) => Err(Refusal::AlreadyExists("sandbox".to_owned())),
            Change::Start => self.decide_sandbox(SandboxEvent::Start, "start"),
            Change::Stop(_) => self.decide_sandbox(SandboxEvent::Stop, "stop"),
            Change::Delete => self.decide_sandbox(SandboxEvent::Delete, "delete"),
            Change::Update(_) | Change::UpdatePod { .. } => Ok(Decision::Record),
            Change::CreateContainer(new) => {
                if self.container(&new.id).is_ok() {
                    return Err(Refusal::AlreadyExists(format!("container {}", new.id)));
                }
                if self.state != SandboxState::Ready {
                    return Err(self.illegal("add a container to"));
                }
                Ok(Decision::Record)
            }
            Change::UpdateContainer { container, .. } => {
                let index = self.index(container)?;
                let init = &self.containers[index].init;
                if init.state == ProcessState::Stopped {
                    return Err(init.illegal("update", &ProcessId::init(container)));
                }
                Ok(Decision::Container(index))
            }
            Change::CreateExec {
                container, exec, ..
            } => {
                let index = self.index(container)?;
                let owner = &self.containers[index];
                if owner.process(Some(exec)).is_some() {
                    return Err(Refusal::AlreadyExists(
                        ProcessId::exec(container, exec).to_string(),
                    ));
                }
                if owner.init.state != ProcessState::Running {
                    return Err(owner.init.illegal("exec in", &ProcessId::init(container)));
                }
                Ok(Decision::Container(index))
            }
            Change::StartProcess(id) => self.decide_process(id, ProcessEvent::Start, "start"),
            Change::Pause(container) => self.decide_init(container, ProcessEvent::Pause, "pause"),
            Change::Resume(container) => {
                self.decide_init(container, ProcessEvent::Resume, "resume")
            }
            Change::Exit(id, _) | Change::OutOfMemory(id) => {
                self.decide_process(id, ProcessEvent::Exit, "end")
            }
            Change::DeleteProcess(id) => self.decide_process(id, ProcessEvent::Delete, "delete"),
        }
    }

    fn decide_sandbox(&self, event: SandboxEvent, verb: &'static str) -> Result<Decision, Refusal> {
        match self.state.on(event) {
            Some(next) => Ok(Decision::Sandbox(next)),
            None => Err(self.illegal(verb)),
        }
    }

    fn decide_init(
        &self,
        container: &str,
        event: ProcessEvent,
        verb: &'static str,
    ) -> Result<Decision, Refusal> {
        let place = Place {
            container: self.index(container)?,
            exec: None,
        };
        match self.containers[place.container].init.state.on(event) {
            Some(next) => Ok(Decision::Process(place, next)),
            None => {
                let init = &self.containers[place.container].init;
                Err(init.illegal(verb, &ProcessId::init(container)))
            }
        }
    }

    fn decide_process(
        &self,
        id: &ProcessId,
        event: ProcessEvent,
        verb: &'static str,
    ) -> Result<Decision, Refusal> {
        let Some(exec) = &id.exec else {
            return self.decide_init(&id.container, event, verb);
        };
        let container = self.index(&id.container)?;
        let execs = &self.containers[container].execs;
        let index = execs.iter().position(|(name, _)| name == exec);
        let index = index.ok_or_else(|| Refusal::NotFound(id.to_string()))?;
        let place = Place {
            container,
            exec: Some(index),
        };
        match execs[index].1.state.on(event) {
            Some(next) => Ok(Decision::Process(place, next)),
            None => Err(execs[index].1.illegal(verb, id)),
        }
    }

    /// Returns the index of a container in [`Slot::containers`].
    fn index(&self, id: &str) -> Result<usize, Refusal> {
        let index = self.containers.iter().position(|c| c.id == id);
        index.ok_or_else(|| Refusal::NotFound(format!("container {id}")))
    }

    /// Makes a change that was decided on in the slot's present state.
    fn make(&mut self, decision: Decision, change: Change, at: Moment) -> Vec<Ended> {
        let mut ended = Vec::new();
        match decision {
            Decision::Sandbox(next) => {
                let end = End::of(&change, at);
                self.enter(next, end, &mut ended);
            }
            Decision::Process(place, next) => {
                let end = End::of(&change, at);
                self.enter_process(place, next, end, &mut ended);
            }
            Decision::Container(index) => self.containers[index].record(change),
            Decision::Record => self.record(change),
        }
        ended
    }

    /// Moves the sandbox to its next state; an end ends all its processes, too.
    fn enter(&mut self, next: Next<SandboxState>, end: End, ended: &mut Vec<Ended>) {
        let state = match next {
            Next::State(state) => state,
            Next::Gone => SandboxState::NotReady,
        };
        if state == SandboxState::NotReady && self.state != state {
            for container in &mut self.containers {
                container.end(end.by_kill(), ended);
            }
            self.exit = Some(end.exit());
        }
        self.state = state;
    }

    /// Moves a process to its next state; the end of a container's first process ends the
    /// container's exec processes, too.
    fn enter_process(
        &mut self,
        place: Place,
        next: Next<ProcessState>,
        end: End,
        ended: &mut Vec<Ended>,
    ) {
        let container = &mut self.containers[place.container];
        match (next, place.exec) {
            (Next::State(ProcessState::Stopped) | Next::Gone, None) => container.end(end, ended),
            (Next::State(ProcessState::Stopped) | Next::Gone, Some(exec)) => {
                let (name, process) = &mut container.execs[exec];
                process.end(|| ProcessId::exec(&container.id, name), end, ended);
            }
            (Next::State(state), None) => {
                if let (ProcessState::Created, Some(cri)) =
                    (container.init.state, &mut container.cri)
                {
                    cri.started_at = Some(end.at.wall());
                }
                container.init.enter(state, end.at);
            }
            (Next::State(state), Some(exec)) => container.execs[exec].1.enter(state, end.at),
        }
        match (next, place.exec) {
            (Next::State(_), _) => {}
            (Next::Gone, None) => drop(self.containers.remove(place.container)),
            (Next::Gone, Some(exec)) => drop(container.execs.remove(exec)),
        }
    }

    /// Records a change of the sandbox that changes no state.
    fn record(&mut self, change: Change) {
        match change {
            Change::Update(info) => self.sandbox.info = info,
            Change::UpdatePod { info, linux } => {
                self.sandbox.info = info;
                match &mut self.sandbox.cri {
                    Some(pod) => pod.updated = Some(linux),
                    None => self.sandbox.updated = Some(Box::new(linux)),
                }
            }
            Change::CreateContainer(new) => {
                // `push` alone would make room for four, and most pods have one or two.
                self.containers.reserve_exact(1);
                let new = Container::new(new);
                self.mark_initial(new.name());
                self.containers.push(new);
            }
            // `decide` gives every other change another decision.
            _ => {}
        }
    }
}

impl Container {
    /// Records a change of the container that changes no state.
    fn record(&mut self, change: Change) {
        match change {
            Change::UpdateContainer {
                info,
                linux,
                cpu_quota,
                ..
            } => {
                self.info = info;
                self.cpu_quota = cpu_quota;
                if let (Some(cri), Some(linux)) = (&mut self.cri, linux) {
                    cri.updated = Some(linux);
                }
            }
            Change::CreateExec { exec, process, .. } => {
                self.execs.push((exec, Process::new(process)));
            }
            // `decide` gives every other change another decision.
            _ => {}
        }
    }

    /// Ends every process that has not ended: the first one with `exit`, the others by
    /// SIGKILL.
    fn end(&mut self, end: End, ended: &mut Vec<Ended>) {
        let id = &self.id;
        self.init.end(|| ProcessId::init(id), end, ended);
        for (exec, process) in &mut self.execs {
            process.end(|| ProcessId::exec(id, exec), end.by_kill(), ended);
        }
    }
}

impl Process {
    /// Moves the process to `state` and adds up the time that it ran.
    fn enter(&mut self, state: ProcessState, at: Moment) {
        self.ran_ns = self.ran_ns(at);
        self.running_since = (state == ProcessState::Running).then(|| at.steady());
        self.state = state;
    }

    /// Ends the process, unless it has ended, and adds it to `ended`.
    fn end(&mut self, id: impl FnOnce() -> ProcessId, end: End, ended: &mut Vec<Ended>) {
        if self.state != ProcessState::Stopped {
            self.enter(ProcessState::Stopped, end.at);
            let exit = end.exit();
            self.exit = Some(exit);
            ended.push(Ended {
                id: id(),
                pid: self.spec.pid,
                exit,
            });
        }
    }
}

/// Returns the exit code with which a change ends its subject; SIGKILL's if the change
/// states none.
fn exit_code(change: &Change) -> u32 {
    match change {
        Change::Stop(code) | Change::Exit(_, code) => *code,
        _ => KILLED,
    }
}
