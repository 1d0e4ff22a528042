//! What reading the journal came to, for the log and for `inspect`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::damage::Dropped;

/// What reading the journal came to. [`fmt::Display`] is one line;
/// [`Report::warnings`] are the things someone should know of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many sandboxes there are.
    pub sandboxes: usize,
    /// The last record's sequence number, 0 if there is none.
    pub last_seq: u64,
    /// The record after which the snapshot was taken, if there was one.
    pub snapshot: Option<u64>,
    /// How many segments were read after it.
    pub segments: usize,
    /// How many records they held.
    pub records: u64,
    /// What an unfinished append had left at the end.
    pub torn: Option<TornTail>,
    /// What could not be used and was given up.
    pub dropped: Vec<Dropped>,
    /// Damaged snapshots that could be done without.
    pub damaged_snapshots: Vec<PathBuf>,
    /// Files in the journal's directory that are not the journal's.
    pub foreign: Vec<PathBuf>,
    /// How long it took.
    pub took: Duration,
}

/// The remains of an append that did not finish; it was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u64,
    /// How many bytes.
    pub bytes: u64,
}

impl Report {
    /// One message for each thing that is not as it should be.
    pub fn warnings(&self) -> Vec<String> {
        let mut all = Vec::new();
        if let Some(torn) = &self.torn {
            all.push(format!(
                "{}, line {}: an append did not finish, its {} bytes are left out",
                torn.file.display(),
                torn.line,
                torn.bytes
            ));
        }
        for dropped in &self.dropped {
            let sandboxes: Vec<String> =
                dropped.sandboxes.iter().map(ToString::to_string).collect();
            let of = if sandboxes.is_empty() {
                String::new()
            } else {
                format!(" of {}", sandboxes.join(", "))
            };
            all.push(format!("{dropped}: {} records{of} lost", dropped.records));
        }
        for path in &self.damaged_snapshots {
            all.push(format!("{} is damaged and was not needed", path.display()));
        }
        for path in &self.foreign {
            all.push(format!("{} is not a journal's file", path.display()));
        }
        all
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sandboxes from ", self.sandboxes)?;
        if let Some(seq) = self.snapshot {
            write!(f, "the snapshot of record {seq} and ")?;
        }
        write!(
            f,
            "{} records in {} segments, in {:?}",
            self.records, self.segments, self.took
        )
    }
}
