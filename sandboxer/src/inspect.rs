//! `inspect`: the contents of a directory's journal, for people and for tools.
//!
//! Reads without locking, so it works beside a running daemon and after one.
//!
//! `table` prints for people, `json` for tools, and `totals` sums over slots.

use std::io::{self, Write};
use std::path::PathBuf;

use journal::{self, JournalError};
use slot::Timestamp;

mod json;
mod table;
#[cfg(test)]
mod tests;
mod totals;

pub use totals::{Totals, TotalsByState};

/// Selection of what is shown, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// Directory of the journal.
    pub dir: PathBuf,
    /// Whether everything is printed as one JSON object; then the other fields are ignored.
    pub json: bool,
    /// Whether each container gets a row.
    pub containers: bool,
    /// Whether ids are shown in full.
    pub full_ids: bool,
}

/// Errors of `inspect`.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The journal cannot be read.
    #[error(transparent)]
    Store(#[from] JournalError),
    /// The output cannot be written.
    #[error("write the output: {0}")]
    Output(#[from] io::Error),
}

/// Shows the contents of the journal. Damage to the journal is shown and is no error.
///
/// # Errors
/// If the journal does not exist or cannot be read, or `out` fails.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), InspectError> {
    let found = journal::read(&options.dir)?;
    if options.json {
        json::write(&options.dir, &found, out)?;
    } else {
        table::write(&found, options, Timestamp::now(), out)?;
    }
    out.flush()?;
    Ok(())
}
