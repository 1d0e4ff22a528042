//! What the living hang on a process: waiters, open streams, and what goes on
//! behind it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use containerd_sandbox::ExitSignal;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::console::Console;
use super::timers::Timer;
use toy_userland::{Signals, World};

/// What is attached to one process.
#[derive(Default)]
struct Attached {
    /// Those who wait for its end.
    signal: Option<Arc<ExitSignal>>,
    /// Its open streams; closing them is what a reader sees as the end.
    streams: Vec<OwnedFd>,
    /// What goes on behind it; aborting a task that has ended does nothing.
    tasks: Vec<AbortHandle>,
    /// What is to happen to it.
    timers: Vec<Timer>,
    /// Its part in the toy userland; few have one.
    shell: Option<Box<Shelled>>,
}

/// What a process has to do with the toy userland.
#[derive(Default)]
pub(super) struct Shelled {
    /// Of a container's first process: what its commands see.
    pub(super) world: Option<Arc<World>>,
    /// Of a container's first process on CRI's door: where it writes to.
    pub(super) console: Option<Arc<Console>>,
    /// Where signals to its command are sent.
    pub(super) signals: Option<Arc<Signals>>,
    /// Tells its command that standard input has ended.
    pub(super) stdin_closed: Option<CancellationToken>,
}

impl Drop for Attached {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The attachments of a sandbox's processes, by process id. Most processes have
/// none, and few sandboxes have many processes.
#[derive(Default)]
pub(super) struct Attachments(Vec<(u32, Attached)>);

impl Attachments {
    fn entry(&mut self, pid: u32) -> &mut Attached {
        let at = match self.0.iter().position(|(p, _)| *p == pid) {
            Some(at) => at,
            None => {
                self.0.reserve_exact(1);
                self.0.push((pid, Attached::default()));
                self.0.len() - 1
            }
        };
        &mut self.0[at].1
    }

    /// Whether anything is attached to the process, or its end is still to be told.
    pub(super) fn has(&self, pid: u32) -> bool {
        self.0.iter().any(|(p, _)| *p == pid)
    }

    /// Has whoever asks from now on wait for [`Attachments::release`].
    pub(super) fn hold_back(&mut self, pid: u32) {
        self.entry(pid);
    }

    /// The signal of the process's end.
    pub(super) fn signal(&mut self, pid: u32) -> Arc<ExitSignal> {
        Arc::clone(self.entry(pid).signal.get_or_insert_default())
    }

    /// Keeps streams of the process open.
    pub(super) fn hold(&mut self, pid: u32, streams: impl IntoIterator<Item = OwnedFd>) {
        self.entry(pid).streams.extend(streams);
    }

    /// The streams of the process that are kept open.
    pub(super) fn streams(&self, pid: u32) -> &[OwnedFd] {
        let found = self.0.iter().find(|(p, _)| *p == pid);
        found.map_or(&[], |(_, attached)| &attached.streams)
    }

    /// Has a task end with the process.
    pub(super) fn tie(&mut self, pid: u32, task: AbortHandle) {
        self.entry(pid).tasks.push(task);
    }

    /// Has a timer end with the process.
    pub(super) fn tie_timer(&mut self, pid: u32, timer: Timer) {
        self.entry(pid).timers.push(timer);
    }

    /// The process's part in the toy userland, if it has one.
    pub(super) fn shelled(&self, pid: u32) -> Option<&Shelled> {
        let found = self.0.iter().find(|(p, _)| *p == pid);
        found.and_then(|(_, attached)| attached.shell.as_deref())
    }

    /// The process's part in the toy userland.
    pub(super) fn shelled_mut(&mut self, pid: u32) -> &mut Shelled {
        self.entry(pid).shell.get_or_insert_default()
    }

    /// Closes the process's streams, ends its tasks, and hands over the signal to fire.
    pub(super) fn release(&mut self, pid: u32) -> Option<Arc<ExitSignal>> {
        let at = self.0.iter().position(|(p, _)| *p == pid)?;
        self.0.swap_remove(at).1.signal.take()
    }
}
