//! Durable state: the journal is the truth, views are derived from it.
//!
//! ```text
//! {dir}/lock                                        who has the directory
//! {dir}/journal/format                              the number of the files' format
//! {dir}/journal/{first record}.jsonl                a segment: one change a line
//! {dir}/journal/{last record}.snapshot.jsonl        the state after that record
//! {dir}/{sandbox}/resource_info.json                a view
//! {dir}/{sandbox}/containers/{id}/resource_info.json
//! {dir}/.spare/                                     where views are written first
//! ```
//!
//! The state is the newest snapshot and the records after it, folded. Records
//! are numbered without a gap and every line carries a checksum, so nothing can
//! go missing unnoticed. In an append, `write(2)` comes before the reply;
//! whether the disk has it, too, is [`Sync`]'s choice.

mod compaction;
mod damage;
mod directory;
mod document;
mod error;
mod fold;
mod format;
mod journal;
mod line;
mod lines;
mod lock;
mod places;
mod read;
mod record;
mod recovery;
mod replay;
mod report;
mod retry;
mod segment;
mod shared;
mod snapshot;
mod stats;
mod sync;
mod worth;
mod writer;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use damage::{Damage, Dropped};
pub use directory::JOURNAL;
pub use document::{Document, IMAGES};
pub use error::StoreError;
pub use fold::Slots;
pub use journal::{Journal, Options, Recovered};
pub use lock::{DirLock, LOCK};
pub use read::read;
pub use report::{Report, TornTail};
pub use stats::JournalStats;
pub use sync::{InvalidSync, Sync};
