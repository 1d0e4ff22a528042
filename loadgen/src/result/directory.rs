//! The directory of a result: its name and its files.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Reason for which a result could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("save the result as {}", path.display())]
pub struct SaveError {
    /// Path of the file or directory.
    pub path: PathBuf,
    /// Error of the file system.
    #[source]
    pub source: io::Error,
}

/// Maximum number of saved runs with the same second and seed.
const MAX_ATTEMPTS: u32 = 1000;

/// Name of the result document.
pub const RESULT_FILE: &str = "result.json";
/// Name of the log of histograms, in the format of [`crate::record::hdr_log`].
pub const HISTOGRAM_FILE: &str = "latencies.hlog";
/// Name of the table with a row for each operation.
pub const OPERATIONS_FILE: &str = "operations.csv";
/// Name of the table with a row for each second.
pub const TIMELINE_FILE: &str = "timeline.csv";
/// Name of the calibration of a machine, in the directory for results.
pub const CALIBRATION_FILE: &str = "calibration.json";
/// Name of the report, an HTML page.
pub const REPORT_FILE: &str = "report.html";

/// Creates the directory for results, and checks that it is writable before a run begins.
///
/// # Errors
/// [`SaveError`] with the directory.
pub fn check(results: &Path) -> Result<(), SaveError> {
    let made = fs::create_dir_all(results).and_then(|()| {
        // Only an attempt to write shows for every file system whether it is writable.
        tempfile::Builder::new()
            .prefix(".loadgen-")
            .tempfile_in(results)
            .map(drop)
    });
    made.map_err(|source| SaveError {
        path: results.to_owned(),
        source,
    })
}

/// Writes a document as [`RESULT_FILE`].
///
/// # Errors
/// [`SaveError`] with the file.
pub fn document(dir: &Path, result: &impl Serialize) -> Result<(), SaveError> {
    file(dir, RESULT_FILE, |out| {
        serde_json::to_writer_pretty(&mut *out, result)?;
        writeln!(out)
    })
}

/// Writes a document as [`CALIBRATION_FILE`] in the directory for results, in place of an
/// earlier one, and returns its path.
///
/// # Errors
/// [`SaveError`] with the file.
pub fn calibration(results: &Path, calibration: &impl Serialize) -> Result<PathBuf, SaveError> {
    file(results, CALIBRATION_FILE, |out| {
        serde_json::to_writer_pretty(&mut *out, calibration)?;
        writeln!(out)
    })?;
    Ok(results.join(CALIBRATION_FILE))
}

/// Writes a text file.
///
/// # Errors
/// [`SaveError`] with the file.
pub fn text(dir: &Path, name: &str, text: &str) -> Result<(), SaveError> {
    file(dir, name, |out| out.write_all(text.as_bytes()))
}

/// Creates the directory `results/KIND-TIME-SEED`, or `…-2` and so on if it exists.
///
/// # Errors
/// [`SaveError`] with the directory.
pub fn create(
    results: &Path,
    kind: &str,
    started_at: &str,
    seed: u64,
) -> Result<PathBuf, SaveError> {
    let time = started_at.replace([':', '-'], "");
    let name = format!("{kind}-{time}-{seed}");
    let mut path = results.join(&name);
    for attempt in 2..=MAX_ATTEMPTS {
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                path = results.join(format!("{name}-{attempt}"));
            }
            Err(source) => return Err(SaveError { path, source }),
        }
    }
    let source = io::ErrorKind::AlreadyExists.into();
    Err(SaveError { path, source })
}

/// Copies files into the directory of a result under their own names, all that it can.
///
/// # Errors
/// The first [`SaveError`] with the file.
pub fn copy(files: &[PathBuf], dir: &Path) -> Result<(), SaveError> {
    let mut done = Ok(());
    for file in files {
        let path = dir.join(file.file_name().unwrap_or_default());
        let copied = fs::copy(file, &path).map(drop);
        done = done.and(copied.map_err(|source| SaveError { path, source }));
    }
    done
}

/// Writes one file of a result.
///
/// # Errors
/// [`SaveError`] with the file.
pub fn file(
    dir: &Path,
    name: &str,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), SaveError> {
    let path = dir.join(name);
    File::create(&path)
        .and_then(|file| {
            let mut out = BufWriter::new(file);
            write(&mut out)?;
            out.flush()
        })
        .map_err(|source| SaveError { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_directory_for_results_is_noticed_before_the_run() {
        let results = tempfile::tempdir().unwrap();
        let file = results.path().join("file");
        fs::write(&file, "").unwrap();
        let error = check(&file.join("below")).unwrap_err();
        assert!(error.to_string().contains("below"), "{error}");
        assert!(check(&results.path().join("a/b")).is_ok());
    }
}
