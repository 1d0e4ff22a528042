//! A small JSON file that is read as a whole and replaced as a whole.
//!
//! The file lies beside the journal and not in it: the images pulled through the CRI API
//! belong to no sandbox. The type is here because replacing a file durably needs the file
//! mode, the directory sync and the errors of this crate.
//!
//! A second file, the spare, takes the next content. The two change their names in one step, so
//! the former file is the next spare. It keeps its blocks: content that is no longer than the
//! present one can be written on a disk without free space or inodes.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FallocateFlags, OFlags, RenameFlags, fallocate, renameat_with};
use rustix::io::Errno;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::directory::{Directory, FILE_MODE, sync_dir};
use super::error::JournalError;

/// Name of the file of the images within the state directory.
pub const IMAGES: &str = "images.json";
/// Name of the spare.
const SPARE: &str = ".images.json.spare";
/// Name under which earlier versions wrote the file; a crash may have left one.
const TEMPORARY: &str = ".images.json.tmp";

/// A JSON document on disk that no reader sees half-written.
#[derive(Debug, Clone)]
pub struct Document {
    dir: PathBuf,
}

impl Document {
    /// Returns the document of the images in the state directory `dir`.
    pub fn images(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(IMAGES)
    }

    fn spare(&self) -> PathBuf {
        self.dir.join(SPARE)
    }

    /// Reads the document; returns `None` if it was never written. Removes what an interrupted
    /// write of an earlier version has left.
    ///
    /// With `recover`, a file that is not JSON of the type `T` is set aside, and the document
    /// counts as never written.
    ///
    /// # Errors
    /// [`JournalError::DamagedFile`] without `recover` for such a file, and [`JournalError::File`].
    pub fn open<T: DeserializeOwned>(&self, recover: bool) -> Result<Option<T>, JournalError> {
        Directory::remove(&self.dir.join(TEMPORARY))?;
        match self.read() {
            Ok(Some(content)) => {
                if !self.spare().exists() {
                    // An earlier version wrote the file.
                    let present = fs::metadata(self.path()).map_or(0, |file| file.len());
                    self.make_spare(usize::try_from(present).unwrap_or(0));
                }
                Ok(Some(content))
            }
            Err(e @ JournalError::DamagedFile { .. }) if recover => {
                let kept = Directory::of(&self.dir).set_aside(&self.path())?;
                tracing::warn!("{e}: it is kept in {}", kept.display());
                Ok(None)
            }
            read => read,
        }
    }

    /// Reads the document; returns `None` if it was never written.
    fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, JournalError> {
        let path = self.path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(JournalError::io("read", &path, e)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| JournalError::DamagedFile {
                path,
                reason: if text.is_empty() {
                    "it is empty".to_owned()
                } else {
                    format!("it is not the expected JSON: {e}")
                },
                remedy: "start without the images",
            })
    }

    /// Replaces the document, durably and in one step. A failure leaves the earlier content.
    ///
    /// Content that is no longer than the present one needs no space, if the file system
    /// overwrites blocks in place.
    ///
    /// # Errors
    /// [`JournalError::File`] and [`JournalError::Encode`].
    pub fn write(&self, content: &impl Serialize) -> Result<(), JournalError> {
        let (path, spare) = (self.path(), self.spare());
        let text = serde_json::to_vec_pretty(content).map_err(JournalError::Encode)?;
        let present = open(&path, false);
        if let Ok(present) = &present {
            // It is the next spare, so it must have room for what may follow.
            allocate(present, text.len()).map_err(JournalError::of("reserve room in", &path))?;
        }
        let file = open(&spare, true).map_err(JournalError::of("open", &spare))?;
        allocate(&file, text.len())
            .and_then(|()| file.write_all_at(&text, 0))
            .and_then(|()| file.set_len(text.len() as u64))
            .and_then(|()| file.sync_all())
            .map_err(JournalError::of("write", &spare))?;
        if !exchange(&spare, &path).map_err(JournalError::of("replace", &path))? {
            self.make_spare(text.len());
        }
        sync_dir(&self.dir)
    }

    /// Makes a spare with room for `bytes`. If that fails, the next write makes one.
    fn make_spare(&self, bytes: usize) {
        let spare = self.spare();
        if let Err(e) = open(&spare, true).and_then(|file| allocate(&file, bytes)) {
            tracing::warn!("no room in advance for {}: {e}", spare.display());
        }
    }
}

/// Opens a regular file for writing, and never through a symbolic link.
fn open(path: &Path, create: bool) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(create)
        .truncate(false)
        .mode(FILE_MODE)
        .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed())
        .open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(ErrorKind::InvalidInput.into())
    }
}

/// Allocates the first `bytes` of a file, if the file system can.
fn allocate(file: &File, bytes: usize) -> std::io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes as u64) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

/// Exchanges two files and returns `true`, or moves the first to the second and returns `false`
/// if that does not exist or the file system cannot exchange files.
fn exchange(from: &Path, to: &Path) -> std::io::Result<bool> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
            fs::rename(from, to).map(|()| false)
        }
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use testing::SmallDisk;

    fn document(dir: &tempfile::TempDir) -> Document {
        Document::images(dir.path())
    }

    #[test]
    fn the_last_written_document_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let document = document(&dir);
        assert_eq!(document.open::<Vec<u32>>(false).unwrap(), None);
        for content in [vec![1, 2], vec![3], (0..5_000).collect(), vec![]] {
            document.write(&content).unwrap();
            assert_eq!(document.open::<Vec<u32>>(false).unwrap(), Some(content));
        }
        for path in [document.path(), document.spare()] {
            let mode = fs::metadata(path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_write_that_fails_keeps_the_earlier_document() {
        let dir = tempfile::tempdir().unwrap();
        let document = document(&dir);
        document.write(&[1]).unwrap();
        fs::remove_file(document.spare()).unwrap();
        let target = dir.path().join("target");
        fs::write(&target, "precious").unwrap();
        symlink(&target, document.spare()).unwrap();
        document.write(&[2]).unwrap_err();
        assert_eq!(document.read::<Vec<u32>>().unwrap(), Some(vec![1]));
        assert_eq!(fs::read(&target).unwrap(), b"precious");
    }

    #[test]
    fn a_damaged_file_stops_the_start_until_it_is_set_aside() {
        for (content, reason) in [("[1,", "EOF"), ("", "it is empty"), ("{}", "expected JSON")] {
            let dir = tempfile::tempdir().unwrap();
            let document = document(&dir);
            fs::write(document.path(), content).unwrap();
            let error = document.open::<Vec<u32>>(false).unwrap_err().to_string();
            for part in ["images.json", reason, "--recover would"] {
                assert!(error.contains(part), "{error}");
            }
            assert_eq!(fs::read_to_string(document.path()).unwrap(), content);

            assert_eq!(document.open::<Vec<u32>>(true).unwrap(), None);
            assert_eq!(document.open::<Vec<u32>>(false).unwrap(), None);
            let journal = dir.path().join("journal");
            let kept = fs::read_dir(journal).unwrap().next().unwrap().unwrap();
            let kept = fs::read_to_string(kept.path().join("images.json")).unwrap();
            assert_eq!(kept, content);
            document.write(&[7]).unwrap();
            assert_eq!(document.open::<Vec<u32>>(true).unwrap(), Some(vec![7]));
        }
    }

    #[test]
    fn what_an_interrupted_write_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let document = document(&dir);
        document.write(&[1]).unwrap();
        fs::write(dir.path().join(TEMPORARY), "[1,").unwrap();
        fs::write(document.spare(), "[1,").unwrap();
        assert_eq!(document.open::<Vec<u32>>(false).unwrap(), Some(vec![1]));
        assert!(!dir.path().join(TEMPORARY).exists());
        document.write(&[2]).unwrap();
        assert_eq!(document.open::<Vec<u32>>(false).unwrap(), Some(vec![2]));
    }

    #[test]
    fn a_document_can_shrink_on_a_full_disk() {
        let Some(disk) = SmallDisk::mount() else {
            return;
        };
        let document = Document::images(disk.path());
        let mut content: Vec<u32> = (0..4_000).collect();
        document.write(&content).unwrap();
        disk.fill();
        content.push(7);
        while document.write(&content).is_ok() {
            content.extend(0..1_000);
        }
        while content.pop().is_some() {
            content.truncate(content.len() / 2);
            document.write(&content).unwrap();
            assert_eq!(
                document.read::<Vec<u32>>().unwrap().as_ref(),
                Some(&content)
            );
        }
    }
}
