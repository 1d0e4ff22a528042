//! Options of a journal.

use super::sync::Sync;

/// Options of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// When appended records are made durable.
    pub sync: Sync,
    /// Whether segments stay after a snapshot has replaced them.
    pub history: bool,
    /// Whether a damaged journal is opened without the records that cannot be used.
    pub recover: bool,
    /// Appended bytes after which a snapshot is taken, or twice the size of the last snapshot
    /// if that is more. A snapshot comes earlier at a start and when the file system has
    /// little room left.
    pub compact_min_bytes: u64,
}

impl Default for Options {
    /// Returns no syncs, no history, no recovery of damage, and snapshots from 16 MiB on.
    fn default() -> Self {
        Self {
            sync: Sync::None,
            history: false,
            recover: false,
            compact_min_bytes: 16 << 20,
        }
    }
}
