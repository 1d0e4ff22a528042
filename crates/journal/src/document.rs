//! A small file that is read whole and replaced whole.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::directory::{FILE_MODE, sync_dir};
use super::error::StoreError;

/// The file of the images, within the sandboxer's directory.
pub const IMAGES: &str = "images.json";
/// Where it is written before it is whole.
const TEMPORARY: &str = ".images.json.tmp";

/// One JSON document on disk, never seen half-written.
#[derive(Debug, Clone)]
pub struct Document {
    dir: PathBuf,
}

impl Document {
    /// The images of the sandboxer's directory.
    pub fn images(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    fn path(&self) -> PathBuf {
        self.dir.join(IMAGES)
    }

    /// What it holds; `None` if it was never written.
    ///
    /// # Errors
    /// [`StoreError::Io`] if it cannot be read or is no such document.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, StoreError> {
        let path = self.path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(StoreError::io("read", &path, e)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| StoreError::io("read", &path, std::io::Error::from(e)))
    }

    /// Replaces it, durably and all at once. Whatever fails, what it held before stays.
    ///
    /// # Errors
    /// [`StoreError::NoSpace`] and [`StoreError::Io`].
    pub fn write(&self, content: &impl Serialize) -> Result<(), StoreError> {
        let temporary = self.dir.join(TEMPORARY);
        let path = self.path();
        let failed = StoreError::of("write", &temporary);
        let text = serde_json::to_vec_pretty(content).map_err(StoreError::Encode)?;
        // Not through a link that somebody put there.
        let _ = fs::remove_file(&temporary);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(FILE_MODE)
            .open(&temporary)
            .and_then(|mut file| {
                file.write_all(&text)?;
                file.sync_all()
            })
            .map_err(failed)?;
        fs::rename(&temporary, &path).map_err(StoreError::of("replace", &path))?;
        sync_dir(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn what_was_written_last_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let document = Document::images(dir.path());
        assert_eq!(document.read::<Vec<u32>>().unwrap(), None);
        document.write(&[1, 2]).unwrap();
        document.write(&[3]).unwrap();
        assert_eq!(document.read::<Vec<u32>>().unwrap(), Some(vec![3]));
        let mode = fs::metadata(document.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_write_that_fails_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let document = Document::images(dir.path());
        document.write(&[1]).unwrap();
        fs::create_dir(dir.path().join(TEMPORARY)).unwrap();
        document.write(&[2]).unwrap_err();
        assert_eq!(document.read::<Vec<u32>>().unwrap(), Some(vec![1]));
    }

    #[test]
    fn what_is_no_document_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let document = Document::images(dir.path());
        fs::write(document.path(), "[1,").unwrap();
        let error = document.read::<Vec<u32>>().unwrap_err().to_string();
        assert!(
            error.contains("images.json") && error.contains("EOF"),
            "{error}"
        );
    }
}
