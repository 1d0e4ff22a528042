//! One container: a handle with the operations of the sandbox API.

use std::sync::Arc;
use std::time::Duration;

use containerd_sandbox::{
    Any, Container, Deleted, Error, ExecOptions, Exit, LinuxResources, ProcessStatus, Result,
};
use tracing::debug;

use super::convert;
use super::core::Core;
use super::decode::{self, CriResources};
use super::live_slot::{Due, Inner, LiveSlot, Purpose};
use super::process::{self, Begun};
use super::terminal;
use super::userland::ExecAnswer;
use super::{setup, stdio};
use crate::refuse;
use crate::simulate::signal::{self, Effect, effect};
use crate::simulate::{behaviour, usage};
use pod_resources::Extraction;
use slot::{self, Change, NewProcess, Process, ProcessId, ProcessState, Reaction};
use toy_userland::Signal;

/// A handle on one container.
pub struct ResourceSlotContainer {
    pub(super) core: Arc<Core>,
    pub(super) live: Arc<LiveSlot>,
    /// Id of the container's first process.
    pub(super) id: ProcessId,
}

impl ResourceSlotContainer {
    fn process_id(&self, exec: Option<&str>) -> ProcessId {
        ProcessId {
            container: self.id.container.clone(),
            exec: exec.map(str::to_owned),
        }
    }

    /// Ends a process in a while. Of several signals, the first one decides.
    fn end_after(&self, inner: &mut Inner, id: &ProcessId, code: u8, after: Duration) {
        let Ok(process) = inner.slot.process(id) else {
            return;
        };
        let pid = process.spec.pid;
        if !inner.attachments.begin_end(pid) {
            return;
        }
        let due = Due {
            live: Arc::downgrade(&self.live),
            id: id.clone(),
            pid,
            purpose: Purpose::Signalled(code),
            lines: None,
        };
        if let Some(timer) = self.core.timers.set(after, due) {
            inner.attachments.tie_timer(pid, timer);
        }
    }

    async fn change(&self, change: Change) -> Result<()> {
        let _pass = self.core.drain.enter()?;
        let committed = {
            let mut inner = self.live.lock()?;
            self.core.commit(&self.live, &mut inner, change)?
        };
        self.core.settled(committed).await
    }

    /// Changes the container's resources to those that `stated` computes from the present
    /// container, together with the Linux resources that the CRI API gives back.
    pub(super) async fn update_by(
        &self,
        stated: impl FnOnce(&slot::Container) -> Result<(Extraction, Option<CriResources>)>,
    ) -> Result<()> {
        let _pass = self.core.drain.enter()?;
        let container = &self.id.container;
        let committed = {
            let mut inner = self.live.lock()?;
            let (updated, linux) =
                stated(inner.slot.container(container).map_err(refuse::change)?)?;
            let cpu_quota = updated.cpu_quota;
            let info = decode::warned(container, updated);
            let change = Change::UpdateContainer {
                container: container.clone(),
                info,
                linux,
                cpu_quota,
            };
            let committed = self.core.commit(&self.live, &mut inner, change)?;
            debug!("Updated container {container}: {info:?}");
            let updated = inner.slot.container(container).map_err(refuse::change)?;
            let shell = inner.attachments.shell(updated.init.spec.pid);
            if let Some(world) = shell.and_then(|shell| shell.world.as_ref()) {
                world.replace_files(setup::cgroup::files(updated));
            }
            committed
        };
        self.core.settled(committed).await
    }
}

/// Sends a signal to the command of a process. Returns whether it did: SIGKILL is never
/// sent, because it ends a process with any command.
fn send(inner: &Inner, id: &ProcessId, signal: u32) -> bool {
    let Ok(process) = inner.slot.process(id) else {
        return false;
    };
    let shell = inner.attachments.shell(process.spec.pid);
    let signals = shell.and_then(|shell| shell.signals.as_ref());
    match (signals, u8::try_from(signal)) {
        (Some(signals), Ok(signal))
            if (1..LAST_SENT).contains(&signal) && signal != Signal::KILL.0 =>
        {
            signals.send(Signal(signal));
            true
        }
        _ => false,
    }
}

/// Returns the stated reaction of a container's first process to a signal.
fn reaction(inner: &Inner, id: &ProcessId, signal: u32) -> Option<Reaction> {
    if id.exec.is_some() {
        return None;
    }
    let container = inner.slot.container(&id.container).ok()?;
    let signals = &container.behaviour.as_ref()?.signals;
    signals.get(&signal).copied()
}

/// First signal that is sent to no command: a command knows 63 of them.
const LAST_SENT: u8 = 64;

/// Error of a Kill for a process that has ended; containerd takes it for "already gone".
fn finished(id: &ProcessId) -> Error {
    Error::not_found(format!("{id}: process already finished"))
}

impl Container for ResourceSlotContainer {
    async fn start(&self, exec: Option<&str>) -> Result<u32> {
        if exec.is_none() {
            self.wait_for_start().await?;
            self.write_stated_message().await?;
        }
        let _pass = self.core.drain.enter()?;
        let id = self.process_id(exec);
        let (committed, pid) = {
            let mut inner = self.live.lock()?;
            let change = Change::StartProcess(id.clone());
            let committed = self.core.commit(&self.live, &mut inner, change)?;
            let pid = process::resume(&self.core, &self.live, &mut inner, &id, Begun::Now)?;
            (committed, pid)
        };
        self.core.settled(committed).await?;
        if exec.is_none() {
            debug!("Started {id} in sandbox {}", self.live.key);
        }
        Ok(pid)
    }

    async fn exec(&self, exec: &str, options: ExecOptions) -> Result<()> {
        let stdio = convert::slot_stdio(options.stdio);
        stdio::check(&stdio)?;
        decode::invalid_fields(exec, &options.process.invalid, self.core.settings.rules)?;
        let args = options.process.args;
        let is_stated = {
            let inner = self.live.lock()?;
            ExecAnswer::of(
                inner
                    .slot
                    .container(&self.id.container)
                    .map_err(refuse::change)?,
            )
            .is_some()
        };
        // A stated answer is given for every command, through the same streams.
        let has_stdin = is_stated || !stdio.stdin.is_empty();
        let behaviour = behaviour::of_exec(args, has_stdin)?;
        let process = NewProcess {
            pid: self.core.pids.next(),
            planned_exit: behaviour.planned_exit,
            command: behaviour.command,
            signals: behaviour.signals,
            stdio,
        };
        self.change(Change::CreateExec {
            container: self.id.container.clone(),
            exec: exec.to_owned(),
            process,
        })
        .await
    }

    async fn kill(&self, exec: Option<&str>, signal: u32, all: bool) -> Result<()> {
        let _pass = self.core.drain.enter()?;
        signal::check(signal)?;
        let id = self.process_id(exec);
        // The end of the first process is the end of all.
        let target = if all { self.id.clone() } else { id.clone() };
        let committed = {
            let mut inner = self.live.lock()?;
            if inner.slot.process(&id).map_err(refuse::change)?.state == ProcessState::Stopped {
                None
            } else {
                let code = match reaction(&inner, &target, signal) {
                    Some(Reaction::Ignore) => return Ok(()),
                    Some(Reaction::Exit { code, after }) if after.is_zero() => code.into(),
                    Some(Reaction::Exit { code, after }) => {
                        self.end_after(&mut inner, &target, code, after);
                        return Ok(());
                    }
                    None if send(&inner, &target, signal) => return Ok(()),
                    None => {
                        let process = inner.slot.process(&target).map_err(refuse::change)?;
                        match effect(signal, process.spec.signals) {
                            Effect::Exit(code) => code,
                            Effect::None => return Ok(()),
                        }
                    }
                };
                let change = Change::Exit(target, code);
                Some(self.core.commit(&self.live, &mut inner, change)?)
            }
        };
        let Some(committed) = committed else {
            self.core.settled_so_far().await?;
            return Err(finished(&id));
        };
        self.core.settled(committed).await?;
        debug!("Signal {signal} ended {id} in sandbox {}", self.live.key);
        Ok(())
    }

    async fn wait(&self, exec: Option<&str>) -> Result<Exit> {
        let signal = {
            let mut inner = self.live.lock()?;
            let process = inner
                .slot
                .process(&self.process_id(exec))
                .map_err(refuse::change)?;
            let (pid, exit) = (process.spec.pid, process.exit);
            match exit {
                // The waiters were told already.
                Some(exit) if !inner.attachments.has(pid) => return Ok(convert::api_exit(exit)),
                _ => inner.attachments.signal(pid),
            }
        };
        Ok(signal.wait().await)
    }

    fn state(&self, exec: Option<&str>) -> Result<ProcessStatus> {
        let inner = self.live.lock()?;
        let container = inner
            .slot
            .container(&self.id.container)
            .map_err(refuse::change)?;
        let process: &Process = inner
            .slot
            .process(&self.process_id(exec))
            .map_err(refuse::change)?;
        Ok(ProcessStatus {
            bundle: container.bundle.clone(),
            pid: process.spec.pid,
            state: convert::api_state(process.state),
            stdio: convert::api_stdio(process.spec.stdio.clone()),
            exit: process.exit.map(convert::api_exit),
        })
    }

    fn pids(&self) -> Result<Vec<u32>> {
        let inner = self.live.lock()?;
        let container = inner
            .slot
            .container(&self.id.container)
            .map_err(refuse::change)?;
        let execs = container.execs.iter().map(|(_, process)| process);
        Ok(std::iter::once(&container.init)
            .chain(execs)
            .map(|process| process.spec.pid)
            .collect())
    }

    fn stats(&self) -> Result<Any> {
        let inner = self.live.lock()?;
        usage::of_container(
            inner
                .slot
                .container(&self.id.container)
                .map_err(refuse::change)?,
            self.core.sampling(),
        )
    }

    async fn pause(&self) -> Result<()> {
        self.change(Change::Pause(self.id.container.clone())).await
    }

    async fn resume(&self) -> Result<()> {
        self.change(Change::Resume(self.id.container.clone())).await
    }

    async fn update(&self, resources: &LinuxResources) -> Result<()> {
        let rules = self.core.settings.rules;
        self.update_by(|known| {
            let updated = known.info.updated_by(known.cpu_quota, resources, rules);
            Ok((updated.map_err(refuse::resource)?, None))
        })
        .await
    }

    async fn delete(&self, exec: Option<&str>) -> Result<Deleted> {
        let _pass = self.core.drain.enter()?;
        let id = self.process_id(exec);
        let (committed, deleted) = {
            let mut inner = self.live.lock()?;
            process::delete(&self.core, &self.live, &mut inner, id)?
        };
        self.core.settled(committed).await?;
        if exec.is_none() {
            debug!(
                "Deleted container {} of sandbox {}",
                self.id.container, self.live.key
            );
        }
        Ok(deleted)
    }

    fn resize_pty(&self, exec: Option<&str>, width: u32, height: u32) -> Result<()> {
        let inner = self.live.lock()?;
        let process = inner.slot.process(&self.process_id(exec));
        let pid = process.map_err(refuse::change)?.spec.pid;
        let shell = inner.attachments.shell(pid);
        if let Some(terminal) = shell.and_then(|shell| shell.terminal.as_ref()) {
            terminal.resize(terminal::size(width, height));
        }
        Ok(())
    }

    async fn close_stdin(&self, exec: Option<&str>) -> Result<()> {
        let _pass = self.core.drain.enter()?;
        let id = self.process_id(exec);
        let committed = {
            let mut inner = self.live.lock()?;
            let process = inner.slot.process(&id).map_err(refuse::change)?;
            match process.state {
                _ if process.spec.stdio.stdin.is_empty() => return Ok(()),
                ProcessState::Stopped => return Ok(()),
                ProcessState::Created => {
                    return Err(Error::failed_precondition(format!(
                        "{id} is not started: it has no standard input yet"
                    )));
                }
                ProcessState::Running | ProcessState::Paused => {
                    let shell = inner.attachments.shell(process.spec.pid);
                    if let Some(closed) = shell.and_then(|s| s.stdin_closed.as_ref()) {
                        closed.cancel();
                        return Ok(());
                    }
                    self.core
                        .commit(&self.live, &mut inner, Change::Exit(id, 0))?
                }
            }
        };
        self.core.settled(committed).await
    }
}
