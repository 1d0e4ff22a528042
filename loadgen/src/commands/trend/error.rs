//! Error of a trend.

use std::io;
use std::path::PathBuf;

use crate::result::LoadError;
use crate::result::directory::SaveError;

/// Failure to find changes.
#[derive(Debug, thiserror::Error)]
pub enum TrendError {
    /// A result cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A directory cannot be read.
    #[error("read the directory {}", path.display())]
    Directory {
        /// Path of the directory.
        path: PathBuf,
        /// Error of the file system.
        #[source]
        source: io::Error,
    },
    /// There is no result with figures in the directory.
    #[error(
        "{} has no result with figures: wanted a result of run, gate, search or density, or a \
         directory of such results",
        path.display()
    )]
    Empty {
        /// Path of the directory.
        path: PathBuf,
    },
    /// The output cannot be written to a file.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The output cannot be printed.
    #[error("print the trend")]
    Print(#[from] io::Error),
}
