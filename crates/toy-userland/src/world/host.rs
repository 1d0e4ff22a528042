//! Files of the node, as far as a container's volumes show them. The crate only asks for them;
//! whoever makes a world decides whether and how they are read.

use std::fmt::Debug;
use std::time::SystemTime;

use super::error::FileError;

/// A look at one mounted directory or file of the node.
///
/// Paths are relative to the mounted directory, without `.`, `..` and doubled slashes; the empty
/// path is the directory or file itself. A call returns within a bounded time and with a bounded
/// result: a command of a container waits for it, and other commands with it.
pub trait HostFiles: Debug + Send + Sync {
    /// Describes a file. A link is followed if it stays below the mounted directory.
    ///
    /// # Errors
    /// [`FileError::NotFound`] for a path that does not exist, and for a link that leads out;
    /// [`FileError::InputOutput`] if the file cannot be looked at in time.
    fn look(&self, path: &str) -> Result<HostNode, FileError>;

    /// Returns the names in a directory, in any order and without `.` and `..`.
    ///
    /// # Errors
    /// As [`Self::look`]; [`FileError::NotADirectory`]; [`FileError::Overflow`] for a directory
    /// with too many names.
    fn list(&self, path: &str) -> Result<Vec<String>, FileError>;

    /// Returns the content of a regular file.
    ///
    /// # Errors
    /// As [`Self::look`]; [`FileError::TooLarge`]; [`FileError::Denied`] for anything else than a
    /// regular file.
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError>;

    /// Replaces the content of the mounted file itself. A volume calls this only if it was made
    /// by [`Volume::written_through`](super::Volume::written_through).
    ///
    /// # Errors
    /// [`FileError::ReadOnly`], unless the implementation writes at all.
    fn replace(&self, content: &[u8]) -> Result<(), FileError> {
        let _ = content;
        Err(FileError::ReadOnly)
    }
}

/// Type of a file of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKind {
    /// A directory.
    Directory,
    /// A regular file with this size in bytes.
    File(u64),
    /// A file that is never opened.
    Special(Special),
}

/// A file that is neither regular nor a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// A block device.
    Block,
    /// A character device.
    Character,
    /// A FIFO, fifo(7).
    Fifo,
    /// A Unix socket, unix(7).
    Socket,
}

/// Properties of a file of the node, inode(7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostNode {
    /// Type.
    pub kind: HostKind,
    /// Permission bits and the sticky bit.
    pub mode: u16,
    /// User id of the owner.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Time of the last change of the content.
    pub modified: SystemTime,
    /// Whether the file lies on another file system than the mounted directory, on one that is
    /// mounted below it.
    pub is_on_submount: bool,
}
