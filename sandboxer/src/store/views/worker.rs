//! The thread that does all view I/O.

use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::backlog::{self, Backlog, Want};
use super::disk::{Root, Swept};
use super::queue::{Queue, Wait};
use super::repair::{self, Expected, Repaired};
use super::{ViewId, ViewMode, ViewOp};
use crate::store::error::StoreError;

/// How long after a failure it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// What the thread is asked for.
#[derive(Debug)]
pub(super) enum Message {
    /// Change a view; the answer goes to whoever waits for it.
    Op(ViewOp, Option<oneshot::Sender<Result<(), StoreError>>>),
    /// Make the directory agree.
    Repair(Expected, SyncSender<Result<Repaired, StoreError>>),
}

#[derive(Debug)]
pub(super) struct Worker {
    root: Root,
    mode: ViewMode,
    window: Duration,
    /// Gathered by write-behind.
    fresh: Backlog,
    flush_at: Option<Instant>,
    /// What was tried in vain.
    failed: Backlog,
    retry_at: Option<Instant>,
    /// Whether the log knows that something fails.
    failing: bool,
}

impl Worker {
    pub(super) fn new(root: Root, mode: ViewMode, window: Duration) -> Self {
        Self {
            root,
            mode,
            window,
            fresh: Backlog::default(),
            flush_at: None,
            failed: Backlog::default(),
            retry_at: None,
            failing: false,
        }
    }

    /// Works until the queue is closed and nothing is left to do.
    pub(super) fn run(mut self, queue: &Queue<Message>) {
        loop {
            let taken = queue.take(self.wait());
            for message in taken.items {
                self.handle(message);
            }
            let now = Instant::now();
            if taken.closed || self.flush_at.is_some_and(|at| at <= now) {
                self.flush_at = None;
                for (id, want) in self.fresh.take() {
                    let _ = self.attempt(id, want);
                }
            }
            if taken.closed || self.retry_at.is_some_and(|at| at <= now) {
                self.retry();
            }
            if taken.closed {
                return;
            }
        }
    }

    fn wait(&self) -> Wait {
        match (self.flush_at, self.retry_at) {
            (Some(flush), Some(retry)) => Wait::Until(flush.min(retry)),
            (Some(flush), None) => Wait::Until(flush),
            (None, Some(retry)) => Wait::ItemUntil(retry),
            (None, None) => Wait::Item,
        }
    }

    fn handle(&mut self, message: Message) {
        match message {
            Message::Op(op, ack) => {
                let (id, want) = backlog::admit(op, [&mut self.fresh, &mut self.failed]);
                if self.mode == ViewMode::WriteBehind {
                    self.fresh.insert(id, want);
                    self.flush_at
                        .get_or_insert_with(|| Instant::now() + self.window);
                    return;
                }
                let done = self.attempt(id, want);
                if let Some(ack) = ack {
                    // Whoever asked need not have waited.
                    let _ = ack.send(done);
                }
            }
            Message::Repair(expected, reply) => {
                let _ = reply.send(self.repair(&expected));
            }
        }
    }

    fn repair(&mut self, expected: &Expected) -> Result<Repaired, StoreError> {
        let (repaired, unwritten) = repair::repair(&self.root, expected)?;
        for (id, info) in unwritten {
            let want = Want {
                sweep: false,
                info: Some(info),
            };
            self.postpone(id, want);
        }
        Ok(repaired)
    }

    /// Does what is wanted, or keeps it to be tried again.
    fn attempt(&mut self, id: ViewId, mut want: Want) -> Result<(), StoreError> {
        let done = self.fulfil(&id, &mut want);
        if let Err(e) = &done {
            if !self.failing {
                self.failing = true;
                tracing::warn!("a view is not up to date, trying again: {e}");
            }
            self.postpone(id, want);
        }
        done
    }

    fn fulfil(&self, id: &ViewId, want: &mut Want) -> Result<(), StoreError> {
        if want.sweep {
            if self.root.sweep(id)? == Swept::Left {
                tracing::warn!(
                    "the directory of {}{} holds more than views: left in place",
                    id.key,
                    id.container
                        .as_ref()
                        .map(|container| format!(", container {container},"))
                        .unwrap_or_default()
                );
            }
            want.sweep = false;
        }
        match &want.info {
            Some(info) => self.root.put(id, info),
            None => Ok(()),
        }
    }

    fn postpone(&mut self, id: ViewId, want: Want) {
        self.failed.insert(id, want);
        self.retry_at.get_or_insert_with(|| Instant::now() + RETRY);
    }

    fn retry(&mut self) {
        self.retry_at = None;
        for (id, want) in self.failed.take() {
            let _ = self.attempt(id, want);
        }
        if self.failing && self.failed.is_empty() {
            self.failing = false;
            tracing::info!("every view is up to date again");
        }
    }
}
