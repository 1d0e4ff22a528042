//! A new snapshot in place of what led to it: a function of files alone.
//!
//! It reads closed segments and the last snapshot, never the live state, so it
//! holds nobody up; and it reads them twice, first for which lines count, then
//! those, one sandbox after the other, so that it takes little memory. The new
//! snapshot is whole and durable before anything it replaces is removed:
//! whenever it is cut short, what is there leads to the same state.

use super::damage::Damage;
use super::directory::{Directory, Listing};
use super::error::StoreError;
use super::lines::Decoding;
use super::places::Places;
use super::recovery;
use super::snapshot;

/// Makes the snapshot of record `through`, whose segment must be closed, and
/// gives its size in bytes.
///
/// # Errors
/// Then nothing was removed.
pub(super) fn compact(
    directory: &Directory,
    through: u64,
    history: bool,
) -> Result<u64, StoreError> {
    let listing = directory.list()?;
    let replayed = recovery::replay::<Places>(directory, &listing, Some(through), Decoding::Here)?;
    if let Some(damage) = Damage::of(replayed.report.dropped) {
        let damage = Box::new(damage);
        return Err(StoreError::Damaged { damage });
    }
    let bytes = snapshot::write(directory, through, replayed.folded.slots()?)?;
    remove_replaced(directory, &listing, through, history);
    Ok(bytes)
}

/// Removes what the snapshot of record `through` replaces; with `history`, the
/// segments stay. What cannot be removed does no harm and has its next chance
/// with the next snapshot.
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
