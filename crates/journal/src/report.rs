//! Result of reading a journal, for the log and for `inspect`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::damage::Dropped;
use super::fold::Slots;

/// State and report of a journal that was read.
#[derive(Debug)]
pub struct Recovered {
    /// Every sandbox.
    pub slots: Slots,
    /// Report of the reading.
    pub report: Report,
}

/// Report of reading a journal.
///
/// [`fmt::Display`] gives one line; [`Report::warnings`] gives a message for each defect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Number of sandboxes.
    pub sandboxes: usize,
    /// Sequence number of the last record; 0 if there is none.
    pub last_seq: u64,
    /// Record after which the snapshot was taken; `None` if no snapshot was read.
    pub snapshot: Option<u64>,
    /// Segments that were read after the snapshot.
    pub segments: usize,
    /// Records in those segments.
    pub records: u64,
    /// Remains of an unfinished append at the end.
    pub torn: Option<TornTail>,
    /// Places that could not be used.
    pub dropped: Vec<Dropped>,
    /// Damaged snapshots that were not needed.
    pub damaged_snapshots: Vec<PathBuf>,
    /// Entries of the journal's directory that are not files of the journal.
    pub foreign: Vec<PathBuf>,
    /// Duration of the reading.
    pub took: Duration,
}

/// Remains of an append that did not finish and was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment.
    pub file: PathBuf,
    /// Number of the line, counted from 1.
    pub line: u64,
    /// Length in bytes.
    pub bytes: u64,
}

impl Report {
    /// Returns one message for each defect.
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
            let records = match (dropped.records, dropped.open_ended) {
                (0, true) => "an unknown number of".to_owned(),
                (n, true) => format!("{n} or more"),
                (n, false) => n.to_string(),
            };
            all.push(format!("{dropped}: {records} records{of} lost"));
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
