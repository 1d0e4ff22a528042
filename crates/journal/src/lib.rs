//! Durable record of the changes of all slots, and the state that the records lead to.
//!
//! A [`Journal`] appends one record for each change before the change is acknowledged. The
//! journal is the truth; everything else in the state directory is derived from it.
//!
//! ```text
//! {dir}/lock                                 held by the daemon that uses the directory
//! {dir}/images.json                          the images pulled through the CRI API
//! {dir}/journal/clock                        offset of the daemon's steady clock
//! {dir}/journal/format                       number of the format of the other files
//! {dir}/journal/{first record}.jsonl         a segment: one record per line
//! {dir}/journal/{last record}.snapshot.jsonl the state after that record
//! {dir}/journal/{first record}.last          names the last segment; empty
//! {dir}/journal/damaged-{time}/              copies of files that a recovery gave up
//! ```
//!
//! The state is the newest snapshot and the records after it, applied in order. Records are
//! numbered without a gap and every line carries a CRC-32, so a missing line is noticed as
//! well as a damaged one. An append is one `write(2)` before the reply; [`Sync`] decides when
//! `fdatasync(2)` follows.
//!
//! A snapshot is made by a thread that reads closed segments and touches no live state. The
//! thread replays the segments as a restart would, but one sandbox after the other, having
//! first read which lines belong to sandboxes that still exist; so its memory holds the places
//! of lines and not the state.
//!
//! # Modules
//!
//! Writing: `journal` (the public handle), `writer` (all that appends share, under one lock),
//! `segment` (a file of whole lines), `removal_room` (space that removals need), `shared` (the threads that sync and compact), `sync`
//! (when appends are made durable), `stats`, `options`.
//!
//! Compaction: `compaction` (replaces segments by a snapshot), `compaction_policy` (when that
//! pays), `line_index` (which lines of the files the state consists of), `retry` (when a
//! failed compaction is tried again).
//!
//! Files: `directory` (names and listing), `format` (number of the format), `lock`, `document`
//! (a JSON file that is replaced as a whole), `snapshot` (reads and writes one), `record` (one
//! line of a segment), `checksum` (the CRC-32 at the end of a line).
//!
//! Reading: `load` (chooses the snapshot and the segments to read), `replay` (applies the
//! records of segments and judges what does not fit), `parallel_decode` (decodes the lines of
//! a file on several threads), `fold` (the state that lines are applied to), `offline` (reads
//! a journal that another process may write), `damage` and `report` (results of reading).
//!
//! Locks, channels and threads of the write end come from the crate `threads`, so that the
//! package `models` can run it under a scheduler. `parallel_decode` alone uses `std::thread`:
//! the models open journals too small for it.

mod checksum;
mod compaction;
mod compaction_policy;
mod damage;
mod directory;
mod document;
mod error;
mod file_error;
mod fold;
mod format;
mod journal;
mod line_index;
mod load;
mod lock;
mod offline;
mod options;
mod parallel_decode;
mod record;
mod removal_room;
mod replay;
mod report;
mod retry;
mod segment;
mod shared;
mod snapshot;
mod stats;
mod sync;
mod writer;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use damage::{Damage, Dropped};
pub use directory::{CLOCK, JOURNAL, TEMPORARY_CLOCK};
pub use document::{Document, IMAGES};
pub use error::JournalError;
pub use file_error::FileError;
pub use fold::Slots;
pub use journal::Journal;
pub use lock::{DirLock, LOCK};
pub use offline::read;
pub use options::Options;
pub use report::{Recovered, Report, TornTail};
pub use stats::JournalStats;
pub use sync::{InvalidSync, Sync};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
