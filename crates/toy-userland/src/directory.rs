//! Files as a process finds them: by paths that start at its working directory, with the
//! permissions of the container's user.

use std::sync::Arc;

use crate::streams::{Input, Output};
use crate::world::{FileError, NodeKind, OpenMode, User, World, path};

/// The working directory of a process.
#[derive(Clone)]
pub(crate) struct WorkingDirectory {
    pub(crate) world: Arc<World>,
    /// Absolute path, in the form that [`path::absolute`] returns.
    pub(crate) path: String,
}

impl WorkingDirectory {
    /// Returns the user of the container's processes.
    pub(crate) fn user(&self) -> &User {
        &self.world.setup().user
    }

    /// Returns the absolute form of a path.
    pub(crate) fn absolute(&self, path: &str) -> String {
        path::absolute(&self.path, path)
    }

    /// Reads a whole file as text. Bytes that are not UTF-8 are replaced; a device and a
    /// program are empty.
    pub(crate) fn read_text(&self, path: &str) -> Result<String, FileError> {
        let node = self.world.tree().read(&self.absolute(path), self.user())?;
        Ok(match node.kind {
            NodeKind::File(content) => String::from_utf8_lossy(&content).into_owned(),
            _ => String::new(),
        })
    }

    /// Reads a whole file. A path that cannot be read is empty.
    pub(crate) fn read_bytes(&self, path: &str) -> Arc<Vec<u8>> {
        let node = self.world.tree().read(&self.absolute(path), self.user());
        match node.map(|node| node.kind) {
            Ok(NodeKind::File(content)) => content,
            _ => Arc::default(),
        }
    }

    /// Opens a file for reading.
    pub(crate) fn open(&self, path: &str) -> Result<Input, FileError> {
        if path.is_empty() {
            return Err(FileError::NotFound);
        }
        let node = self.world.tree().read(&self.absolute(path), self.user())?;
        Ok(Input::of_file(node))
    }

    /// Opens a file for writing, and makes it if there is none.
    pub(crate) fn create(&self, path: &str, mode: OpenMode) -> Result<Output, FileError> {
        if path.is_empty() {
            return Err(FileError::NotFound);
        }
        let path = self.absolute(path);
        let now = self.world.now();
        self.world.tree().open(&path, mode, self.user(), now)?;
        Ok(Output::File {
            world: Arc::clone(&self.world),
            path: path.into(),
        })
    }
}
