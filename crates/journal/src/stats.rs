//! Counts of a journal since it was opened.

use std::time::Duration;

use slot::Timestamp;

/// Counts of a journal since it was opened. Every number but the last two only grows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Appended records.
    pub records: u64,
    /// Bytes of those records.
    pub bytes: u64,
    /// Segments that were started after the first one.
    pub segments: u64,
    /// Successful attempts to make every appended record durable.
    pub syncs: u64,
    /// Failed attempts.
    pub failed_syncs: u64,
    /// Duration of all attempts together.
    pub sync_time: Duration,
    /// Snapshots that were taken.
    pub snapshots: u64,
    /// Time of the last successful attempt.
    pub last_sync: Option<Timestamp>,
    /// Bytes of the last snapshot; `None` before the first.
    pub snapshot_bytes: Option<u64>,
}

impl JournalStats {
    pub(super) fn appended(&mut self, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
    }

    pub(super) fn tried_to_sync(&mut self, took: Duration, done: bool) {
        self.sync_time += took;
        if done {
            self.syncs += 1;
            self.last_sync = Some(Timestamp::now());
        } else {
            self.failed_syncs += 1;
        }
    }

    pub(super) fn took_snapshot(&mut self, bytes: u64) {
        self.snapshots += 1;
        self.snapshot_bytes = Some(bytes);
    }
}
