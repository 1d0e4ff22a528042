//! Volumes: files of the node, with what the containers of a pod have written in memory over
//! them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use parking_lot::Mutex;

use super::error::FileError;
use super::host::HostFiles;
use super::node::{Node, NodeKind};
use super::room::Room;

/// Most bytes of a content that is written through to the node: a kubelet reads 4,096 of a
/// termination message, and a character of Unicode has up to three more.
const MAX_THROUGH_BYTES: usize = 3 * 4096;

/// A volume that the containers of a pod share. Files of the node are seen as they are at each
/// look; what a container changes is kept in memory, and hides the file of the node.
#[derive(Debug)]
pub struct Volume {
    host: Option<Arc<dyn HostFiles>>,
    is_written_through: bool,
    room: Arc<Room>,
    /// Changed files by path relative to the volume; the empty path is the volume itself.
    upper: Mutex<BTreeMap<String, Upper>>,
    /// The volume itself where the node shows none.
    unseen: OnceLock<Node>,
}

/// A changed path.
#[derive(Debug)]
struct Upper {
    /// The file; `None` if it was removed.
    node: Option<Node>,
    /// Whether a directory hides what the node has below the path.
    hides: bool,
}

impl Upper {
    fn bytes(&self) -> usize {
        self.node.as_ref().map_or(0, Node::content_bytes)
    }
}

impl Volume {
    /// Makes a volume over files of the node, or an empty one.
    pub fn new(host: Option<Arc<dyn HostFiles>>, room: &Arc<Room>) -> Self {
        Self {
            host,
            is_written_through: false,
            room: Arc::clone(room),
            upper: Mutex::default(),
            unseen: OnceLock::new(),
        }
    }

    /// Makes a volume of one file whose changes are handed to [`HostFiles::replace`], cut after
    /// 12 KiB.
    pub fn written_through(host: Arc<dyn HostFiles>, room: &Arc<Room>) -> Self {
        let mut volume = Self::new(Some(host), room);
        volume.is_written_through = true;
        volume
    }

    /// Makes a volume of nodes in memory, by path relative to the volume. Its room is full.
    pub(super) fn of_nodes(nodes: BTreeMap<String, Node>) -> Self {
        let bytes = nodes
            .iter()
            .map(|(path, node)| path.len() + node.content_bytes());
        let (bytes, files) = (bytes.sum(), nodes.len());
        let room = Arc::new(Room::new(bytes, files));
        let mut volume = Self::new(None, &room);
        // The room is as large as the nodes.
        let _ = room.take(bytes, files);
        let upper = nodes.into_iter().map(|(path, node)| {
            let changed = Upper {
                node: Some(node),
                hides: true,
            };
            (path, changed)
        });
        volume.upper = Mutex::new(upper.collect());
        volume
    }

    /// Sets the volume itself where the node shows none. A later call changes nothing.
    pub(super) fn set_unseen(&self, node: Node) {
        let _ = self.unseen.set(node);
    }

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Returns the node at a path, with the content of a file only if it was written; `None` if
    /// there is none.
    ///
    /// # Errors
    /// Those of [`HostFiles::look`], except that nothing is there.
    pub(super) fn get(&self, path: &str) -> Result<Option<Node>, FileError> {
        let upper = self.upper.lock();
        if let Some(changed) = upper.get(path) {
            return Ok(changed.node.clone());
        }
        self.lower(&upper, path)
    }

    /// Returns the node of the host at a path, unless a change hides it.
    fn lower(
        &self,
        upper: &BTreeMap<String, Upper>,
        path: &str,
    ) -> Result<Option<Node>, FileError> {
        if is_hidden(upper, path) {
            return Ok(None);
        }
        let found = match &self.host {
            Some(host) => host.look(path),
            None => Err(FileError::NotFound),
        };
        match found {
            Ok(host) => Ok(Some(host.into())),
            Err(FileError::NotFound | FileError::NotADirectory | FileError::Denied)
                if path.is_empty() =>
            {
                Ok(self.unseen.get().cloned())
            }
            Err(FileError::NotFound | FileError::NotADirectory) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns whether a path, or the directory in which it would be made, lies on a file system
    /// that the node has mounted below the volume.
    pub(super) fn is_on_submount(&self, path: &str) -> bool {
        let look = |path: &str| self.host.as_ref().and_then(|host| host.look(path).ok());
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        let found = look(path).or_else(|| look(above));
        found.is_some_and(|node| node.is_on_submount)
    }

    /// Returns a node with its content.
    ///
    /// # Errors
    /// Those of [`HostFiles::read`], and [`FileError::NoMemory`].
    pub(super) fn with_content(&self, path: &str, mut node: Node) -> Result<Node, FileError> {
        if let (NodeKind::Unread(_), Some(host)) = (&node.kind, &self.host) {
            node.kind = NodeKind::File(self.room.hold(host.read(path)?)?);
        }
        Ok(node)
    }

    /// Returns the names in a directory, in order.
    ///
    /// # Errors
    /// Those of [`HostFiles::list`], except that nothing is there.
    pub(super) fn names(&self, path: &str) -> Result<Vec<String>, FileError> {
        let upper = self.upper.lock();
        let hides = upper.get(path).is_some_and(|changed| changed.hides);
        let listed = match &self.host {
            Some(host) if !hides && !is_hidden(&upper, path) => host.list(path),
            _ => Ok(Vec::new()),
        };
        let mut names = match listed {
            Err(FileError::NotFound | FileError::NotADirectory) => Vec::new(),
            Err(FileError::Denied) if path.is_empty() => Vec::new(),
            listed => listed?,
        };
        let prefix = prefix(path);
        names.retain(|name| !upper.contains_key(&format!("{prefix}{name}")));
        let below = upper.range(prefix.clone()..);
        let below = below.take_while(|(path, _)| path.starts_with(&prefix));
        let changed = below.filter(|(path, changed)| {
            let name = &path[prefix.len()..];
            changed.node.is_some() && !name.is_empty() && !name.contains('/')
        });
        names.extend(changed.map(|(path, _)| path[prefix.len()..].to_owned()));
        names.sort_unstable();
        Ok(names)
    }

    /// Puts a new node, or replaces one. It hides the files of the node below the path.
    ///
    /// # Errors
    /// [`FileError::NoSpace`]; the error of a write through.
    pub(super) fn put(&self, path: &str, node: Node) -> Result<(), FileError> {
        let mut upper = self.upper.lock();
        self.set(&mut upper, path, Some(node), true)?;
        self.write_through(&upper, path)
    }

    /// Removes a node that has nothing below it.
    ///
    /// # Errors
    /// [`FileError::NoSpace`], because the removal of a file of the node has to be remembered;
    /// those of [`Self::get`].
    pub(super) fn remove(&self, path: &str) -> Result<(), FileError> {
        let mut upper = self.upper.lock();
        let below = prefix(path);
        let stale = upper.range(below.clone()..).map(|(path, _)| path.clone());
        let stale: Vec<String> = stale.take_while(|path| path.starts_with(&below)).collect();
        for path in stale {
            self.forget(&mut upper, &path);
        }
        if self.lower(&upper, path)?.is_some() {
            return self.set(&mut upper, path, None, true);
        }
        self.forget(&mut upper, path);
        Ok(())
    }

    /// Appends to a file.
    ///
    /// # Errors
    /// [`FileError::NoSpace`], those of [`Self::with_content`], and of a write through.
    pub(super) fn append(
        &self,
        path: &str,
        bytes: &[u8],
        now: SystemTime,
    ) -> Result<(), FileError> {
        let mut upper = self.upper.lock();
        self.copy_up(&mut upper, path)?;
        self.room.take(bytes.len(), 0)?;
        if let Some(node) = upper
            .get_mut(path)
            .and_then(|changed| changed.node.as_mut())
        {
            node.modified = now;
            if let NodeKind::File(content) = &mut node.kind {
                Arc::make_mut(content).extend_from_slice(bytes);
            }
        }
        self.write_through(&upper, path)
    }

    /// Removes the content of a file, without reading it.
    ///
    /// # Errors
    /// As [`Self::put`].
    pub(super) fn truncate(&self, path: &str, now: SystemTime) -> Result<(), FileError> {
        if let Some(mut node) = self.get(path)? {
            node.kind = NodeKind::File(Arc::default());
            node.modified = now;
            self.put(path, node)?;
        }
        Ok(())
    }

    /// Changes the properties of a node, and not its kind.
    ///
    /// # Errors
    /// [`FileError::NoSpace`], and those of [`Self::with_content`].
    pub(super) fn change(
        &self,
        path: &str,
        change: impl FnOnce(&mut Node),
    ) -> Result<(), FileError> {
        let mut upper = self.upper.lock();
        self.copy_up(&mut upper, path)?;
        if let Some(node) = upper
            .get_mut(path)
            .and_then(|changed| changed.node.as_mut())
        {
            change(node);
        }
        Ok(())
    }

    /// Copies a node of the host with its content, unless it is copied already.
    fn copy_up(&self, upper: &mut BTreeMap<String, Upper>, path: &str) -> Result<(), FileError> {
        if upper.contains_key(path) {
            return Ok(());
        }
        let node = self.lower(upper, path)?.ok_or(FileError::NotFound)?;
        let mut node = self.with_content(path, node)?;
        if let NodeKind::File(content) = &mut node.kind {
            // A content of its own, which no longer counts as an open file.
            *content = Arc::new(content.to_vec());
        }
        self.set(upper, path, Some(node), false)
    }

    fn set(
        &self,
        upper: &mut BTreeMap<String, Upper>,
        path: &str,
        node: Option<Node>,
        hides: bool,
    ) -> Result<(), FileError> {
        let changed = Upper { node, hides };
        let (before, is_new) = match upper.get(path) {
            Some(before) => (before.bytes(), false),
            None => (0, true),
        };
        let own = if is_new { path.len() } else { 0 };
        self.room.take(own + changed.bytes(), usize::from(is_new))?;
        self.room.give(before, 0);
        upper.insert(path.to_owned(), changed);
        Ok(())
    }

    fn forget(&self, upper: &mut BTreeMap<String, Upper>, path: &str) {
        if let Some(changed) = upper.remove(path) {
            self.room.give(path.len() + changed.bytes(), 1);
        }
    }

    fn write_through(&self, upper: &BTreeMap<String, Upper>, path: &str) -> Result<(), FileError> {
        let node = upper.get(path).and_then(|changed| changed.node.as_ref());
        match (&self.host, node.map(|node| &node.kind)) {
            (Some(host), Some(NodeKind::File(content)))
                if self.is_written_through && path.is_empty() =>
            {
                host.replace(&content[..content.len().min(MAX_THROUGH_BYTES)])
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let upper = self.upper.get_mut();
        let bytes = upper
            .iter()
            .map(|(path, changed)| path.len() + changed.bytes())
            .sum();
        self.room.give(bytes, upper.len());
    }
}

/// Returns the beginning of the paths below a directory.
fn prefix(directory: &str) -> String {
    match directory {
        "" => String::new(),
        directory => format!("{directory}/"),
    }
}

/// Returns whether a change above a path hides the files of the node below it.
fn is_hidden(upper: &BTreeMap<String, Upper>, path: &str) -> bool {
    let hides = |above: &str| {
        upper.get(above).is_some_and(|changed| {
            let is_directory = changed.node.as_ref().is_some_and(Node::is_directory);
            changed.hides || !is_directory
        })
    };
    if path.is_empty() {
        return false;
    }
    hides("") || path.match_indices('/').any(|(end, _)| hides(&path[..end]))
}

#[cfg(test)]
mod tests;
