//! Error of a comparison.

use std::io;

use crate::record::hdr_log::LogError;
use crate::result::LoadError;

/// Failure to compare results.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A result cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The log beside a result cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The summary of repeated runs lists none.
    #[error("there is no run to compare: the field runs is empty, and must list one at least")]
    NoRun,
    /// The results differ in their conditions.
    #[error(
        "not comparable:\n  {}\n--anyway compares them nevertheless",
        differences.join("\n  ")
    )]
    Incomparable {
        /// All differing fields, with both values.
        differences: Vec<String>,
    },
    /// The comparison cannot be printed.
    #[error("print the comparison")]
    Print(#[from] io::Error),
}
