//! Memory that the volumes of one pod may take together.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use super::error::FileError;

/// Most bytes and files of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Capacity {
    pub(crate) bytes: usize,
    pub(crate) files: usize,
}

/// Bounded memory that several volumes share: what is written into them, and what is read from
/// the node while it is open.
#[derive(Debug)]
pub struct Room {
    capacity: Capacity,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    bytes: usize,
    files: usize,
    /// Contents that were read from the node, and may still be open.
    open: Vec<Weak<Vec<u8>>>,
}

impl Room {
    /// Makes room for this number of bytes and files that are written, and for the same number of
    /// bytes that are open.
    pub fn new(bytes: usize, files: usize) -> Self {
        Self {
            capacity: Capacity { bytes, files },
            used: Mutex::default(),
        }
    }

    pub(super) fn capacity(&self) -> Capacity {
        self.capacity
    }

    /// Returns the number of bytes that are taken.
    pub(super) fn bytes(&self) -> usize {
        self.used.lock().bytes
    }

    /// Takes room for written bytes and files.
    ///
    /// # Errors
    /// [`FileError::NoSpace`].
    pub(super) fn take(&self, bytes: usize, files: usize) -> Result<(), FileError> {
        let mut used = self.used.lock();
        let (all, number) = (used.bytes + bytes, used.files + files);
        if all > self.capacity.bytes || number > self.capacity.files {
            return Err(FileError::NoSpace);
        }
        (used.bytes, used.files) = (all, number);
        Ok(())
    }

    /// Gives room back.
    pub(super) fn give(&self, bytes: usize, files: usize) {
        let mut used = self.used.lock();
        used.bytes = used.bytes.saturating_sub(bytes);
        used.files = used.files.saturating_sub(files);
    }

    /// Counts a content that was read from the node, as long as it is open.
    ///
    /// # Errors
    /// [`FileError::NoMemory`] if it is too large beside those that are open already.
    pub(super) fn hold(&self, content: Vec<u8>) -> Result<Arc<Vec<u8>>, FileError> {
        let mut used = self.used.lock();
        used.open.retain(|open| open.strong_count() > 0);
        let open = used.open.iter().filter_map(Weak::upgrade);
        let taken: usize = open.map(|open| open.len()).sum();
        let is_open = used.open.len();
        if taken + content.len() > self.capacity.bytes || is_open >= self.capacity.files {
            return Err(FileError::NoMemory);
        }
        let content = Arc::new(content);
        used.open.push(Arc::downgrade(&content));
        Ok(content)
    }
}
