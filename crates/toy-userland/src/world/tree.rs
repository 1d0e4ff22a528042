//! The file tree of a container, in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::error::FileError;
use super::mounts::Mounts;
use super::node::{Device, Node, NodeKind};
use super::path::{is_within, join, parent};
use super::room::Capacity;
use super::user::User;
use super::volume::Volume;

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

/// Treatment of a file's content at its opening for writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenMode {
    Truncate,
    Append,
}

/// The file tree: nodes of the container's own by absolute path, and the volumes that are mounted
/// over them. All paths have the form that [`super::path::absolute`] returns.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: BTreeMap<String, Node>,
    bytes: usize,
    capacity: Capacity,
    mounts: Mounts,
    programs: &'static [&'static str],
    made: SystemTime,
}

impl Tree {
    pub(crate) fn new(
        capacity: Capacity,
        mounts: Mounts,
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
    /// file, are left out. A volume that is mounted over the path hides the node.
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

    /// Replaces the content of a file of the container's own, whoever may write it.
    pub(super) fn replace(&mut self, path: &str, content: Vec<u8>) {
        if let Some(mut node) = self.take(path) {
            if let NodeKind::File(own) = &mut node.kind {
                *own = Arc::new(content);
            }
            self.insert(path.to_owned(), node);
        }
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

    /// Removes everything below a directory of the container's own.
    pub(super) fn empty_directory(&mut self, path: &str) {
        let below = self.nodes.range(join(path, "")..).map(|(path, _)| path);
        let below = below.take_while(|below| is_within(below, path));
        for path in below.cloned().collect::<Vec<_>>() {
            self.take(&path);
        }
    }

    /// Returns whether a built-in program has this name.
    pub(crate) fn is_program(&self, name: &str) -> bool {
        self.programs.contains(&name)
    }

    pub(crate) fn mounts(&self) -> &Mounts {
        &self.mounts
    }

    /// Returns the capacity of the file system that holds a path, and the bytes that it has.
    pub(crate) fn space(&self, path: &str) -> (usize, usize) {
        match self.volume(path) {
            Some((volume, _)) => (volume.room().capacity().bytes, volume.room().bytes()),
            None => (self.capacity.bytes, self.bytes),
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns the volume that holds a path, with the path in it.
    fn volume<'p>(&self, path: &'p str) -> Option<(&Arc<Volume>, &'p str)> {
        let mount = self.mounts.of(path)?;
        let volume = mount.volume.as_ref()?;
        let within = path.get(mount.target.len()..).unwrap_or_default();
        Some((volume, within.trim_start_matches('/')))
    }

    /// Returns the node at a path, or `None`.
    ///
    /// # Errors
    /// Those of the node's files that a volume shows.
    fn node(&self, path: &str) -> Result<Option<Node>, FileError> {
        match self.volume(path) {
            Some((volume, path)) => volume.get(path),
            None => Ok(self.nodes.get(path).cloned()),
        }
    }

    /// Sets what a volume shows on its mount point where the node of the cluster shows nothing:
    /// the file that the container has there by itself, or else `node`.
    pub(super) fn set_unseen(&self, target: &str, node: Node) {
        if let Some((volume, "")) = self.volume(target) {
            let own = self.nodes.get(target);
            let own = own.filter(|own| !own.is_directory()).cloned();
            volume.set_unseen(own.unwrap_or(node));
        }
    }

    /// Returns the node at a path; `None` for any error of [`Self::look`].
    pub(crate) fn find(&self, path: &str) -> Option<Node> {
        self.look(path).ok()
    }

    /// Returns the node at a path. The content of a file of the node may be unread.
    pub(crate) fn look(&self, path: &str) -> Result<Node, FileError> {
        if path.len() > MAX_PATH_BYTES {
            return Err(FileError::NameTooLong);
        }
        if let Some(node) = self.node(path)? {
            return Ok(node);
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

    fn check_parent(&self, path: &str) -> Result<Node, FileError> {
        let mut above = parent(path);
        loop {
            match self.node(above)? {
                Some(node) if !node.is_directory() => return Err(FileError::NotADirectory),
                Some(node) if above == parent(path) => return Ok(node),
                Some(_) => return Err(FileError::NotFound),
                None => above = parent(above),
            }
        }
    }

    /// Returns the node of a file that the user may read, with its content.
    pub(crate) fn read(&self, path: &str, user: &User) -> Result<Node, FileError> {
        let node = self.look(path)?;
        match node.kind {
            NodeKind::Directory => Err(FileError::IsADirectory),
            _ if !node.allows(user, 4) => Err(FileError::Denied),
            NodeKind::Special(_) => Err(FileError::NoDevice),
            _ => self.with_content(path, node),
        }
    }

    fn with_content(&self, path: &str, node: Node) -> Result<Node, FileError> {
        match self.volume(path) {
            Some((volume, path)) => volume.with_content(path, node),
            None => Ok(node),
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
        let mut names = self.names(path)?;
        let own = names.len();
        if path == "/bin" {
            names.extend(self.programs.iter().map(ToString::to_string));
        }
        names.extend(self.mounts.names_in(path));
        if names.len() > own {
            names.sort_unstable();
            names.dedup();
        }
        Ok(names)
    }

    /// Returns the names in a directory that lie on its own file system, in order.
    fn names(&self, path: &str) -> Result<Vec<String>, FileError> {
        if let Some((volume, path)) = self.volume(path) {
            return volume.names(path);
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
        Ok(names)
    }

    fn check_writable(&self, path: &str) -> Result<(), FileError> {
        match self.mounts.of(path) {
            Some(mount) if mount.is_read_only() => {
                let within = self.volume(path);
                let is_writable = !mount.is_recursively_read_only()
                    && within.is_some_and(|(volume, path)| volume.is_on_submount(path));
                if is_writable {
                    return Ok(());
                }
                Err(FileError::ReadOnly)
            }
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
        let node = Node {
            kind,
            mode,
            uid: user.uid,
            gid: user.gid,
            modified: now,
        };
        self.put(path, node)
    }

    /// Puts a node at a path, within the capacity. A node of a program's place may be there.
    fn put(&mut self, path: &str, node: Node) -> Result<(), FileError> {
        if let Some((volume, path)) = self.volume(path) {
            return volume.put(path, node);
        }
        let room = self.capacity.bytes.saturating_sub(self.bytes);
        let taken = path.len() + node.content_bytes();
        if self.nodes.len() >= self.capacity.files || taken > room {
            return Err(FileError::NoSpace);
        }
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
        let node = match self.look(path) {
            Ok(node) if node.is_directory() => return Err(FileError::IsADirectory),
            Ok(node) if !node.allows(user, 2) => return Err(FileError::Denied),
            Ok(node) if node.kind == NodeKind::Program => return Err(FileError::Denied),
            Ok(node) => node,
            Err(FileError::NotFound) => {
                return self.insert_new(path, NodeKind::File(Arc::default()), 0o644, user, now);
            }
            Err(error) => return Err(error),
        };
        match node.kind {
            NodeKind::Device(_) => return Ok(()),
            NodeKind::Special(_) => return Err(FileError::NoDevice),
            _ => {}
        }
        self.check_writable(path)?;
        if open_mode == OpenMode::Truncate {
            return self.empty(path, now);
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
        if let Some((volume, path)) = self.volume(path) {
            return match volume.get(path)?.map(|node| node.kind) {
                None => Err(FileError::NotFound),
                Some(NodeKind::Directory) => Err(FileError::IsADirectory),
                Some(NodeKind::File(_) | NodeKind::Unread(_)) => volume.append(path, bytes, now),
                Some(_) => Err(FileError::NoDevice),
            };
        }
        let room = self.capacity.bytes.saturating_sub(self.bytes);
        let node = self.nodes.get_mut(path).ok_or(FileError::NotFound)?;
        match &mut node.kind {
            NodeKind::Directory => Err(FileError::IsADirectory),
            NodeKind::Device(Device::Full) => Err(FileError::NoSpace),
            NodeKind::Device(_) => Ok(()),
            NodeKind::Program => Err(FileError::Denied),
            NodeKind::Unread(_) | NodeKind::Special(_) => Err(FileError::NoDevice),
            NodeKind::File(_) if bytes.len() > room => Err(FileError::NoSpace),
            NodeKind::File(content) => {
                Arc::make_mut(content).extend_from_slice(bytes);
                self.bytes += bytes.len();
                node.modified = now;
                Ok(())
            }
        }
    }

    fn empty(&mut self, path: &str, now: SystemTime) -> Result<(), FileError> {
        if let Some((volume, path)) = self.volume(path) {
            return volume.truncate(path, now);
        }
        if let Some(node) = self.nodes.get_mut(path)
            && let NodeKind::File(content) = &mut node.kind
        {
            self.bytes -= content.len();
            *content = Arc::default();
            node.modified = now;
        }
        Ok(())
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
        self.alter(path, |node| node.modified = now)
    }

    /// Changes the properties of a node; a device's time of the node stays as it is.
    fn alter(&mut self, path: &str, change: impl FnOnce(&mut Node)) -> Result<(), FileError> {
        if let Some((volume, path)) = self.volume(path) {
            return volume.change(path, change);
        }
        if let Some(node) = self.nodes.get_mut(path) {
            change(node);
        }
        Ok(())
    }

    /// Removes a file or an empty directory.
    pub(crate) fn remove(&mut self, path: &str, user: &User) -> Result<(), FileError> {
        let node = self.look(path)?;
        if path == "/" || self.mounts.is_point(path) {
            return Err(FileError::Busy);
        }
        if node.kind == NodeKind::Program {
            return Err(FileError::NotPermitted);
        }
        self.check_directory(path, user)?;
        if node.is_directory() {
            if self.mounts.names_in(path).next().is_some() {
                return Err(FileError::Busy);
            }
            if !self.names(path)?.is_empty() {
                return Err(FileError::NotEmpty);
            }
        }
        self.discard(path)
    }

    fn discard(&mut self, path: &str) -> Result<(), FileError> {
        if let Some((volume, path)) = self.volume(path) {
            return volume.remove(path);
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
        let moved = self.all_within(from)?;
        let longest = moved.iter().map(String::len).max().unwrap_or(0);
        if longest - from.len() + to.len() > MAX_PATH_BYTES {
            return Err(FileError::NameTooLong);
        }
        if self.volume(from).is_none() && self.volume(to).is_none() {
            for path in &moved {
                if let Some(node) = self.take(path) {
                    self.insert(format!("{to}{}", &path[from.len()..]), node);
                }
            }
        } else {
            // As mv(1) does between file systems: a failure leaves a part of the copy.
            for path in &moved {
                if let Some(node) = self.node(path)? {
                    let node = self.with_content(path, node)?;
                    self.put(&format!("{to}{}", &path[from.len()..]), node)?;
                }
            }
            for path in moved.iter().rev() {
                self.discard(path)?;
            }
        }
        Ok(moved.len())
    }

    /// Returns a path and all paths below it, a directory before its content. Nothing is mounted
    /// below the path.
    fn all_within(&self, path: &str) -> Result<Vec<String>, FileError> {
        let mut found = Vec::new();
        let mut open = vec![path.to_owned()];
        while let Some(path) = open.pop() {
            if self.node(&path)?.is_some_and(|node| node.is_directory()) {
                let names = self.names(&path)?;
                open.extend(names.iter().map(|name| join(&path, name)));
            }
            found.push(path);
            if found.len() + open.len() > self.capacity.files {
                return Err(FileError::NoSpace);
            }
        }
        Ok(found)
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
        match self.node(path)? {
            Some(_) if user.uid != 0 && user.uid != found.uid => Err(FileError::NotPermitted),
            Some(_) => self.alter(path, change),
            None => Err(FileError::NotPermitted),
        }
    }
}
