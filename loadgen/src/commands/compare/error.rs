//! Reasons for which two results are not compared.

use std::io;

use crate::record::hdr_log::LogError;
use crate::result::LoadError;

/// Two results cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// A result cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The log beside a result cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// They are not about the same.
    #[error(
        "not comparable:\n  {}\n--anyway compares them nevertheless",
        differences.join("\n  ")
    )]
    Incomparable {
        /// Every field that differs, with both values.
        differences: Vec<String>,
    },
    /// The comparison cannot be printed.
    #[error("print the comparison")]
    Print(#[from] io::Error),
}
