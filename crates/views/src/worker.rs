//! The thread that does all I/O of views.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use threads::oneshot;

use super::backlog::{self, Backlog, Want};
use super::disk::Root;
use super::entry::Swept;
use super::error::ViewError;
use super::queue::{Queue, Wait};
use super::repair::{self, Expected, Repaired};
use super::{ViewId, ViewOp};
use threads::mpsc::SyncSender;

/// Time after a failure until the change is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Least number of due views that are written between two looks at the queue, so that a
/// waiting caller does not wait for all of them.
const SLICE: usize = 16;
/// Number of looks at the queue while all due views are written, so that they are written
/// before the next ones are due.
const SLICES: usize = 8;

/// Request to the thread.
#[derive(Debug)]
pub(super) enum Message {
    /// Change a view: at once if the answer has a receiver, else within the window.
    Op(ViewOp, Option<oneshot::Sender<Result<(), ViewError>>>),
    /// Make the directory agree with the expected views.
    Repair(Expected, SyncSender<Result<Repaired, ViewError>>),
}

#[derive(Debug)]
pub(super) struct Worker {
    root: Root,
    window: Duration,
    /// Changes without a waiting caller, gathered until the window is over.
    fresh: Backlog,
    /// End of the window; `None` if no change is gathered.
    flush_at: Option<Instant>,
    /// Changes of a window that is over.
    due: Backlog,
    /// Number of due changes that are made between two looks at the queue.
    slice: usize,
    /// Changes that failed.
    failed: Backlog,
    /// Time at which they are tried again.
    retry_at: Option<Instant>,
    /// Whether a failure has been logged and not yet its end.
    failing: bool,
    /// Number of views that are still to be changed, for other threads.
    waiting: Arc<AtomicUsize>,
}

impl Worker {
    pub(super) fn new(root: Root, window: Duration) -> Self {
        Self {
            root,
            window,
            fresh: Backlog::default(),
            flush_at: None,
            due: Backlog::default(),
            slice: 0,
            failed: Backlog::default(),
            retry_at: None,
            failing: false,
            waiting: Arc::default(),
        }
    }

    /// Returns the number of views that are still to be changed, which the thread keeps up to
    /// date.
    pub(super) fn waiting(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.waiting)
    }

    fn publish(&self) {
        let waiting = self.fresh.len() + self.due.len() + self.failed.len();
        self.waiting.store(waiting, Ordering::Relaxed);
    }

    /// Runs until the queue is closed and every change is made.
    pub(super) fn run(mut self, queue: &Queue<Message>) {
        loop {
            self.publish();
            let taken = queue.take(self.wait());
            for message in taken.items {
                self.handle(message);
            }
            if taken.closed {
                return self.finish();
            }
            let now = Instant::now();
            if self.due.is_empty() && self.flush_at.is_some_and(|at| at <= now) {
                self.close_window();
            }
            self.flush(self.slice);
            if self.retry_at.is_some_and(|at| at <= now) {
                self.retry();
            }
        }
    }

    fn wait(&self) -> Wait {
        if !self.due.is_empty() {
            return Wait::No;
        }
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
                let pending = [&mut self.fresh, &mut self.due, &mut self.failed];
                let (id, want) = backlog::admit(op, pending);
                let Some(ack) = ack else {
                    self.fresh.insert(id, want);
                    self.flush_at
                        .get_or_insert_with(|| Instant::now() + self.window);
                    return;
                };
                // The caller may not wait any more.
                let _ = ack.send(self.attempt(id, want));
            }
            Message::Repair(expected, reply) => {
                let _ = reply.send(self.repair(&expected));
            }
        }
    }

    /// Makes the gathered changes due.
    fn close_window(&mut self) {
        self.flush_at = None;
        self.due = std::mem::take(&mut self.fresh);
        self.slice = SLICE.max(self.due.len() / SLICES);
    }

    /// Makes `count` of the due changes.
    fn flush(&mut self, count: usize) {
        for _ in 0..count {
            let Some((id, want)) = self.due.pop() else {
                return;
            };
            let _ = self.attempt(id, want);
        }
    }

    /// Makes all changes, and tries those that failed once more.
    fn finish(mut self) {
        self.flush(usize::MAX);
        self.close_window();
        self.flush(usize::MAX);
        self.retry();
        if let Err(e) = self.root.clear_spares() {
            tracing::warn!("{e}");
        }
    }

    fn repair(&mut self, expected: &Expected) -> Result<Repaired, ViewError> {
        let (repaired, unwritten) = repair::repair(&mut self.root, expected)?;
        for (id, info) in unwritten {
            let want = Want {
                sweep: false,
                info: Some(info),
            };
            self.postpone(id, want);
        }
        Ok(repaired)
    }

    /// Makes a change, or keeps it to try again.
    fn attempt(&mut self, id: ViewId, mut want: Want) -> Result<(), ViewError> {
        let done = self
            .sweep_around(&id)
            .and_then(|()| self.fulfil(&id, &mut want));
        if let Err(e) = &done {
            if !self.failing {
                self.failing = true;
                tracing::warn!("a view is not up to date, trying again: {e}");
            }
            self.postpone(id, want);
        }
        done
    }

    /// Removes the earlier views of a container's sandbox if that is still to be done; a later
    /// removal would remove this view, too.
    fn sweep_around(&mut self, id: &ViewId) -> Result<(), ViewError> {
        let Some(sandbox) = id.sandbox() else {
            return Ok(());
        };
        let pending = [&mut self.fresh, &mut self.due, &mut self.failed];
        let sweep = pending.into_iter().find_map(|b| b.take_sweep(&sandbox));
        match sweep {
            Some(sweep) => self.attempt(sandbox, sweep),
            None => Ok(()),
        }
    }

    fn fulfil(&mut self, id: &ViewId, want: &mut Want) -> Result<(), ViewError> {
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
        let mut again = std::mem::take(&mut self.failed);
        while let Some((id, want)) = again.pop() {
            let _ = self.attempt(id, want);
        }
        if self.failing && self.failed.is_empty() {
            self.failing = false;
            tracing::info!("every view is up to date again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{info, key};

    #[test]
    fn a_failed_removal_of_a_sandbox_comes_before_its_new_containers() {
        let dir = tempfile::tempdir().unwrap();
        let mut worker = Worker::new(
            Root::open(dir.path(), Duration::ZERO).unwrap(),
            Duration::ZERO,
        );
        let sandbox = ViewId {
            key: key("a"),
            container: None,
        };
        let again = Want {
            sweep: true,
            info: Some(info(1)),
        };
        worker.postpone(sandbox, again);
        let container = ViewOp::Put {
            key: key("a"),
            container: Some("c".to_owned()),
            info: info(2),
        };
        worker.handle(Message::Op(container, None));
        worker.close_window();
        worker.flush(1);
        worker.retry();
        for view in ["a", "a/containers/c"] {
            let file = dir.path().join(view).join("resource_info.json");
            assert!(file.exists(), "{view}");
        }
    }
}
