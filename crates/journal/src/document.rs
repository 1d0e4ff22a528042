//! A small JSON file that is read as a whole and replaced as a whole.
//!
//! The file lies beside the journal and not in it: the images pulled through the CRI API
//! belong to no sandbox. The type is here because replacing a file durably needs the file
//! mode, the directory sync and the errors of this crate.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::directory::{FILE_MODE, sync_dir};
use super::error::JournalError;

/// Name of the file of the images within the state directory.
pub const IMAGES: &str = "images.json";
/// Name under which the file is written until it is whole.
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

    /// Reads the document; returns `None` if it was never written.
    ///
    /// # Errors
    /// [`JournalError::File`] if the file cannot be read or is not JSON of the type `T`.
    pub fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, JournalError> {
        let path = self.path();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(JournalError::io("read", &path, e)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|e| JournalError::io("read", &path, std::io::Error::from(e)))
    }

    /// Replaces the document, durably and in one step. A failure leaves the earlier content.
    ///
    /// # Errors
    /// [`JournalError::File`] and [`JournalError::Encode`].
    pub fn write(&self, content: &impl Serialize) -> Result<(), JournalError> {
        let temporary = self.dir.join(TEMPORARY);
        let path = self.path();
        let failed = JournalError::of("write", &temporary);
        let text = serde_json::to_vec_pretty(content).map_err(JournalError::Encode)?;
        // A symbolic link of that name must not be written through.
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
        fs::rename(&temporary, &path).map_err(JournalError::of("replace", &path))?;
        sync_dir(&self.dir)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_last_written_document_is_read() {
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
    fn a_write_that_fails_keeps_the_earlier_document() {
        let dir = tempfile::tempdir().unwrap();
        let document = Document::images(dir.path());
        document.write(&[1]).unwrap();
        fs::create_dir(dir.path().join(TEMPORARY)).unwrap();
        document.write(&[2]).unwrap_err();
        assert_eq!(document.read::<Vec<u32>>().unwrap(), Some(vec![1]));
    }

    #[test]
    fn a_file_that_is_not_json_is_named_in_the_error() {
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
