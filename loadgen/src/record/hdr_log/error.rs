//! Errors in a log.

use std::io;
use std::path::PathBuf;

/// Reason for which a log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("read {}", path.display())]
pub struct LogError {
    /// Path of the log.
    pub path: PathBuf,
    /// Mistake in the log.
    #[source]
    pub source: LogProblem,
}

/// Mistake in a log. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum LogProblem {
    /// The file cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file is no HdrHistogram log.
    #[error(
        "it is no HdrHistogram log: its first line must begin with \"#[Histogram log format version 1.\""
    )]
    Foreign,
    /// Another program wrote the log.
    #[error("line {line} is not loadgen's: {reason}; only logs that loadgen wrote can be read")]
    NotOurs {
        /// Number of the line.
        line: u64,
        /// Difference from the logs of loadgen.
        reason: String,
    },
    /// The log ends too early.
    #[error(
        "it is cut off {at}: {intervals} intervals are complete, and its last line, with their number, is missing"
    )]
    Truncated {
        /// Description of the place.
        at: String,
        /// Number of complete intervals.
        intervals: u64,
    },
    /// A line does not have the required form.
    #[error("line {line} is malformed: {reason}")]
    Malformed {
        /// Number of the line.
        line: u64,
        /// Description of the mistake and of the required form.
        reason: String,
    },
}
