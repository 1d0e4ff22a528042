//! Nodes of the file tree: files, directories, devices and programs.

use std::sync::Arc;
use std::time::SystemTime;

use super::host::{HostKind, HostNode, Special};
use super::user::User;

/// A character device in `/dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Device {
    Null,
    Zero,
    Random,
    Full,
}

/// Kind of a node, with the content of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NodeKind {
    Directory,
    /// Content of a regular file. Open readers share it, and see the content at their opening.
    File(Arc<Vec<u8>>),
    /// A regular file of the node that was looked at and not read, with its size in bytes.
    Unread(u64),
    Device(Device),
    /// A device, FIFO or socket of the node, which nothing opens.
    Special(Special),
    /// A built-in program.
    Program,
}

/// A file, directory, device or program in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// Permission bits and the sticky bit.
    pub(crate) mode: u16,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) modified: SystemTime,
}

impl Node {
    pub(crate) fn is_directory(&self) -> bool {
        self.kind == NodeKind::Directory
    }

    /// Returns whether the node is a regular file.
    pub(crate) fn is_file(&self) -> bool {
        matches!(
            self.kind,
            NodeKind::File(_) | NodeKind::Unread(_) | NodeKind::Program
        )
    }

    /// Returns the bytes that count towards the capacity, besides the path.
    pub(super) fn content_bytes(&self) -> usize {
        match &self.kind {
            NodeKind::File(content) => content.len(),
            NodeKind::Directory
            | NodeKind::Unread(_)
            | NodeKind::Device(_)
            | NodeKind::Special(_)
            | NodeKind::Program => 0,
        }
    }

    /// Returns the size that `ls` and `stat` show, in bytes. A directory has one block of 4,096.
    pub(crate) fn size(&self) -> u64 {
        match self.kind {
            NodeKind::Directory => 4096,
            NodeKind::Unread(size) => size,
            _ => u64::try_from(self.content_bytes()).unwrap_or(u64::MAX),
        }
    }

    /// Returns whether a user has the permissions: 4 to read, 2 to write, 1 to execute, or a sum
    /// of these. Root has all, but to execute a file takes at least one execute bit.
    pub(crate) fn allows(&self, user: &User, wanted: u16) -> bool {
        if user.uid == 0 {
            return wanted & 1 == 0 || self.is_directory() || self.mode & 0o111 != 0;
        }
        let shift = match () {
            () if self.uid == user.uid => 6,
            () if user.is_in(self.gid) => 3,
            () => 0,
        };
        (self.mode >> shift) & wanted == wanted
    }
}

impl From<HostNode> for Node {
    fn from(host: HostNode) -> Self {
        Self {
            kind: match host.kind {
                HostKind::Directory => NodeKind::Directory,
                HostKind::File(size) => NodeKind::Unread(size),
                HostKind::Special(special) => NodeKind::Special(special),
            },
            mode: host.mode,
            uid: host.uid,
            gid: host.gid,
            modified: host.modified,
        }
    }
}
