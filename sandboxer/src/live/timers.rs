//! Timers: one queue for all of them, and a guard for each.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio_util::time::{DelayQueue, delay_queue};

/// Longest time of a timer; [`DelayQueue`] holds 2^36 ms at most.
pub(super) const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Subject of a timer. Of several timers with one key only the latest is in the queue.
pub(super) trait Keyed {
    type Key: Copy + Eq + Hash;

    fn key(&self) -> Self::Key;
}

enum Command<T: Keyed> {
    Set(Duration, T),
    Cancel(T::Key),
}

/// Sets and cancels timers.
pub(super) struct Timers<T: Keyed>(mpsc::UnboundedSender<Command<T>>);

/// Receiving end of [`Timers`].
pub(super) struct Queue<T: Keyed>(mpsc::UnboundedReceiver<Command<T>>);

/// Cancels a timer when it is dropped.
pub(super) struct Timer<T: Keyed> {
    timers: mpsc::UnboundedSender<Command<T>>,
    key: T::Key,
}

impl<T: Keyed> Drop for Timer<T> {
    fn drop(&mut self) {
        // Without a queue there is nothing to cancel.
        let _ = self.timers.send(Command::Cancel(self.key));
    }
}

impl<T: Keyed> Timers<T> {
    pub(super) fn new() -> (Self, Queue<T>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), Queue(receiver))
    }

    /// Sets a timer, in place of the one with the same key. Returns `None` if `after` is
    /// longer than [`LONGEST`].
    pub(super) fn set(&self, after: Duration, due: T) -> Option<Timer<T>> {
        if after > LONGEST {
            return None;
        }
        let timer = Timer {
            timers: self.0.clone(),
            key: due.key(),
        };
        let _ = self.0.send(Command::Set(after, due));
        Some(timer)
    }

    /// Sets a timer that has fired anew. Its guard is still held.
    pub(super) fn again(&self, after: Duration, due: T) {
        let _ = self.0.send(Command::Set(after, due));
    }
}

impl<T: Keyed> Queue<T> {
    /// Calls `fire` with each timer that is due, until all [`Timers`] and guards are
    /// dropped.
    pub(super) async fn run(mut self, mut fire: impl FnMut(T)) {
        let mut queue: DelayQueue<T> = DelayQueue::new();
        let mut keys: HashMap<T::Key, delay_queue::Key> = HashMap::new();
        loop {
            tokio::select! {
                command = self.0.recv() => match command {
                    None => return,
                    Some(Command::Set(after, due)) => {
                        let of = due.key();
                        if let Some(key) = keys.remove(&of) {
                            queue.try_remove(&key);
                        }
                        keys.insert(of, queue.insert(due, after.min(LONGEST)));
                    }
                    Some(Command::Cancel(of)) => {
                        if let Some(key) = keys.remove(&of) {
                            queue.try_remove(&key);
                        }
                    }
                },
                Some(expired) = queue.next(), if !queue.is_empty() => {
                    let due = expired.into_inner();
                    keys.remove(&due.key());
                    fire(due);
                }
            }
        }
    }
}
