//! What the journal has done since it was opened.

use std::time::Duration;

use slot::Timestamp;

/// What the journal has done since it was opened. Every number but the last two grows only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JournalStats {
    /// Records that were appended.
    pub records: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Segments that appending went on in, the first one left out.
    pub segments: u64,
    /// Times that everything appended was made durable.
    pub syncs: u64,
    /// Times that this failed.
    pub failed_syncs: u64,
    /// How long all of them took together.
    pub sync_time: Duration,
    /// Snapshots that were taken.
    pub snapshots: u64,
    /// When everything appended before was last made durable.
    pub last_sync: Option<Timestamp>,
    /// Bytes of the last snapshot, if one was taken.
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
