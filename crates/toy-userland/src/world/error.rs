//! Errors of the file tree, with the messages of strerror(3).

/// Reason for which an operation on a file failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// `ENOENT`: the path, or a directory above it, does not exist.
    #[error("No such file or directory")]
    NotFound,
    /// `EEXIST`: the path exists already.
    #[error("File exists")]
    Exists,
    /// `ENOTDIR`: the path, or a part of it, is a file.
    #[error("Not a directory")]
    NotADirectory,
    /// `EISDIR`: the operation needs a file.
    #[error("Is a directory")]
    IsADirectory,
    /// `ENOTEMPTY`: only an empty directory can be removed.
    #[error("Directory not empty")]
    NotEmpty,
    /// `EACCES`: the permission bits forbid the operation.
    #[error("Permission denied")]
    Denied,
    /// `EPERM`: only the owner or root may do this, or the file is a built-in program.
    #[error("Operation not permitted")]
    NotPermitted,
    /// `EROFS`: the mount is read-only.
    #[error("Read-only file system")]
    ReadOnly,
    /// `EBUSY`: the path is a mount point or the root.
    #[error("Resource busy")]
    Busy,
    /// `EINVAL`: a directory cannot be moved into itself.
    #[error("Invalid argument")]
    Invalid,
    /// `ENAMETOOLONG`: the path has more than 4,095 bytes.
    #[error("File name too long")]
    NameTooLong,
    /// `ENXIO`: a device or socket of the node, which nothing opens.
    #[error("No such device or address")]
    NoDevice,
    /// `EIO`: a file of the node could not be read in time.
    #[error("I/O error")]
    InputOutput,
    /// `EFBIG`: a file of the node is too large to be read.
    #[error("File too large")]
    TooLarge,
    /// `EOVERFLOW`: a directory of the node has too many names.
    #[error("Value too large for defined data type")]
    Overflow,
    /// `ENOMEM`: the files of the node that are open at once are too large.
    #[error("Out of memory")]
    NoMemory,
    /// `ENOSPC`: the world's capacity in bytes or files is used up.
    #[error("No space left on device")]
    NoSpace,
}
