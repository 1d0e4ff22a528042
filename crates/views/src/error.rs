//! Errors of views.

use std::io;
use std::path::{Path, PathBuf};

use containerd_sandbox::Error;
use journal::is_out_of_space;

/// Reason why a view could not be changed or compared.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
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
    /// Another failure of the file system, or a thread that cannot be started.
    #[error("cannot {verb} {}: {source}", path.display())]
    Io {
        /// The step that failed, such as `write`.
        verb: &'static str,
        /// File or directory of the step.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// The resources have no JSON form.
    #[error("cannot encode a view: {0}")]
    Encode(serde_json::Error),
    /// The container's id cannot be the name of a directory.
    #[error(transparent)]
    Name(Error),
    /// The views have been stopped.
    #[error("the views are stopped")]
    Stopped,
}

impl ViewError {
    /// Sorts a failure of the file system into [`ViewError::NoSpace`] and [`ViewError::Io`].
    pub(super) fn io(verb: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (source, path) = (source.into(), path.to_owned());
        if is_out_of_space(&source) {
            Self::NoSpace { verb, path, source }
        } else {
            Self::Io { verb, path, source }
        }
    }

    /// Returns [`ViewError::io`] as a closure for `map_err`.
    pub(super) fn of<E: Into<io::Error>>(
        verb: &'static str,
        path: &Path,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::io(verb, path, source)
    }
}

impl From<ViewError> for Error {
    /// Gives a lack of space the code `ResourceExhausted` and other failures `Unavailable`.
    fn from(error: ViewError) -> Self {
        let message = error.to_string();
        match error {
            ViewError::NoSpace { .. } => Self::resource_exhausted(message),
            ViewError::Name(error) => error,
            ViewError::Io { .. } | ViewError::Encode(_) | ViewError::Stopped => {
                Self::unavailable(message)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;
    use rustix::io::Errno;

    #[test]
    fn only_a_lack_of_space_is_resource_exhausted() {
        for (errno, code) in [
            (Errno::NOSPC, Code::ResourceExhausted),
            (Errno::IO, Code::Unavailable),
        ] {
            let error = ViewError::io("write", Path::new("/x/y"), errno);
            assert!(error.to_string().contains("write /x/y"), "{error}");
            assert_eq!(Error::from(error).code(), code, "{errno:?}");
        }
    }
}
