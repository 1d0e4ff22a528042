//! Failures of the file system, shared by the journal and the views.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use containerd_sandbox::Error;
use rustix::io::Errno;

/// Failure of a step on one file or directory, or of the start of a thread.
#[derive(Debug, thiserror::Error)]
pub struct FileError {
    /// The step that failed, such as `write`.
    verb: &'static str,
    /// File or directory of the step.
    path: PathBuf,
    /// Error of the system. It is no `source`, because the message contains it.
    cause: io::Error,
}

impl FileError {
    /// Returns the failure of the step `verb`, such as `write`, on `path`.
    pub fn new(verb: &'static str, path: &Path, cause: impl Into<io::Error>) -> Self {
        Self {
            verb,
            path: path.to_owned(),
            cause: cause.into(),
        }
    }

    /// Returns whether the disk, a quota or the largest file size is used up.
    ///
    /// `EFBIG` counts because it passes when the limit is raised or files are truncated.
    pub fn is_out_of_space(&self) -> bool {
        let errno = self.cause.raw_os_error().map(Errno::from_raw_os_error);
        matches!(errno, Some(Errno::NOSPC | Errno::DQUOT | Errno::FBIG))
    }

    /// Returns whether the file or directory does not exist.
    pub fn is_not_found(&self) -> bool {
        self.cause.kind() == io::ErrorKind::NotFound
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let failed = if self.is_out_of_space() {
            "no space to"
        } else {
            "cannot"
        };
        let (verb, path, cause) = (self.verb, self.path.display(), &self.cause);
        write!(f, "{failed} {verb} {path}: {cause}")
    }
}

impl From<FileError> for Error {
    /// Gives a lack of space the code `ResourceExhausted` and other failures `Unavailable`.
    fn from(error: FileError) -> Self {
        let message = error.to_string();
        if error.is_out_of_space() {
            Self::resource_exhausted(message)
        } else {
            Self::unavailable(message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    #[test]
    fn a_chain_of_causes_tells_the_systems_error_once() {
        let error = FileError::new("open", Path::new("/x"), Errno::ACCESS);
        assert_eq!(error.to_string().matches("os error 13").count(), 1);
        assert!(std::error::Error::source(&error).is_none());
    }

    #[test]
    fn only_a_lack_of_space_is_resource_exhausted() {
        for (errno, code, failed) in [
            (Errno::NOSPC, Code::ResourceExhausted, "no space to"),
            (Errno::DQUOT, Code::ResourceExhausted, "no space to"),
            (Errno::FBIG, Code::ResourceExhausted, "no space to"),
            (Errno::IO, Code::Unavailable, "cannot"),
            (Errno::ROFS, Code::Unavailable, "cannot"),
            (Errno::MFILE, Code::Unavailable, "cannot"),
        ] {
            let error = FileError::new("write", Path::new("/x/y"), errno);
            let shown = error.to_string();
            assert!(
                shown.starts_with(&format!("{failed} write /x/y: ")),
                "{shown}"
            );
            assert_eq!(Error::from(error).code(), code, "{errno:?}");
        }
    }
}
