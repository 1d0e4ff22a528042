//! The processes of a container: its first one and the shells that run in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The first process of a container.
pub(crate) const INIT: u32 = 1;

/// The most processes that are listed at once; one beyond it runs unlisted.
const MAX_PROCESSES: usize = 1024;

/// The signals with a name, signal(7), by number on the usual architectures.
const SIGNALS: [(&str, u8); 16] = [
    ("EXIT", 0),
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ABRT", 6),
    ("KILL", 9),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("PIPE", 13),
    ("ALRM", 14),
    ("TERM", 15),
    ("CHLD", 17),
    ("CONT", 18),
    ("STOP", 19),
    ("WINCH", 28),
];

/// A signal's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(pub u8);

impl Signal {
    /// Ends a process at once.
    pub const KILL: Self = Self(9);
    /// Comes of writing to a pipe that nobody reads.
    pub const PIPE: Self = Self(13);
    /// Asks a process to end.
    pub const TERM: Self = Self(15);

    /// Of a name, with or without `SIG`, or a number up to 63.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<u8>() {
            return (number < 64).then_some(Self(number));
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let known = SIGNALS.iter().find(|(known, _)| *known == name);
        known.map(|(_, number)| Self(*number))
    }

    /// The name, or the number of one without.
    pub(crate) fn name(self) -> String {
        let known = SIGNALS.iter().find(|(_, number)| *number == self.0);
        known.map_or_else(|| self.0.to_string(), |(name, _)| (*name).to_owned())
    }

    /// The names, in the order of their numbers.
    pub(crate) fn names() -> impl Iterator<Item = (&'static str, u8)> {
        SIGNALS.into_iter().filter(|(_, number)| *number > 0)
    }

    /// Whether a process that does nothing about it goes on: CHLD, CONT, WINCH
    /// and the check for a process's existence. Stopping is not simulated.
    pub(crate) fn is_ignored_by_default(self) -> bool {
        matches!(self.0, 0 | 17 | 18 | 19 | 28)
    }

    fn bit(self) -> u64 {
        1 << (self.0 & 63)
    }

    /// The exit code of what a signal ended.
    pub fn exit_code(self) -> u8 {
        128 + self.0.min(127)
    }
}

/// The signals that were sent to a process and that it has not seen yet.
#[derive(Debug, Default)]
pub struct Signals {
    pending: AtomicU64,
    /// Those that a shell's `trap` sees to.
    trapped: AtomicU64,
    changed: Notify,
}

impl Signals {
    /// Sends a signal. One that is pending already is not sent twice.
    pub fn send(&self, signal: Signal) {
        self.pending.fetch_or(signal.bit(), Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Waits for a signal that the process does nothing about and that ends it.
    pub async fn killed(&self) -> Signal {
        loop {
            let changed = self.changed.notified();
            let ending = |signal: &Signal| !signal.is_ignored_by_default();
            if let Some(signal) = self.pending(false).find(ending) {
                return signal;
            }
            changed.await;
        }
    }

    /// Takes a pending signal that is trapped, if there is one.
    pub(crate) fn take_trapped(&self) -> Option<Signal> {
        let signal = self.pending(true).next()?;
        self.pending.fetch_and(!signal.bit(), Ordering::AcqRel);
        Some(signal)
    }

    /// Waits until a trapped signal is pending, and leaves it so.
    pub(crate) async fn trapped(&self) {
        loop {
            let changed = self.changed.notified();
            if self.pending(true).next().is_some() {
                return;
            }
            changed.await;
        }
    }

    /// Says whether the process sees to a signal itself. Nothing sees to KILL.
    pub(crate) fn trap(&self, signal: Signal, trapped: bool) {
        if trapped && signal != Signal::KILL {
            self.trapped.fetch_or(signal.bit(), Ordering::AcqRel);
        } else {
            self.trapped.fetch_and(!signal.bit(), Ordering::AcqRel);
        }
        self.changed.notify_waiters();
    }

    fn pending(&self, trapped: bool) -> impl Iterator<Item = Signal> {
        let pending = self.pending.load(Ordering::Acquire);
        let mask = self.trapped.load(Ordering::Acquire);
        let wanted = pending & if trapped { mask } else { !mask };
        (0..64)
            .map(Signal)
            .filter(move |signal| wanted & signal.bit() != 0)
    }
}

/// One line of `ps`.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) command: String,
    pub(crate) signals: Arc<Signals>,
}

/// The processes by id.
#[derive(Debug)]
pub(crate) struct Processes {
    table: Mutex<(u32, BTreeMap<u32, Process>)>,
}

impl Processes {
    /// With a container's first process.
    pub(crate) fn new(command: String) -> Self {
        let init = Process {
            command,
            signals: Arc::default(),
        };
        Self {
            table: Mutex::new((INIT, BTreeMap::from([(INIT, init)]))),
        }
    }

    /// Lists a process until the guard is dropped.
    pub(crate) fn start(self: &Arc<Self>, process: Process) -> Running {
        let mut table = self.table.lock();
        let (last, listed) = &mut *table;
        *last = last.wrapping_add(1).max(INIT + 1);
        if listed.len() < MAX_PROCESSES {
            listed.insert(*last, process);
        }
        Running {
            processes: Arc::clone(self),
            pid: *last,
        }
    }

    pub(crate) fn list(&self) -> Vec<(u32, Process)> {
        let table = self.table.lock();
        table
            .1
            .iter()
            .map(|(pid, one)| (*pid, one.clone()))
            .collect()
    }

    pub(crate) fn signals(&self, pid: u32) -> Option<Arc<Signals>> {
        let table = self.table.lock();
        table
            .1
            .get(&pid)
            .map(|process| Arc::clone(&process.signals))
    }
}

/// A process that is listed as long as this lives.
#[derive(Debug)]
pub(crate) struct Running {
    processes: Arc<Processes>,
    pub(crate) pid: u32,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.processes.table.lock().1.remove(&self.pid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_is_named_in_any_way() {
        for text in ["TERM", "sigterm", "15", "SIGTERM"] {
            assert_eq!(Signal::parse(text), Some(Signal::TERM), "{text}");
        }
        for text in ["", "64", "-1", "SIGNAL"] {
            assert_eq!(Signal::parse(text), None, "{text}");
        }
        assert_eq!(Signal::TERM.exit_code(), 143);
    }

    #[tokio::test]
    async fn a_signal_ends_a_process_unless_it_is_trapped() {
        let signals = Signals::default();
        signals.send(Signal(17));
        signals.send(Signal::TERM);
        assert_eq!(signals.killed().await, Signal::TERM);
        signals.trap(Signal::TERM, true);
        signals.trapped().await;
        assert_eq!(signals.take_trapped(), Some(Signal::TERM));
        assert_eq!(signals.take_trapped(), None);
        signals.trap(Signal::KILL, true);
        signals.send(Signal::KILL);
        assert_eq!(signals.killed().await, Signal::KILL);
    }

    #[test]
    fn a_process_is_listed_while_it_runs() {
        let processes = Arc::new(Processes::new("/pause".to_owned()));
        let running = processes.start(Process {
            command: "sh".to_owned(),
            signals: Arc::default(),
        });
        assert_eq!(processes.list().len(), 2);
        assert!(processes.signals(running.pid).is_some());
        drop(running);
        assert_eq!(processes.list().len(), 1);
    }
}
