//! One live sandbox: its slot behind a lock, and the state beside the slot that a
//! restart loses or derives anew.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use containerd_sandbox::server::Permit;
use containerd_sandbox::{Error, ExitSignal, Key, Result};
use parking_lot::{Mutex, MutexGuard};

use super::attached::Attachments;
use super::convert;
use super::simulated_log::Lines;
use super::timers::{Keyed, Timer};
use super::volumes::Volumes;
use crate::simulate::behaviour::PodBehaviour;
use slot::{Ended, Exit, ProcessId, ProcessState, Slot};
use toy_userland::PidNamespace;

/// One sandbox: its slot, and the state that is kept beside the slot.
pub(super) struct LiveSlot {
    pub(super) key: Key,
    inner: Mutex<Inner>,
}

/// State of a sandbox that its lock guards.
pub(super) struct Inner {
    pub(super) slot: Slot,
    pub(super) attachments: Attachments<Timer<Due>>,
    /// Parsed annotations and drawn times of the pod; `None` where neither its
    /// annotations nor the behaviour file state any.
    pub(super) behaviour: Option<Box<PodBehaviour>>,
    pub(super) calls: Calls,
    /// Volumes that the pod's containers share.
    pub(super) volumes: Volumes,
    /// Process id namespace of the pod, once a container shares it.
    pub(super) pid_namespace: Option<PidNamespace>,
    signal: Option<Arc<ExitSignal>>,
    /// Share of `--max-sandboxes` that the sandbox takes until it is deleted.
    permit: Option<Permit>,
    gone: bool,
}

/// Numbers of calls and probes that the pod has received, by which those to fail are chosen.
#[derive(Debug, Default)]
pub(super) struct Calls {
    /// Calls to create a container.
    pub(super) creates: u32,
    /// Calls to start a container.
    pub(super) starts: u32,
    /// Probes of each container that was probed, by its id.
    pub(super) probes: BTreeMap<String, u64>,
}

/// Purpose of a process's timer; a process has at most one timer for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Purpose {
    /// Ends the process.
    End,
    /// Writes lines to the container's log.
    Log,
    /// Ends the process with this exit code, some time after a signal.
    Signalled(u8),
}

/// Subject of a timer: a process, if it still exists when the timer fires.
#[derive(Clone)]
pub(super) struct Due {
    pub(super) live: Weak<LiveSlot>,
    pub(super) id: ProcessId,
    pub(super) pid: u32,
    pub(super) purpose: Purpose,
    /// Simulated lines of the process's log; `None` for a timer of another purpose.
    pub(super) lines: Option<Arc<Lines>>,
}

impl Keyed for Due {
    type Key = (u32, Purpose);

    fn key(&self) -> Self::Key {
        (self.pid, self.purpose)
    }
}

impl LiveSlot {
    pub(super) fn new(
        key: Key,
        slot: Slot,
        permit: Permit,
        behaviour: Option<Box<PodBehaviour>>,
    ) -> Self {
        Self {
            key,
            inner: Mutex::new(Inner {
                slot,
                attachments: Attachments::default(),
                behaviour,
                calls: Calls::default(),
                volumes: Volumes::default(),
                pid_namespace: None,
                signal: None,
                permit: Some(permit),
                gone: false,
            }),
        }
    }

    /// Locks the slot.
    ///
    /// # Errors
    /// `NotFound` if the sandbox is deleted.
    pub(super) fn lock(&self) -> Result<MutexGuard<'_, Inner>> {
        let inner = self.inner.lock();
        if inner.gone {
            return Err(self.not_found());
        }
        Ok(inner)
    }

    pub(super) fn not_found(&self) -> Error {
        sandbox_not_found(&self.key)
    }

    /// Tells the waiters of an ended process, and closes its streams. Works on a
    /// deleted sandbox, too, because its waiters still need the exit.
    pub(super) fn release(&self, ended: &Ended) {
        let signal = self.inner.lock().attachments.release(ended.pid);
        if let Some(signal) = signal {
            signal.fire(convert::api_exit(ended.exit));
        }
    }
}

pub(super) fn sandbox_not_found(key: &Key) -> Error {
    Error::not_found(format!("sandbox {key} not found"))
}

impl Inner {
    /// Returns the signal of the sandbox's end.
    pub(super) fn exit_signal(&mut self) -> Arc<ExitSignal> {
        let is_new = self.signal.is_none();
        let signal = Arc::clone(self.signal.get_or_insert_default());
        // An older signal is fired by the exit notice, once the end is durable.
        if let (true, Some(exit)) = (is_new, self.slot.exit) {
            signal.fire(convert::api_exit(exit));
        }
        signal
    }

    /// Pairs the end of the sandbox with its signal, which the exit notice then fires.
    pub(super) fn pending_exit(&mut self, exit: Exit) -> (Arc<ExitSignal>, Exit) {
        (Arc::clone(self.signal.get_or_insert_default()), exit)
    }

    /// Returns whether the process `id` is running or paused under the fake process id
    /// `pid`.
    pub(super) fn is_running(&self, id: &ProcessId, pid: u32) -> bool {
        self.slot.process(id).is_ok_and(|process| {
            process.spec.pid == pid
                && matches!(process.state, ProcessState::Running | ProcessState::Paused)
        })
    }

    /// Marks the sandbox as deleted and returns its share of `--max-sandboxes`.
    pub(super) fn close(&mut self) {
        self.gone = true;
        self.permit = None;
    }
}
