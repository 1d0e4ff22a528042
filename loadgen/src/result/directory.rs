//! The directory of a result: its name, and the files in it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// A result could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("save the result as {}", path.display())]
pub struct SaveError {
    /// The file or directory.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// How many runs of one second and seed can be saved.
const MAX_ATTEMPTS: u32 = 1000;

/// The files that a result's directory holds, beside the logs.
pub const RESULT_FILE: &str = "result.json";
/// The histograms, as [`crate::record::hdr_log`] writes them.
pub const HISTOGRAM_FILE: &str = "latencies.hlog";
/// A row for each operation.
pub const OPERATIONS_FILE: &str = "operations.csv";
/// A row for each second and operation.
pub const TIMELINE_FILE: &str = "timeline.csv";
/// The page.
pub const REPORT_FILE: &str = "report.html";

/// Makes the directory that results are saved under, so that a run does not find
/// out at its end that it cannot.
///
/// # Errors
/// [`SaveError`], naming the directory.
pub fn check(results: &Path) -> Result<(), SaveError> {
    let made = fs::create_dir_all(results).and_then(|()| {
        // Writable? Nothing but trying tells for every file system.
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
/// [`SaveError`], naming the file.
pub fn document(dir: &Path, result: &impl Serialize) -> Result<(), SaveError> {
    file(dir, RESULT_FILE, |out| {
        serde_json::to_writer_pretty(&mut *out, result)?;
        writeln!(out)
    })
}

/// Writes a text.
///
/// # Errors
/// [`SaveError`], naming the file.
pub fn text(dir: &Path, name: &str, text: &str) -> Result<(), SaveError> {
    file(dir, name, |out| out.write_all(text.as_bytes()))
}

/// Makes `results/KIND-TIME-SEED`, or `…-2` and so on.
///
/// # Errors
/// [`SaveError`], naming the directory.
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

/// Copies files into a result's directory, under their own names.
///
/// # Errors
/// [`SaveError`], naming the file.
pub fn copy(files: &[PathBuf], dir: &Path) -> Result<(), SaveError> {
    for file in files {
        let path = dir.join(file.file_name().unwrap_or_default());
        fs::copy(file, &path).map_err(|source| SaveError { path, source })?;
    }
    Ok(())
}

/// Writes one file of a result.
///
/// # Errors
/// [`SaveError`], naming the file.
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
    fn a_place_that_cannot_hold_results_is_noticed_before() {
        let results = tempfile::tempdir().unwrap();
        let file = results.path().join("file");
        fs::write(&file, "").unwrap();
        let error = check(&file.join("below")).unwrap_err();
        assert!(error.to_string().contains("below"), "{error}");
        assert!(check(&results.path().join("a/b")).is_ok());
    }
}
