//! The processes of a container and their signals: its first process and the shells in it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Process id of a container's first process.
pub(crate) const INIT: u32 = 1;

/// Most processes in the table. A process beyond them runs, but is not listed.
const MAX_PROCESSES: usize = 1024;

/// Names and numbers of signals, signal(7), with the numbers of x86 and Arm.
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

/// A signal by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signal(pub u8);

impl Signal {
    /// SIGHUP, the consequence of a terminal's hang-up.
    pub const HUP: Self = Self(1);
    /// SIGINT, which ^C sends.
    pub const INT: Self = Self(2);
    /// SIGQUIT, which ^\ sends.
    pub const QUIT: Self = Self(3);
    /// SIGWINCH, which tells that a terminal's window has another size.
    pub const WINCH: Self = Self(28);
    /// SIGKILL, which ends a process at once and cannot be trapped.
    pub const KILL: Self = Self(9);
    /// SIGPIPE, the consequence of a write to a pipe without a reader.
    pub const PIPE: Self = Self(13);
    /// SIGTERM, which asks a process to end.
    pub const TERM: Self = Self(15);

    /// Parses a name, with or without `SIG` and in any case, or a number up to 63.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(number) = text.parse::<u8>() {
            return (number < 64).then_some(Self(number));
        }
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let known = SIGNALS.iter().find(|(known, _)| *known == name);
        known.map(|(_, number)| Self(*number))
    }

    /// Returns the name without `SIG`, or the number of a signal without a name.
    pub(crate) fn name(self) -> String {
        let known = SIGNALS.iter().find(|(_, number)| *number == self.0);
        known.map_or_else(|| self.0.to_string(), |(name, _)| (*name).to_owned())
    }

    /// Iterates over names and numbers, in the order of the numbers.
    pub(crate) fn names() -> impl Iterator<Item = (&'static str, u8)> {
        SIGNALS.into_iter().filter(|(_, number)| *number > 0)
    }

    /// Returns whether a process without a trap survives the signal: CHLD, CONT, WINCH, and 0,
    /// which only checks that the process exists. STOP is ignored, too: stopped processes are
    /// not simulated.
    pub(crate) fn is_ignored_by_default(self) -> bool {
        matches!(self.0, 0 | 17 | 18 | 19 | 28)
    }

    fn bit(self) -> u64 {
        1 << (self.0 & 63)
    }

    /// Returns the exit code of a process that the signal ended: 128 and the number.
    pub fn exit_code(self) -> u8 {
        128 + self.0.min(127)
    }
}

/// Pending and trapped signals of a process.
#[derive(Debug, Default)]
pub struct Signals {
    pending: AtomicU64,
    /// Signals for which the process has a trap, one bit each.
    trapped: AtomicU64,
    /// Whether the process is the first one of its PID namespace.
    is_protected: AtomicBool,
    changed: Notify,
}

impl Signals {
    /// Sends a signal. A signal that is pending already does not become pending twice.
    pub fn send(&self, signal: Signal) {
        self.pending.fetch_or(signal.bit(), Ordering::AcqRel);
        self.changed.notify_waiters();
    }

    /// Makes the process the first one of its PID namespace: a signal without a trap has no
    /// effect, not even KILL, if it comes from within the container (pid_namespaces(7)).
    pub fn protect(&self) {
        self.is_protected.store(true, Ordering::Release);
    }

    /// Waits for a signal that ends the process: one without a trap that is not ignored by
    /// default.
    pub async fn killed(&self) -> Signal {
        loop {
            let changed = self.changed.notified();
            if let Some(signal) = self.ending() {
                return signal;
            }
            changed.await;
        }
    }

    /// Returns a pending signal that ends the process.
    pub(crate) fn ending(&self) -> Option<Signal> {
        if self.is_protected.load(Ordering::Acquire) {
            return None;
        }
        let ending = |signal: &Signal| !signal.is_ignored_by_default();
        self.pending(false).find(ending)
    }

    /// Takes a pending signal that has a trap, if there is one.
    pub(crate) fn take_trapped(&self) -> Option<Signal> {
        let signal = self.pending(true).next()?;
        self.pending.fetch_and(!signal.bit(), Ordering::AcqRel);
        Some(signal)
    }

    /// Waits until a signal with a trap is pending, and leaves it pending.
    pub(crate) async fn trapped(&self) -> Signal {
        loop {
            let changed = self.changed.notified();
            if let Some(signal) = self.pending(true).next() {
                return signal;
            }
            changed.await;
        }
    }

    /// Sets whether the process has a trap for a signal. KILL cannot be trapped.
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

/// A process in the table: one line of `ps`.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    pub(crate) command: String,
    pub(crate) signals: Arc<Signals>,
}

/// Table of the processes of a container.
#[derive(Debug)]
pub(crate) struct Processes {
    table: Mutex<(u32, BTreeMap<u32, Process>)>,
}

impl Processes {
    /// Makes a table with a container's first process.
    pub(crate) fn new(command: String) -> Self {
        let init = Process {
            command,
            signals: Arc::default(),
        };
        Self {
            table: Mutex::new((INIT, BTreeMap::from([(INIT, init)]))),
        }
    }

    /// Adds a process until the returned guard is dropped.
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

/// A process id namespace that the containers of a pod share, pid_namespaces(7). Its first
/// process is the pod's `/pause`.
#[derive(Debug, Clone)]
pub struct PidNamespace(Arc<Processes>);

impl Default for PidNamespace {
    fn default() -> Self {
        Self(Arc::new(Processes::new("/pause".to_owned())))
    }
}

impl PidNamespace {
    pub(super) fn processes(&self) -> &Arc<Processes> {
        &self.0
    }
}

/// Guard of a process in the table. Dropping the guard removes the process.
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
        signals.protect();
        assert_eq!(signals.ending(), None);
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
