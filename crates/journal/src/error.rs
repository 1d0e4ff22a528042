//! Errors of the journal and of its directory.

use std::io;
use std::path::{Path, PathBuf};

use containerd_sandbox::Error;

use super::damage::Damage;
use super::file_error::FileError;

/// Reason why the journal could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A failure of the file system.
    #[error(transparent)]
    File(#[from] FileError),
    /// Another process holds the directory.
    #[error("{} is in use by another sandboxer{}", dir.display(), of_process(*pid))]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Process id of the holder, if the lock file states one.
        pid: Option<u32>,
    },
    /// Some records cannot be read, and opening the journal would lose them.
    #[error(
        "{damage}; a power cut can do that to what --sync had not made durable; \
         --recover would drop {} and keep the damaged files aside",
        damage.loss()
    )]
    Damaged {
        /// The places that cannot be used.
        damage: Box<Damage>,
    },
    /// A file beside the segments and snapshots cannot be read.
    #[error(
        "{}: {reason}; --recover would keep the damaged file aside and {remedy}",
        path.display()
    )]
    DamagedFile {
        /// The file.
        path: PathBuf,
        /// Reason in words.
        reason: String,
        /// Treatment of the directory without the file, in words.
        remedy: &'static str,
    },
    /// The journal was written by a version with another format.
    #[error("{} has format {format}, this version reads format {known}", path.display())]
    Format {
        /// The file that states the format.
        path: PathBuf,
        /// The stated format.
        format: u32,
        /// The format that this version reads.
        known: u32,
    },
    /// The directory holds no journal.
    #[error("{} holds no journal", .0.display())]
    NoJournal(PathBuf),
    /// The record is in the journal, but may not survive a power cut.
    #[error("the disk did not confirm record {seq} of the journal")]
    NotDurable {
        /// Sequence number of the record.
        seq: u64,
    },
    /// The change has no JSON form.
    #[error("cannot encode a record: {0}")]
    Encode(serde_json::Error),
    /// The journal has been closed.
    #[error("the journal is closed")]
    Closed,
}

fn of_process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

impl JournalError {
    /// Returns the failure of a step on a file, as [`FileError::new`] does.
    pub(super) fn io(verb: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        FileError::new(verb, path, source).into()
    }

    /// Returns [`JournalError::io`] as a closure for `map_err`.
    pub(super) fn of<E: Into<io::Error>>(
        verb: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::io(verb, path, source)
    }

    /// Returns whether the error is a missing file or directory.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::File(error) if error.is_not_found())
    }

    /// Returns whether the disk, a quota or the largest file size is used up.
    pub(super) fn is_out_of_space(&self) -> bool {
        matches!(self, Self::File(error) if error.is_out_of_space())
    }
}

impl From<JournalError> for Error {
    /// Gives a lack of space the code `ResourceExhausted` and other failures `Unavailable`.
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::File(error) => error.into(),
            JournalError::Locked { .. }
            | JournalError::Damaged { .. }
            | JournalError::DamagedFile { .. }
            | JournalError::Format { .. }
            | JournalError::NoJournal(_)
            | JournalError::NotDurable { .. }
            | JournalError::Encode(_)
            | JournalError::Closed => Self::unavailable(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    #[test]
    fn a_closed_journal_is_unavailable() {
        let closed = Error::from(JournalError::Closed);
        assert_eq!(closed.code(), Code::Unavailable);
    }

    #[test]
    fn a_lock_error_names_directory_and_holder() {
        let locked = |pid| JournalError::Locked {
            dir: "/d".into(),
            pid,
        };
        assert_eq!(
            locked(Some(7)).to_string(),
            "/d is in use by another sandboxer (pid 7)"
        );
        assert_eq!(
            locked(None).to_string(),
            "/d is in use by another sandboxer"
        );
    }
}
