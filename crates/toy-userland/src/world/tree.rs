//! The file tree of a container, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::error::FileError;
use super::mounts::{Mount, mount_of};
use super::path::{is_within, join, parent};
use super::user::User;

/// Directories of programs, in the order of the usual `PATH`.
pub(crate) const PROGRAM_DIRECTORIES: [&str; 6] = [
    "/usr/local/sbin",
    "/usr/local/bin",
    "/usr/sbin",
    "/usr/bin",
    "/sbin",
    "/bin",
];

/// Most bytes of a path: Linux's `PATH_MAX` of 4,096 counts the final NUL.
const MAX_PATH_BYTES: usize = 4095;

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
    Device(Device),
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

    /// Returns the bytes that count towards the capacity, besides the path.
    fn content_bytes(&self) -> usize {
        match &self.kind {
            NodeKind::File(content) => content.len(),
            NodeKind::Directory | NodeKind::Device(_) | NodeKind::Program => 0,
        }
    }

    /// Returns the size that `ls` and `stat` show, in bytes. A directory has one block of 4,096.
    pub(crate) fn size(&self) -> usize {
        match self.kind {
            NodeKind::Directory => 4096,
            _ => self.content_bytes(),
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

/// Most bytes and files of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) bytes: usize,
    pub(crate) files: usize,
}

/// Treatment of a file's content at its opening for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenMode {
    Truncate,
    Append,
}

/// Nodes by absolute path. All paths have the form that [`super::path::absolute`] returns.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
    bytes: usize,
    capacity: Capacity,
    mounts: Vec<Mount>,
    programs: &'static [&'static str],
    made: SystemTime,
}

impl Tree {
    pub(crate) fn new(
        capacity: Capacity,
        mounts: Vec<Mount>,
        programs: &'static [&'static str],
        made: SystemTime,
    ) -> Self {
        let mut tree = Self {
            nodes: BTreeMap::new(),
            bytes: 0,
            capacity,
            mounts,
            programs,
            made,
        };
        let root = tree.directory(0o755);
        tree.insert("/".to_owned(), root);
        tree
    }

    fn directory(&self, mode: u16) -> Node {
        Node {
            kind: NodeKind::Directory,
            mode,
            uid: 0,
            gid: 0,
            modified: self.made,
        }
    }

    /// Places a node of the image or of a volume, with the missing directories above it. Mounts
    /// and capacity do not limit this. A file that would replace a directory, and a node below a
    /// file, are left out.
    pub(crate) fn place(&mut self, path: &str, node: Node) {
        let mut missing = Vec::new();
        let mut above = parent(path);
        while !self.nodes.contains_key(above) {
            missing.push(above.to_owned());
            above = parent(above);
        }
        let directory_at = |path: &str| self.nodes.get(path).map(Node::is_directory);
        let in_the_way = directory_at(path) == Some(true) && !node.is_directory();
        if in_the_way || directory_at(above) == Some(false) {
            return;
        }
        for directory in missing {
            let node = self.directory(0o755);
            self.insert(directory, node);
        }
        self.take(path);
        self.insert(path.to_owned(), node);
    }

    /// Inserts a node at a path that has none.
    fn insert(&mut self, path: String, node: Node) {
        self.bytes += path.len() + node.content_bytes();
        self.nodes.insert(path, node);
    }

    fn take(&mut self, path: &str) -> Option<Node> {
        let node = self.nodes.remove(path)?;
        self.bytes -= path.len() + node.content_bytes();
        Some(node)
    }

    /// Places a directory, unless the path exists.
    pub(crate) fn place_directory(&mut self, path: &str, mode: u16) {
        if !self.nodes.contains_key(path) {
            self.place(path, self.directory(mode));
        }
    }

    /// Returns whether a built-in program has this name.
    pub(crate) fn is_program(&self, name: &str) -> bool {
        self.programs.contains(&name)
    }

    pub(crate) fn mounts(&self) -> &[Mount] {
        &self.mounts
    }

    pub(crate) fn capacity(&self) -> Capacity {
        self.capacity
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the node at a path; `None` for any error of [`Self::look`].
    pub(crate) fn find(&self, path: &str) -> Option<Node> {
        self.look(path).ok()
    }

    /// Returns the node at a path.
    pub(crate) fn look(&self, path: &str) -> Result<Node, FileError> {
        if let Some(node) = self.nodes.get(path) {
            return Ok(node.clone());
        }
        if path.len() > MAX_PATH_BYTES {
            return Err(FileError::NameTooLong);
        }
        let directory = parent(path);
        let name = &path[directory.len()..];
        if PROGRAM_DIRECTORIES.contains(&directory) && self.is_program(name.trim_start_matches('/'))
        {
            return Ok(Node {
                kind: NodeKind::Program,
                ..self.directory(0o755)
            });
        }
        self.check_parent(path)?;
        Err(FileError::NotFound)
    }

    fn check_parent(&self, path: &str) -> Result<&Node, FileError> {
        let mut above = parent(path);
        loop {
            match self.nodes.get(above) {
                Some(node) if !node.is_directory() => return Err(FileError::NotADirectory),
                Some(node) if above == parent(path) => return Ok(node),
                Some(_) => return Err(FileError::NotFound),
                None => above = parent(above),
            }
        }
    }

    /// Returns the node of a file that the user may read.
    pub(crate) fn read(&self, path: &str, user: &User) -> Result<Node, FileError> {
        let node = self.look(path)?;
        match node.kind {
            NodeKind::Directory => Err(FileError::IsADirectory),
            _ if !node.allows(user, 4) => Err(FileError::Denied),
            _ => Ok(node),
        }
    }

    /// Returns the names in a directory that the user may read, in order.
    pub(crate) fn list(&self, path: &str, user: &User) -> Result<Vec<String>, FileError> {
        let node = self.look(path)?;
        if !node.is_directory() {
            return Err(FileError::NotADirectory);
        }
        if !node.allows(user, 4) {
            return Err(FileError::Denied);
        }
        let prefix = join(path, "");
        let mut names = Vec::new();
        let mut below = self.nodes.range(prefix.clone()..);
        while let Some((path, _)) = below.next() {
            let Some(name) = path.strip_prefix(&prefix) else {
                break;
            };
            match name.split_once('/') {
                // The paths below a directory are passed over: `0` follows `/`.
                Some((directory, _)) => {
                    below = self.nodes.range(format!("{prefix}{directory}0")..);
                }
                None if name.is_empty() => {}
                None => names.push(name.to_owned()),
            }
        }
        if path == "/bin" {
            names.extend(self.programs.iter().map(ToString::to_string));
            names.sort();
            names.dedup();
        }
        Ok(names)
    }

    fn check_writable(&self, path: &str) -> Result<(), FileError> {
        match mount_of(&self.mounts, path) {
            Some(mount) if mount.is_read_only() => Err(FileError::ReadOnly),
            _ => Ok(()),
        }
    }

    /// Checks that the user may add a name to the directory of a path, or remove one from it.
    fn check_directory(&self, path: &str, user: &User) -> Result<(), FileError> {
        let directory = self.check_parent(path)?;
        if !directory.allows(user, 3) {
            return Err(FileError::Denied);
        }
        self.check_writable(path)
    }

    fn insert_new(
        &mut self,
        path: &str,
        kind: NodeKind,
        mode: u16,
        user: &User,
        now: SystemTime,
    ) -> Result<(), FileError> {
        if path.len() > MAX_PATH_BYTES {
            return Err(FileError::NameTooLong);
        }
        self.check_directory(path, user)?;
        let room = self.capacity.bytes.saturating_sub(self.bytes);
        if self.nodes.len() >= self.capacity.files || path.len() > room {
            return Err(FileError::NoSpace);
        }
        let node = Node {
            kind,
            mode,
            uid: user.uid,
            gid: user.gid,
            modified: now,
        };
        self.insert(path.to_owned(), node);
        Ok(())
    }

    /// Opens a file for writing, and makes it if there is none.
    pub(crate) fn open(
        &mut self,
        path: &str,
        open_mode: OpenMode,
        user: &User,
        now: SystemTime,
    ) -> Result<(), FileError> {
        match self.look(path) {
            Ok(node) if node.is_directory() => return Err(FileError::IsADirectory),
            Ok(node) if !node.allows(user, 2) => return Err(FileError::Denied),
            Ok(node) if node.kind == NodeKind::Program => return Err(FileError::Denied),
            Ok(_) => {}
            Err(FileError::NotFound) => {
                return self.insert_new(path, NodeKind::File(Arc::default()), 0o644, user, now);
            }
            Err(error) => return Err(error),
        }
        let Some(node) = self.nodes.get(path) else {
            return Err(FileError::NotFound);
        };
        if matches!(node.kind, NodeKind::Device(_)) {
            return Ok(());
        }
        self.check_writable(path)?;
        if open_mode == OpenMode::Truncate {
            self.empty(path, now);
        }
        Ok(())
    }

    /// Appends to a file that was opened for writing.
    pub(crate) fn append(
        &mut self,
        path: &str,
        bytes: &[u8],
        now: SystemTime,
    ) -> Result<(), FileError> {
        let room = self.capacity.bytes.saturating_sub(self.bytes);
        let node = self.nodes.get_mut(path).ok_or(FileError::NotFound)?;
        match &mut node.kind {
            NodeKind::Directory => Err(FileError::IsADirectory),
            NodeKind::Device(Device::Full) => Err(FileError::NoSpace),
            NodeKind::Device(_) => Ok(()),
            NodeKind::Program => Err(FileError::Denied),
            NodeKind::File(_) if bytes.len() > room => Err(FileError::NoSpace),
            NodeKind::File(content) => {
                Arc::make_mut(content).extend_from_slice(bytes);
                self.bytes += bytes.len();
                node.modified = now;
                Ok(())
            }
        }
    }

    fn empty(&mut self, path: &str, now: SystemTime) {
        if let Some(node) = self.nodes.get_mut(path)
            && let NodeKind::File(content) = &mut node.kind
        {
            self.bytes -= content.len();
            *content = Arc::default();
            node.modified = now;
        }
    }

    /// Makes a directory.
    pub(crate) fn make_directory(
        &mut self,
        path: &str,
        user: &User,
        now: SystemTime,
    ) -> Result<(), FileError> {
        match self.look(path) {
            Ok(_) => Err(FileError::Exists),
            Err(FileError::NotFound) => {
                self.insert_new(path, NodeKind::Directory, 0o755, user, now)
            }
            Err(error) => Err(error),
        }
    }

    /// Sets the modification time of a file, and makes the file if there is none.
    pub(crate) fn touch(
        &mut self,
        path: &str,
        user: &User,
        now: SystemTime,
    ) -> Result<(), FileError> {
        if !self.look(path).is_ok_and(|node| node.is_directory()) {
            self.open(path, OpenMode::Append, user, now)?;
        }
        if let Some(node) = self.nodes.get_mut(path) {
            node.modified = now;
        }
        Ok(())
    }

    /// Removes a file or an empty directory.
    pub(crate) fn remove(&mut self, path: &str, user: &User) -> Result<(), FileError> {
        let node = self.look(path)?;
        if path == "/" || self.mounts.iter().any(|mount| mount.target == path) {
            return Err(FileError::Busy);
        }
        if node.kind == NodeKind::Program {
            return Err(FileError::NotPermitted);
        }
        self.check_directory(path, user)?;
        let within = self.nodes.range(join(path, "")..).next();
        if node.is_directory() && within.is_some_and(|(below, _)| is_within(below, path)) {
            return Err(FileError::NotEmpty);
        }
        self.take(path);
        Ok(())
    }

    /// Moves a file, or a directory with its content, to another path. Returns the number of
    /// files and directories that were moved.
    pub(crate) fn rename(&mut self, from: &str, to: &str, user: &User) -> Result<usize, FileError> {
        let node = self.look(from)?;
        if from == to {
            return Ok(0);
        }
        if is_within(to, from) {
            return Err(FileError::Invalid);
        }
        if node.kind == NodeKind::Program {
            return Err(FileError::NotPermitted);
        }
        if self
            .mounts
            .iter()
            .any(|mount| is_within(&mount.target, from))
        {
            return Err(FileError::Busy);
        }
        self.check_directory(from, user)?;
        self.check_directory(to, user)?;
        match self.look(to) {
            Ok(there) if there.is_directory() && !node.is_directory() => {
                return Err(FileError::IsADirectory);
            }
            Ok(there) if !there.is_directory() && node.is_directory() => {
                return Err(FileError::NotADirectory);
            }
            Ok(_) => self.remove(to, user)?,
            Err(_) => {}
        }
        let below = self.nodes.range(join(from, "")..);
        let mut moved: Vec<String> = below
            .map(|(path, _)| path.clone())
            .take_while(|path| is_within(path, from))
            .collect();
        moved.push(from.to_owned());
        let longest = moved.iter().map(String::len).max().unwrap_or(0);
        if longest - from.len() + to.len() > MAX_PATH_BYTES {
            return Err(FileError::NameTooLong);
        }
        let number = moved.len();
        for path in moved {
            if let Some(node) = self.take(&path) {
                self.insert(format!("{to}{}", &path[from.len()..]), node);
            }
        }
        Ok(number)
    }

    /// Changes the owner, group or permission bits of a file, for its owner or root.
    pub(crate) fn change(
        &mut self,
        path: &str,
        user: &User,
        change: impl FnOnce(&mut Node),
    ) -> Result<(), FileError> {
        let found = self.look(path)?;
        self.check_writable(path)?;
        match self.nodes.get_mut(path) {
            Some(_) if user.uid != 0 && user.uid != found.uid => Err(FileError::NotPermitted),
            Some(node) => {
                change(node);
                Ok(())
            }
            None => Err(FileError::NotPermitted),
        }
    }
}
