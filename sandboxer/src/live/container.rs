//! One container: processes come and go.

use std::sync::Arc;

use containerd_sandbox::{
    Any, Container, Deleted, Error, ExecOptions, Exit, ProcessStatus, Result,
};
use k8s_cri::v1::LinuxContainerResources;
use oci_spec::runtime::LinuxResources;
use tracing::debug;

use super::convert;
use super::core::{Core, Inner, LiveSlot};
use super::decode;
use super::process;
use super::userland::StatedAnswer;
use crate::refuse;
use crate::simulate::signal::{Effect, effect};
use crate::simulate::{life, stdio, usage};
use pod_resources::Extraction;
use slot::Timestamp;
use slot::{self, Change, Encoded, NewProcess, Process, ProcessId, ProcessState};
use toy_userland::Signal;
use views::ViewOp;

/// CRI's resources of a container, as the slot holds them.
type CriResources = Encoded<LinuxContainerResources>;

/// A handle on one container.
pub struct ResourceSlotContainer {
    pub(super) core: Arc<Core>,
    pub(super) live: Arc<LiveSlot>,
    /// Its first process.
    pub(super) id: ProcessId,
}

impl ResourceSlotContainer {
    fn process_id(&self, exec: Option<&str>) -> ProcessId {
        ProcessId {
            container: self.id.container.clone(),
            exec: exec.map(str::to_owned),
        }
    }

    async fn change(&self, change: Change) -> Result<()> {
        let _pass = self.core.gate.enter()?;
        let committed = {
            let mut inner = self.live.lock()?;
            self.core.commit(&self.live, &mut inner, change)?
        };
        self.core.settled(committed).await
    }

    /// Changes what it asks for to what is found for it as it is now, and the
    /// Linux resources that CRI's door gives back.
    pub(super) async fn update_by(
        &self,
        stated: impl FnOnce(&slot::Container) -> Result<(Extraction, Option<CriResources>)>,
    ) -> Result<()> {
        let _pass = self.core.gate.enter()?;
        let container = &self.id.container;
        let (committed, view) = {
            let mut inner = self.live.lock()?;
            let (updated, linux) =
                stated(inner.slot.container(container).map_err(refuse::change)?)?;
            let info = decode::warned(container, updated);
            let change = Change::UpdateContainer {
                container: container.clone(),
                info,
                linux,
            };
            let committed = self.core.commit(&self.live, &mut inner, change)?;
            let view = self.core.views.submit(ViewOp::Put {
                key: self.live.key.clone(),
                container: Some(container.clone()),
                info,
            });
            debug!("Updated container {container}: {info:?}");
            (committed, view)
        };
        self.core.settled(committed.and(view)).await
    }
}

/// Sends a signal to the command that a process runs; whether it runs one. SIGKILL
/// ends a process whatever it runs.
fn send(inner: &Inner, id: &ProcessId, signal: u32) -> bool {
    let Ok(process) = inner.slot.process(id) else {
        return false;
    };
    let shelled = inner.attachments.shelled(process.spec.pid);
    let signals = shelled.and_then(|shelled| shelled.signals.as_ref());
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

/// Signals from this one on are sent to no command: it knows 63 of them.
const LAST_SENT: u8 = 64;

/// Kill finds nothing to signal: containerd takes this for "already gone".
fn finished(id: &ProcessId) -> Error {
    Error::not_found(format!("{id}: process already finished"))
}

impl Container for ResourceSlotContainer {
    async fn start(&self, exec: Option<&str>) -> Result<u32> {
        if exec.is_none() {
            self.take_its_time().await?;
        }
        let _pass = self.core.gate.enter()?;
        let id = self.process_id(exec);
        let (committed, pid) = {
            let mut inner = self.live.lock()?;
            let change = Change::StartProcess(id.clone());
            let committed = self.core.commit(&self.live, &mut inner, change)?;
            let pid = process::resume(&self.core, &self.live, &mut inner, &id)?;
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
        let args = options.process.args;
        let is_stated = {
            let inner = self.live.lock()?;
            StatedAnswer::of(
                inner
                    .slot
                    .container(&self.id.container)
                    .map_err(refuse::change)?,
            )
            .is_some()
        };
        // A stated answer is given whatever the command, through the same streams.
        let has_stdin = is_stated || !stdio.stdin.is_empty();
        let course = life::of_exec(args, has_stdin)?;
        let process = NewProcess {
            pid: self.core.pids.next(),
            planned_exit: course.planned_exit,
            command: course.command,
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
        let _pass = self.core.gate.enter()?;
        let effect = effect(signal)?;
        let id = self.process_id(exec);
        let committed = {
            let mut inner = self.live.lock()?;
            if inner.slot.process(&id).map_err(refuse::change)?.state == ProcessState::Stopped {
                None
            } else if send(&inner, if all { &self.id } else { &id }, signal) {
                return Ok(());
            } else {
                let Effect::Exit(code) = effect else {
                    return Ok(());
                };
                // The end of the first process is the end of all.
                let target = if all { self.id.clone() } else { id.clone() };
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
                // Told already.
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
            Timestamp::now(),
        )
    }

    async fn pause(&self) -> Result<()> {
        self.change(Change::Pause(self.id.container.clone())).await
    }

    async fn resume(&self) -> Result<()> {
        self.change(Change::Resume(self.id.container.clone())).await
    }

    async fn update(&self, resources: &LinuxResources) -> Result<()> {
        let on_invalid = self.core.settings.on_invalid;
        self.update_by(|known| {
            Ok((
                known
                    .info
                    .updated_by(resources, on_invalid)
                    .map_err(refuse::resource)?,
                None,
            ))
        })
        .await
    }

    async fn delete(&self, exec: Option<&str>) -> Result<Deleted> {
        let _pass = self.core.gate.enter()?;
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

    fn resize_pty(&self, exec: Option<&str>, _width: u32, _height: u32) -> Result<()> {
        let inner = self.live.lock()?;
        inner
            .slot
            .process(&self.process_id(exec))
            .map_err(refuse::change)?;
        Ok(())
    }

    async fn close_stdin(&self, exec: Option<&str>) -> Result<()> {
        let _pass = self.core.gate.enter()?;
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
                    let shelled = inner.attachments.shelled(process.spec.pid);
                    if let Some(closed) = shelled.and_then(|s| s.stdin_closed.as_ref()) {
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
