//! A segment: a file to which lines are appended, each as a whole or not at all.
//!
//! A segment may hold room: bytes behind its last line that are allocated to the file and not
//! part of its content. Lines that fit in the room need no free space of the file system.

use std::fs::{File, Metadata, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};
use rustix::io::Errno;

use super::directory::FILE_MODE;
use super::error::JournalError;

/// A segment that is open for appending.
#[derive(Debug)]
pub(super) struct Segment {
    /// The file, shared with the thread that makes it durable.
    file: Arc<File>,
    path: PathBuf,
    /// Length of the whole lines in bytes.
    len: u64,
    /// End of the bytes that are known to be allocated; at least `len`.
    allocated: u64,
}

/// Reason why a line is not in a segment.
#[derive(Debug)]
pub(super) struct AppendError {
    pub(super) error: JournalError,
    /// Whether the segment is as it was before. If not, the file may hold a part of the line
    /// or all of it, and no further line may follow.
    pub(super) undone: bool,
}

impl Segment {
    /// Opens a segment, keeps its first `len` bytes and cuts off the rest.
    pub(super) fn open(path: PathBuf, len: u64) -> Result<Self, JournalError> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(FILE_MODE)
            .open(&path)
            .map_err(JournalError::of("open", &path))?;
        let present = file.metadata().map(|m| m.len());
        let present = present.map_err(JournalError::of("examine", &path))?;
        if present > len {
            file.set_len(len)
                .map_err(JournalError::of("truncate", &path))?;
        }
        let len = len.min(present);
        Ok(Self {
            file: Arc::new(file),
            path,
            len,
            allocated: len,
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }

    /// Returns the free bytes of the file system, or `None` if they cannot be found.
    pub(super) fn room(&self) -> Option<u64> {
        let fs = fstatvfs(&*self.file).ok()?;
        Some(fs.f_bavail.saturating_mul(fs.f_frsize))
    }

    /// Returns the room behind the last line, in bytes.
    pub(super) fn reserved(&self) -> u64 {
        self.allocated - self.len
    }

    /// Makes the room behind the last line at least `bytes` large. Returns `false` if the file
    /// system cannot allocate room in advance.
    ///
    /// # Errors
    /// [`JournalError::is_out_of_space`] if there is no such room.
    pub(super) fn reserve(&mut self, bytes: u64) -> Result<bool, JournalError> {
        let end = self.len + bytes;
        if end <= self.allocated {
            return Ok(true);
        }
        let more = end - self.allocated;
        match fallocate(&*self.file, FallocateFlags::KEEP_SIZE, self.allocated, more) {
            Ok(()) => {
                self.allocated = end;
                Ok(true)
            }
            Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::NODEV | Errno::SPIPE) => Ok(false),
            Err(e) => Err(JournalError::io("reserve room in", &self.path, e)),
        }
    }

    /// Gives the room back to the file system.
    pub(super) fn release(&mut self) {
        // Truncation to the present length frees what is allocated behind it.
        if self.reserved() > 0 && self.file.set_len(self.len).is_ok() {
            self.allocated = self.len;
        }
    }

    /// Appends a line by one `write(2)`, or more if the kernel takes the line in parts. After
    /// a failure, the written part is cut off again.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), AppendError> {
        match (&*self.file).write_all(line) {
            Ok(()) => {
                self.len += line.len() as u64;
                self.allocated = self.allocated.max(self.len);
                Ok(())
            }
            Err(source) => {
                let error = JournalError::io("append to", &self.path, source);
                let undone = self.undo(error.is_out_of_space());
                Err(AppendError { error, undone })
            }
        }
    }

    /// Cuts off a written part of a line, and returns whether no part of it is left.
    fn undo(&mut self, is_full: bool) -> bool {
        // Truncation gives the room back, so on a full disk it is left out if it can be.
        let is_whole = |now: Metadata| now.is_file() && now.len() == self.len;
        if is_full && self.file.metadata().is_ok_and(is_whole) {
            return true;
        }
        let room = self.reserved();
        let undone = self.file.set_len(self.len).is_ok();
        self.allocated = self.len;
        let _ = self.reserve(room);
        undone
    }

    /// Makes every write fail, and every attempt to undo one.
    #[cfg(test)]
    pub(super) fn break_down(&mut self) {
        self.file = Arc::new(File::open(&self.path).unwrap());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn opening_cuts_off_the_rest_of_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        fs::write(&path, "one\ntw").unwrap();
        let mut segment = Segment::open(path.clone(), 4).unwrap();
        segment.append(b"two\n").unwrap();
        assert_eq!(segment.len(), 8);
        assert_eq!(fs::read(&path).unwrap(), b"one\ntwo\n");
    }

    #[test]
    fn room_belongs_to_the_file_and_not_to_its_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let mut segment = Segment::open(path.clone(), 0).unwrap();
        if !segment.reserve(100_000).unwrap() {
            eprintln!("SKIPPED: the file system allocates no room in advance");
            return;
        }
        segment.append(b"one\n").unwrap();
        assert_eq!(segment.reserved(), 100_000 - 4);
        assert_eq!(fs::read(&path).unwrap(), b"one\n");
        let blocks = |path| std::os::unix::fs::MetadataExt::blocks(&fs::metadata(path).unwrap());
        assert!(blocks(&path) * 512 >= 100_000);
        segment.release();
        assert_eq!(segment.reserved(), 0);
        assert!(blocks(&path) * 512 < 100_000);
        assert_eq!(fs::read(&path).unwrap(), b"one\n");
    }

    #[test]
    fn a_failure_that_cannot_be_undone_is_marked() {
        let dir = tempfile::tempdir().unwrap();
        let mut segment = Segment::open(dir.path().join("s"), 0).unwrap();
        segment.break_down();
        let failed = segment.append(b"x\n").unwrap_err();
        assert!(!failed.undone);
        assert!(failed.error.to_string().starts_with("cannot append to"));
        assert_eq!(segment.len(), 0);
    }
}
