//! What can be wrong with a log.

use std::io;
use std::path::PathBuf;

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("read {}", path.display())]
pub struct LogError {
    /// The log's file.
    pub path: PathBuf,
    /// What is wrong with it.
    #[source]
    pub source: LogProblem,
}

/// What is wrong with a log. Lines count from 1.
#[derive(Debug, thiserror::Error)]
pub enum LogProblem {
    /// It cannot be opened or read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is something else.
    #[error(
        "it is no HdrHistogram log: its first line must begin with \"#[Histogram log format version 1.\""
    )]
    Foreign,
    /// It is somebody else's.
    #[error("line {line} is not loadgen's: {reason}; only logs that loadgen wrote can be read")]
    NotOurs {
        /// Where.
        line: u64,
        /// Why not.
        reason: String,
    },
    /// It ends too early.
    #[error(
        "it is cut off {at}: {intervals} intervals are there, and its last line must say how many there are"
    )]
    Truncated {
        /// Where, in words.
        at: String,
        /// How many whole ones there are.
        intervals: u64,
    },
    /// A line is not what it should be.
    #[error("line {line} is malformed: {reason}")]
    Malformed {
        /// Which.
        line: u64,
        /// What is wrong, and what would be right.
        reason: String,
    },
}
