//! Errors of reading.

use std::io;

use crate::Source;
use crate::tree::DecodeError;

/// Input that cannot be read or is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The input cannot be read.
    #[error("{file}: {error}")]
    Io {
        /// Name of the file.
        file: String,
        /// Cause.
        #[source]
        error: io::Error,
    },
    /// A value is wrong.
    #[error("{place}: {}{message}", prefix(field))]
    Wrong {
        /// Place of the value.
        place: Source,
        /// Path of the field within its object; empty for the object itself.
        field: String,
        /// Reason.
        message: String,
    },
    /// Two objects have one name.
    #[error("{place}: {object}: is there twice, first at {first}")]
    Twice {
        /// Place of the second object.
        place: Source,
        /// Place of the first object.
        first: Source,
        /// Kind and name.
        object: String,
    },
}

fn prefix(field: &str) -> String {
    if field.is_empty() {
        String::new()
    } else {
        format!("{field}: ")
    }
}

impl ReadError {
    /// Returns the error of a wrong value.
    pub fn wrong(place: Source, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Wrong {
            place,
            field: field.into(),
            message: message.into(),
        }
    }

    /// Returns the error of an input that cannot be read.
    pub fn io(file: &str, error: io::Error) -> Self {
        Self::Io {
            file: file.to_owned(),
            error,
        }
    }

    /// Puts the path of the enclosing value before that of the field.
    #[must_use]
    pub(crate) fn within(mut self, path: &str) -> Self {
        if let Self::Wrong { field, .. } = &mut self {
            let dot = if field.is_empty() || field.starts_with('[') {
                ""
            } else {
                "."
            };
            *field = format!("{path}{dot}{field}");
        }
        self
    }

    /// Returns the error of a wrong value of a document in a file.
    pub(crate) fn decode(file: &std::sync::Arc<str>, error: DecodeError) -> Self {
        let (line, field, message) = error.into_parts();
        let place = Source {
            file: file.clone(),
            line,
        };
        Self::wrong(place, field, message)
    }
}
