//! What can go wrong between a change and the disk.

use std::io;
use std::path::{Path, PathBuf};

use containerd_sandbox::Error;
use rustix::io::Errno;

use super::damage::Damage;

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, a quota or the largest file size is used up.
    #[error("no space to {verb} {}: {source}", path.display())]
    NoSpace {
        /// What was to be done.
        verb: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Another failure of the file system.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// What was to be done.
        verb: &'static str,
        /// To which file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// Another process holds the directory.
    #[error("{} is in use by another sandboxer{}", dir.display(), of_process(*pid))]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// The holder's process id, if its lock file says.
        pid: Option<u32>,
    },
    /// The journal cannot be read without a loss.
    #[error(
        "{damage}; a power cut can do that to what --sync had not made durable; \
         --recover would drop {} and keep the damaged files aside",
        damage.loss()
    )]
    Damaged {
        /// Where and what.
        damage: Box<Damage>,
    },
    /// The journal was written by another version.
    #[error("{} has format {format}, this version reads format {known}", path.display())]
    Format {
        /// The file that says so.
        path: PathBuf,
        /// Its format.
        format: u32,
        /// The one that can be read.
        known: u32,
    },
    /// There is no journal to read.
    #[error("{} holds no journal", .0.display())]
    NoJournal(PathBuf),
    /// The record is in the journal, but may not survive a power cut.
    #[error("the disk did not confirm record {seq} of the journal")]
    NotDurable {
        /// The record.
        seq: u64,
    },
    /// The change has no JSON form.
    #[error("cannot encode a record: {0}")]
    Encode(serde_json::Error),
    /// A path would be built of this.
    #[error(transparent)]
    Name(Error),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

fn of_process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (pid {pid})"))
}

impl StoreError {
    /// Sorts a failure of the file system. `EFBIG` counts as "no space", for it
    /// passes when a limit is raised or files are truncated.
    pub fn io(verb: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let path = path.to_owned();
        match source.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG) => Self::NoSpace { verb, path, source },
            _ => Self::Io { verb, path, source },
        }
    }

    /// For `map_err`.
    pub fn of<E: Into<io::Error>>(verb: &'static str, path: &Path) -> impl FnOnce(E) -> Self {
        move |source| Self::io(verb, path, source)
    }

    /// Whether a file or directory was not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::NoSpace { .. } => Self::resource_exhausted(message),
            StoreError::Name(error) => error,
            StoreError::Io { .. }
            | StoreError::Locked { .. }
            | StoreError::Damaged { .. }
            | StoreError::Format { .. }
            | StoreError::NoJournal(_)
            | StoreError::NotDurable { .. }
            | StoreError::Encode(_)
            | StoreError::Closed => Self::unavailable(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    #[test]
    fn only_used_up_space_is_resource_exhausted() {
        for (errno, code) in [
            (Errno::NOSPC, Code::ResourceExhausted),
            (Errno::DQUOT, Code::ResourceExhausted),
            (Errno::FBIG, Code::ResourceExhausted),
            (Errno::IO, Code::Unavailable),
            (Errno::ROFS, Code::Unavailable),
            (Errno::MFILE, Code::Unavailable),
        ] {
            let error = StoreError::io("write", Path::new("/x/y"), errno);
            assert!(error.to_string().contains("write /x/y"), "{error}");
            assert_eq!(Error::from(error).code(), code, "{errno:?}");
        }
        assert_eq!(Error::from(StoreError::Closed).code(), Code::Unavailable);
    }

    #[test]
    fn a_lock_error_names_directory_and_holder() {
        let locked = |pid| StoreError::Locked {
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
