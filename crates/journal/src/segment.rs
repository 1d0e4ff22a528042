//! A segment: a file to which lines are appended, each as a whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::fstatvfs;

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
        Ok(Self {
            file: Arc::new(file),
            path,
            len: len.min(present),
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

    /// Appends a line by one `write(2)`, or more if the kernel takes the line in parts. After
    /// a failure, the written part is cut off again.
    pub(super) fn append(&mut self, line: &[u8]) -> Result<(), AppendError> {
        match (&*self.file).write_all(line) {
            Ok(()) => {
                self.len += line.len() as u64;
                Ok(())
            }
            Err(source) => Err(AppendError {
                error: JournalError::io("append to", &self.path, source),
                undone: self.file.set_len(self.len).is_ok(),
            }),
        }
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
