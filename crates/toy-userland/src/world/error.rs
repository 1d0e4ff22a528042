//! Why a file cannot be had, in the words of strerror(3).

/// An error of the file tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// `ENOENT`
    #[error("No such file or directory")]
    NotFound,
    /// `EEXIST`
    #[error("File exists")]
    Exists,
    /// `ENOTDIR`
    #[error("Not a directory")]
    NotADirectory,
    /// `EISDIR`
    #[error("Is a directory")]
    IsADirectory,
    /// `ENOTEMPTY`
    #[error("Directory not empty")]
    NotEmpty,
    /// `EACCES`
    #[error("Permission denied")]
    Denied,
    /// `EPERM`
    #[error("Operation not permitted")]
    NotPermitted,
    /// `EROFS`
    #[error("Read-only file system")]
    ReadOnly,
    /// `EBUSY`
    #[error("Resource busy")]
    Busy,
    /// `EINVAL`
    #[error("Invalid argument")]
    Invalid,
    /// `ENAMETOOLONG`
    #[error("File name too long")]
    NameTooLong,
    /// `ENOSPC`: the world's bytes or files are used up.
    #[error("No space left on device")]
    NoSpace,
}
