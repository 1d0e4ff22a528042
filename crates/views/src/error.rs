//! Errors of views.

use std::io;
use std::path::Path;

use containerd_sandbox::Error;
use journal::FileError;

/// Reason why a view could not be changed or compared.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// A failure of the file system, or a thread that cannot be started.
    #[error(transparent)]
    File(#[from] FileError),
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
    /// Returns the failure of a step on a file, as [`FileError::new`] does.
    pub(super) fn io(verb: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        FileError::new(verb, path, source).into()
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
        match error {
            ViewError::File(error) => error.into(),
            ViewError::Name(error) => error,
            ViewError::Encode(_) | ViewError::Stopped => Self::unavailable(error.to_string()),
        }
    }
}
