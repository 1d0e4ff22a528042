//! State that the journal's threads share, and the loops of its two threads: one makes appends
//! durable, one compacts.

use std::time::Instant;

use threads::watch;
use threads::{Condvar, Mutex, MutexGuard};

use super::compaction;
use super::directory::Directory;
use super::error::JournalError;
use super::options::Options;
use super::retry;
use super::sync::Sync;
use super::writer::{Batch, Writer};
use threads::mpsc::Receiver;

/// Known durability of the records. After a failed `fdatasync`, the records after `synced` up to
/// `failed` become durable only by a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Number of a record; every record up to this one is durable.
    pub(super) synced: u64,
    /// Number of the last record that a failed `fdatasync` makes untrusted; 0 without a failure.
    pub(super) failed: u64,
}

impl Progress {
    fn tried(self) -> u64 {
        self.synced.max(self.failed)
    }
}

/// State that the journal and its threads share.
pub(super) struct Shared {
    pub(super) directory: Directory,
    pub(super) options: Options,
    pub(super) writer: Mutex<Writer>,
    /// Wakes the syncing thread when it may have work.
    pub(super) work: Condvar,
    /// Wakes the syncing thread from the wait of an interval, which appends must not end.
    pub(super) closing: Condvar,
    pub(super) progress: watch::Sender<Progress>,
}

impl Shared {
    /// Runs the syncing thread.
    pub(super) fn sync_loop(&self) {
        while let Some(batch) = self.next_batch() {
            let _ = self.commit(&batch);
        }
    }

    /// Waits until records are to be made durable; returns `None` once the journal is closed.
    fn next_batch(&self) -> Option<Batch> {
        let mut writer = self.writer.lock();
        while !writer.closed && !self.due(&mut writer) {
            self.work.wait(&mut writer);
        }
        if let Sync::Interval(interval) = self.options.sync {
            let deadline = Instant::now() + interval;
            while !writer.closed && !self.closing.wait_until(&mut writer, deadline).timed_out() {}
        }
        (!writer.closed).then(|| writer.take_batch())
    }

    fn due(&self, writer: &mut MutexGuard<'_, Writer>) -> bool {
        let progress = *self.progress.borrow();
        let target = match self.options.sync {
            Sync::None => return false,
            Sync::Interval(_) => writer.last_seq(),
            Sync::Always => writer.wanted.min(writer.last_seq()),
        };
        if target <= progress.tried() {
            return false;
        }
        if writer.distrusted.is_some() {
            // Only a snapshot can make these records durable.
            self.progress.send_modify(|p| p.failed = writer.last_seq());
            return false;
        }
        true
    }

    /// Makes a batch durable and reports the progress to the callers that wait.
    pub(super) fn commit(&self, batch: &Batch) -> Result<(), JournalError> {
        let began = Instant::now();
        let synced = self.sync(batch);
        let took = began.elapsed();
        let mut writer = self.writer.lock();
        writer.stats.tried_to_sync(took, synced.is_ok());
        match &synced {
            Ok(()) if writer.distrusted.is_none() => {
                self.progress.send_modify(|p| {
                    p.synced = p.synced.max(batch.through);
                });
            }
            Ok(()) => self.progress.send_modify(|p| p.failed = batch.through),
            Err(e) => {
                tracing::error!(
                    "{e}: nothing written so far counts as durable until a snapshot is"
                );
                writer.distrust();
                let failed = writer.last_seq();
                self.progress.send_modify(|p| p.failed = failed);
            }
        }
        synced
    }

    fn sync(&self, batch: &Batch) -> Result<(), JournalError> {
        for file in &batch.files {
            file.sync_data()
                .map_err(JournalError::of("sync segments in", self.directory.path()))?;
        }
        if batch.names {
            self.directory.sync()?;
        }
        Ok(())
    }

    /// Runs the compacting thread: makes the requested snapshots.
    pub(super) fn compact_loop(&self, asked: &Receiver<u64>) {
        let mut through = 0;
        let mut wait = None;
        let mut is_full = false;
        loop {
            let request = match wait {
                None => asked.recv().ok(),
                Some(wait) => retry::sleep(wait, asked, through, is_full),
            };
            let Some(first) = request.filter(|_| !self.writer.lock().closed) else {
                return;
            };
            // The last of several requests covers the others.
            through = asked.try_iter().last().unwrap_or(first);
            match compaction::compact(&self.directory, through, self.options.history) {
                Ok(bytes) => {
                    wait = None;
                    self.compacted(through, bytes);
                }
                Err(e) => {
                    is_full = e.is_out_of_space();
                    let longer = Some(retry::after(wait, &e));
                    if longer != wait {
                        tell(through, &e);
                    }
                    wait = longer;
                }
            }
        }
    }

    fn compacted(&self, through: u64, bytes: u64) {
        tracing::debug!("snapshot of record {through}: {bytes} bytes");
        let mut writer = self.writer.lock();
        writer.compacted(through, bytes);
        if writer.distrusted.is_none() {
            self.progress.send_modify(|p| {
                p.synced = p.synced.max(through);
            });
        }
    }
}

/// Logs a failed compaction: damage as an error, because it stays and stops the next start.
fn tell(through: u64, failure: &JournalError) {
    let message = format!("no snapshot of record {through}, trying again: {failure}");
    match failure {
        JournalError::Damaged { .. } => tracing::error!("{message}"),
        _ => tracing::warn!("{message}"),
    }
}
