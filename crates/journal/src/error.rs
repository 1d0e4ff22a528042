//! Errors of the journal and of its directory.

use std::io;
use std::path::{Path, PathBuf};

use containerd_sandbox::Error;
use rustix::io::Errno;

use super::damage::Damage;

/// Reason why the journal could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk, a quota or the largest file size is used up.
    #[error("no space to {verb} {}: {source}", path.display())]
    NoSpace {
        /// The step that failed, such as `write`.
        verb: &'static str,
        /// File or directory of the step.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// Another failure of the file system.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// The step that failed, such as `write`.
        verb: &'static str,
        /// File or directory of the step.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
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

/// Returns whether `error` says that a disk, a quota or the largest file size is used up.
///
/// `EFBIG` is one of these errors because it passes when the limit is raised or files are
/// truncated.
pub fn is_out_of_space(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG))
}

fn of_process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

impl JournalError {
    /// Sorts a failure of the file system into [`JournalError::NoSpace`] and
    /// [`JournalError::Io`].
    pub(super) fn io(verb: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (source, path) = (source.into(), path.to_owned());
        if is_out_of_space(&source) {
            Self::NoSpace { verb, path, source }
        } else {
            Self::Io { verb, path, source }
        }
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
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl From<JournalError> for Error {
    /// Gives a lack of space the code `ResourceExhausted` and other failures `Unavailable`.
    fn from(error: JournalError) -> Self {
        let message = error.to_string();
        match error {
            JournalError::NoSpace { .. } => Self::resource_exhausted(message),
            JournalError::Io { .. }
            | JournalError::Locked { .. }
            | JournalError::Damaged { .. }
            | JournalError::Format { .. }
            | JournalError::NoJournal(_)
            | JournalError::NotDurable { .. }
            | JournalError::Encode(_)
            | JournalError::Closed => Self::unavailable(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    #[test]
    fn only_a_lack_of_space_is_resource_exhausted() {
        for (errno, code) in [
            (Errno::NOSPC, Code::ResourceExhausted),
            (Errno::DQUOT, Code::ResourceExhausted),
            (Errno::FBIG, Code::ResourceExhausted),
            (Errno::IO, Code::Unavailable),
            (Errno::ROFS, Code::Unavailable),
            (Errno::MFILE, Code::Unavailable),
        ] {
            let error = JournalError::io("write", Path::new("/x/y"), errno);
            assert!(error.to_string().contains("write /x/y"), "{error}");
            assert_eq!(Error::from(error).code(), code, "{errno:?}");
        }
        assert_eq!(Error::from(JournalError::Closed).code(), Code::Unavailable);
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
