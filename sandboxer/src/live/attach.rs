//! Commands that clients of the CRI API run in a container, and clients attached to it.

use std::sync::Arc;

use containerd_sandbox::{Container as _, Error, Result};
use tokio::sync::broadcast;

use super::console::{Console, StdinWriter, Written};
use super::container::ResourceSlotContainer;
use super::setup;
use super::userland::{ExecAnswer, console, not_running, world};
use crate::refuse;
use slot::{KILLED, ProcessState};
use terminal::Terminal;
use toy_userland::{Io, Limits, Reader, Shell};

impl ResourceSlotContainer {
    /// Runs a command in the container beside its processes, on a terminal if one is given whose
    /// streams `io` has, and returns its exit code. The
    /// end of the container ends the command by SIGKILL; so does dropping the future.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container does not run.
    pub(crate) async fn run(
        &self,
        argv: &[String],
        mut io: Io,
        terminal: Option<Terminal>,
    ) -> Result<u32> {
        let stated = {
            let inner = self.live.lock()?;
            let container = inner
                .slot
                .container(&self.id.container)
                .map_err(refuse::change)?;
            if !matches!(
                container.init.state,
                ProcessState::Running | ProcessState::Paused
            ) {
                return Err(not_running(&self.id.container));
            }
            ExecAnswer::of(container)
        };
        if let Some(stated) = stated {
            return Ok(stated.give(&mut io).await);
        }
        let world = world(&self.core, &self.live, &self.id.container).await?;
        let mut shell = Shell::new(world, Limits::default());
        if let Some(terminal) = terminal {
            shell = shell.on_terminal(terminal);
        }
        tokio::select! {
            code = self.core.run(shell, argv, io) => code,
            _ = self.wait(None) => Ok(KILLED),
        }
    }

    /// Attaches a client: returns the container's output from now on, and its standard
    /// input if it has one that no other client has taken.
    ///
    /// # Errors
    /// `NotFound`; `FailedPrecondition` if the container does not run.
    pub(crate) fn attach(&self) -> Result<Attachment> {
        let mut inner = self.live.lock()?;
        let container = inner
            .slot
            .container(&self.id.container)
            .map_err(refuse::change)?;
        let pid = container.init.spec.pid;
        let stdin = setup::stdin(container);
        if !inner.is_running(&self.id, pid) {
            return Err(not_running(&self.id.container));
        }
        let console = console(&self.core, &mut inner, &self.id, pid)
            .ok_or_else(|| Error::not_found(format!("{} not found", self.id)))?;
        let taken = if stdin.is_wanted {
            console.take_stdin()
        } else {
            None
        };
        Ok(Attachment {
            written: console.watch(),
            terminal: console.terminal().cloned(),
            stdin: taken.map(|stream| AttachedStdin {
                stream: Some(stream),
                console: (!stdin.is_once).then_some(console),
            }),
        })
    }
}

/// Streams of a running container for one client.
pub(crate) struct Attachment {
    /// Output of the container.
    pub(crate) written: broadcast::Receiver<Written>,
    /// Terminal of the container.
    pub(crate) terminal: Option<Terminal>,
    /// Standard input of the container.
    pub(crate) stdin: Option<AttachedStdin>,
}

/// Standard input of a container for the attached client. When this is dropped, the next
/// client may take the input; it ends instead if CRI asked for input from one client only.
pub(crate) struct AttachedStdin {
    stream: Option<StdinWriter>,
    console: Option<Arc<Console>>,
}

impl AttachedStdin {
    /// Feeds everything from `reader` to the container.
    pub(crate) async fn feed(&mut self, mut reader: Reader) {
        if let Some(stream) = &mut self.stream {
            // A container that reads no more is no failure.
            let _ = tokio::io::copy(&mut reader, stream).await;
        }
    }
}

impl Drop for AttachedStdin {
    fn drop(&mut self) {
        if let (Some(stream), Some(console)) = (self.stream.take(), &self.console) {
            console.give_back_stdin(stream);
        }
    }
}
