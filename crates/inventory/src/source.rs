//! Places in the input, for messages.

use std::fmt;
use std::sync::Arc;

/// Place from which an object was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Source {
    /// Path of the file, as the user wrote it.
    pub file: Arc<str>,
    /// Line, from 1; 0 if the format has no lines.
    pub line: u64,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(&self.file),
            line => write!(f, "{}:{line}", self.file),
        }
    }
}
