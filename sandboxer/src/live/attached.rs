//! State attached to processes: waiters, open streams, tasks and timers.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use containerd_sandbox::ExitSignal;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::console::Console;
use terminal::{Manager, Terminal};
use toy_userland::{Signals, World};

/// State attached to one process.
struct Attached<G> {
    /// Signal that waiters for the process's end share.
    signal: Option<Arc<ExitSignal>>,
    /// Open streams; a reader sees the end when they are closed.
    streams: Vec<OwnedFd>,
    /// Tasks that end with the process; aborting a task that has ended has no effect.
    tasks: Vec<AbortHandle>,
    /// Guards of its timers; dropping one cancels the timer.
    timers: Vec<G>,
    /// State in the toy userland; few processes have one.
    shell: Option<Box<ShellState>>,
    /// Whether a signal has begun the end of the process.
    is_ending: bool,
}

impl<G> Default for Attached<G> {
    fn default() -> Self {
        Self {
            signal: None,
            streams: Vec::new(),
            tasks: Vec::new(),
            timers: Vec::new(),
            shell: None,
            is_ending: false,
        }
    }
}

/// State of a process in the toy userland.
#[derive(Default)]
pub(super) struct ShellState {
    /// Files, processes and user that a container's commands see; set for the container's first
    /// process only.
    pub(super) world: Option<Arc<World>>,
    /// Console of a container of the CRI API; set for the container's first process only.
    pub(super) console: Option<Arc<Console>>,
    /// Handle that sends signals to the process's command.
    pub(super) signals: Option<Arc<Signals>>,
    /// Terminal of the process, if containerd asked for one.
    pub(super) terminal: Option<Terminal>,
    /// The user's end of that terminal, until the process's streams are open.
    pub(super) manager: Option<Manager>,
    /// Tells the process's command that standard input has ended.
    pub(super) stdin_closed: Option<CancellationToken>,
}

impl<G> Drop for Attached<G> {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Attachments of a sandbox's processes, by process id. Most processes have none, and few
/// sandboxes have many processes.
pub(super) struct Attachments<G>(Vec<(u32, Attached<G>)>);

impl<G> Default for Attachments<G> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<G> Attachments<G> {
    fn entry(&mut self, pid: u32) -> &mut Attached<G> {
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

    /// Returns whether the process has attachments, which includes a pending exit notice.
    pub(super) fn has(&self, pid: u32) -> bool {
        self.0.iter().any(|(p, _)| *p == pid)
    }

    /// Makes new waiters wait for [`Attachments::release`], although the process has ended.
    pub(super) fn hold_back(&mut self, pid: u32) {
        self.entry(pid);
    }

    /// Returns the signal of the process's end.
    pub(super) fn signal(&mut self, pid: u32) -> Arc<ExitSignal> {
        Arc::clone(self.entry(pid).signal.get_or_insert_default())
    }

    /// Keeps streams open until the process ends.
    pub(super) fn hold(&mut self, pid: u32, streams: impl IntoIterator<Item = OwnedFd>) {
        self.entry(pid).streams.extend(streams);
    }

    /// Returns the open streams of the process.
    pub(super) fn streams(&self, pid: u32) -> &[OwnedFd] {
        let found = self.0.iter().find(|(p, _)| *p == pid);
        found.map_or(&[], |(_, attached)| &attached.streams)
    }

    /// Aborts a task when the process ends.
    pub(super) fn tie(&mut self, pid: u32, task: AbortHandle) {
        self.entry(pid).tasks.push(task);
    }

    /// Cancels a timer when the process ends.
    pub(super) fn tie_timer(&mut self, pid: u32, timer: G) {
        self.entry(pid).timers.push(timer);
    }

    /// Notes that a signal begins the end of the process. Returns whether it is the first one.
    pub(super) fn begin_end(&mut self, pid: u32) -> bool {
        !std::mem::replace(&mut self.entry(pid).is_ending, true)
    }

    /// Returns the process's state in the toy userland, if it has one.
    pub(super) fn shell(&self, pid: u32) -> Option<&ShellState> {
        let found = self.0.iter().find(|(p, _)| *p == pid);
        found.and_then(|(_, attached)| attached.shell.as_deref())
    }

    /// Returns the process's state in the toy userland, empty at first.
    pub(super) fn shell_mut(&mut self, pid: u32) -> &mut ShellState {
        self.entry(pid).shell.get_or_insert_default()
    }

    /// Closes the process's streams, ends its tasks and timers, and returns the signal to
    /// fire.
    pub(super) fn release(&mut self, pid: u32) -> Option<Arc<ExitSignal>> {
        let at = self.0.iter().position(|(p, _)| *p == pid)?;
        self.0.swap_remove(at).1.signal.take()
    }
}
