//! Replaces a snapshot and segments by a new snapshot.
//!
//! The compaction reads closed segments and the last snapshot, never the live state, so it
//! delays no request. It reads them twice: first to find the lines that count, then those
//! lines, one sandbox after the other, so that it takes little memory. The new snapshot is
//! whole and durable before a file that it replaces is removed: a compaction that is
//! interrupted at any step leaves files that lead to the same state.

use super::damage::Damage;
use super::directory::{Directory, Listing};
use super::error::JournalError;
use super::line_index::LineIndex;
use super::load;
use super::parallel_decode::Decoding;
use super::snapshot;

/// Writes the snapshot of record `through`, whose segment must be closed, and returns the
/// snapshot's size in bytes. With `history`, the replaced segments stay.
///
/// # Errors
/// The damage or the failure of the file system; then no file was removed.
pub(super) fn compact(
    directory: &Directory,
    through: u64,
    history: bool,
) -> Result<u64, JournalError> {
    let listing = directory.list()?;
    let loaded = load::load::<LineIndex>(directory, &listing, Some(through), Decoding::Here)?;
    if let Some(damage) = Damage::of(loaded.report.dropped) {
        let damage = Box::new(damage);
        return Err(JournalError::Damaged { damage });
    }
    let bytes = snapshot::write(directory, through, loaded.folded.slots()?)?;
    remove_replaced(directory, &listing, through, history);
    Ok(bytes)
}

/// Removes the files that the snapshot of record `through` replaces.
///
/// A file that cannot be removed does no harm; the next compaction tries again.
fn remove_replaced(directory: &Directory, listing: &Listing, through: u64, history: bool) {
    let snapshots = listing.snapshots.iter().filter(|seq| **seq < through);
    let segments = listing.segments.iter().filter(|first| **first <= through);
    let snapshots = snapshots.map(|seq| directory.snapshot(*seq));
    let segments = segments
        .filter(|_| !history)
        .map(|first| directory.segment(*first));
    for path in snapshots.chain(segments) {
        if let Err(e) = Directory::remove(&path) {
            tracing::warn!("{e}");
        }
    }
}
