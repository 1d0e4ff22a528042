//! Directories and files of an export.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

use crate::answer::InputFile;
use crate::hashing::Hashing;

/// Directory that was empty, and in which files are created.
#[derive(Debug, Clone)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Creates a directory, or takes one that is empty.
    ///
    /// # Errors
    /// A directory with contents, or one that cannot be created or read.
    pub(super) fn new(path: &Path) -> anyhow::Result<Self> {
        let context = || format!("create the directory {}", path.display());
        fs::create_dir_all(path).with_context(context)?;
        let entry = fs::read_dir(path).with_context(context)?.next().transpose();
        if let Some(entry) = entry.with_context(context)? {
            ensure!(
                false,
                "{} is not empty: it contains {}; an export needs an empty directory or a new one",
                path.display(),
                entry.file_name().display()
            );
        }
        Ok(Self(path.to_owned()))
    }

    /// Creates a file at a path below the directory, whose components are separated by `/`.
    pub(super) fn create(&self, path: &str) -> io::Result<File> {
        let path = self.0.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).open(path)
    }
}

/// Reads a text file and tells what was read.
///
/// # Errors
/// A file that cannot be read, or that is not in UTF-8.
pub(super) fn read_text(path: &Path) -> anyhow::Result<(String, InputFile)> {
    let name = path.display().to_string();
    let context = || format!("read {name}");
    let mut file = File::open(path).with_context(context)?;
    let mut reader = Hashing::new(&mut file);
    let mut text = String::new();
    reader.read_to_string(&mut text).with_context(context)?;
    Ok((text, reader.finish(&name)))
}
