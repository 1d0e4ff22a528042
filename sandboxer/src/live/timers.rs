//! What is to happen to processes at a later time: one queue for all of them.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::time::{DelayQueue, delay_queue};

use super::core::{Core, LiveSlot};
use super::process;
use slot::ProcessId;

/// Nothing is timed for longer, which the queue could not hold (2^36 ms).
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// The process ends.
    End,
    /// It writes to its log.
    Log,
}

/// A process that something is to happen to, if it is still there.
#[derive(Clone)]
pub(super) struct Due {
    pub(super) live: Weak<LiveSlot>,
    pub(super) id: ProcessId,
    pub(super) pid: u32,
    pub(super) what: What,
    /// How long the process had run when this was last done, in nanoseconds.
    pub(super) done_ns: u64,
}

enum Command {
    Set(Duration, Due),
    Cancel(u32, What),
}

/// Sets and cancels timers.
#[derive(Clone)]
pub(super) struct Timers(mpsc::UnboundedSender<Command>);

/// The other end, for whoever runs them.
pub(super) struct Queue(mpsc::UnboundedReceiver<Command>);

/// Cancels a timer when it is dropped.
pub(super) struct Timer {
    timers: Timers,
    pid: u32,
    what: What,
}

impl Drop for Timer {
    fn drop(&mut self) {
        // Without a queue there is nothing to cancel.
        let _ = self.timers.0.send(Command::Cancel(self.pid, self.what));
    }
}

impl Timers {
    pub(super) fn new() -> (Self, Queue) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Queue(receiver))
    }

    /// Has something happen after a time; `None` if that is longer than anything is
    /// timed for. A second timer for the same replaces the first.
    pub(super) fn set(&self, after: Duration, due: Due) -> Option<Timer> {
        if after > LONGEST {
            return None;
        }
        let timer = Timer {
            timers: self.clone(),
            pid: due.pid,
            what: due.what,
        };
        let _ = self.0.send(Command::Set(after, due));
        Some(timer)
    }

    /// The same for a timer that has rung, and whose guard is still held.
    pub(super) fn again(&self, after: Duration, due: Due) {
        let _ = self.0.send(Command::Set(after, due));
    }
}

impl Queue {
    /// Lets things happen until there is nobody left who could set a timer.
    pub(super) async fn run(mut self, core: Weak<Core>) {
        let mut queue: DelayQueue<Due> = DelayQueue::new();
        let mut keys: HashMap<(u32, What), delay_queue::Key> = HashMap::new();
        loop {
            tokio::select! {
                command = self.0.recv() => match command {
                    None => return,
                    Some(Command::Set(after, due)) => {
                        let of = (due.pid, due.what);
                        if let Some(key) = keys.remove(&of) {
                            queue.try_remove(&key);
                        }
                        keys.insert(of, queue.insert(due, after.min(LONGEST)));
                    }
                    Some(Command::Cancel(pid, what)) => {
                        if let Some(key) = keys.remove(&(pid, what)) {
                            queue.try_remove(&key);
                        }
                    }
                },
                Some(expired) = queue.next(), if !queue.is_empty() => {
                    let due = expired.into_inner();
                    keys.remove(&(due.pid, due.what));
                    let Some(core) = core.upgrade() else { return };
                    ring(&core, due);
                }
            }
        }
    }
}

fn ring(core: &Arc<Core>, due: Due) {
    let Some(live) = due.live.upgrade() else {
        return;
    };
    match due.what {
        What::End => process::life_is_over(core, &live, due),
        What::Log => process::log_is_due(core, &live, due),
    }
}
