//! The directory of a result.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::commands::error::SaveError;
use crate::record::hdr_log;
use crate::result::RunResult;
use crate::result::csv;
use crate::show::report;

/// How many runs of one second and seed can be saved.
const MAX_ATTEMPTS: u32 = 1000;

/// The files that a result's directory holds, beside the logs.
pub const RESULT_FILE: &str = "result.json";
/// See [`hdr_log`].
pub const HISTOGRAM_FILE: &str = "latencies.hlog";
/// See [`csv::operations`].
pub const OPERATIONS_FILE: &str = "operations.csv";
/// See [`csv::timeline`].
pub const TIMELINE_FILE: &str = "timeline.csv";
/// See [`report`].
pub const REPORT_FILE: &str = "report.html";

/// What is saved.
#[derive(Debug)]
pub struct Saved<'a> {
    /// The document.
    pub result: &'a RunResult,
    /// The histograms behind it, as [`hdr_log`] writes them, or why there are none.
    pub histograms: io::Result<File>,
    /// The logs of the run's own programs, to be copied.
    pub logs: &'a [PathBuf],
}

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

impl Saved<'_> {
    /// Saves as `results/run-TIME-SEED` (or `…-2` and so on); that directory.
    ///
    /// # Errors
    /// [`SaveError`], naming the file.
    pub fn under(self, results: &Path) -> Result<PathBuf, SaveError> {
        let (at, seed) = (&self.result.started_at, self.result.scenario.seed);
        let dir = create(results, "run", at, seed)?;
        // First what nothing else can be had from.
        document(&dir, self.result)?;
        copy(self.logs, &dir)?;
        file(&dir, HISTOGRAM_FILE, |out| {
            hdr_log::copy(&self.histograms?, out)
        })?;
        derived(&dir, self.result)?;
        Ok(dir)
    }
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

/// Writes what follows from a result and its histograms, which are in the
/// directory already.
///
/// # Errors
/// [`SaveError`], naming the file.
pub fn derived(dir: &Path, result: &RunResult) -> Result<(), SaveError> {
    file(dir, OPERATIONS_FILE, |out| csv::operations(result, out))?;
    file(dir, TIMELINE_FILE, |out| csv::timeline(result, out))?;
    file(dir, REPORT_FILE, |out| {
        let page = report::of(result, dir).map_err(io::Error::other)?;
        out.write_all(page.as_bytes())
    })
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
    use std::time::SystemTime;

    use super::*;
    use crate::record::hdr_log::Spool;
    use crate::result::fixture::example;

    #[test]
    fn runs_of_the_same_second_get_directories_of_their_own() {
        let results = tempfile::tempdir().unwrap();
        let log = results.path().join("sandboxer.log");
        fs::write(&log, "hello").unwrap();
        let (result, logs) = (example(), [log]);
        let saved = || Saved {
            result: &result,
            histograms: Spool::new(SystemTime::now()).finish(),
            logs: &logs,
        };
        let first = saved().under(results.path()).unwrap();
        assert_eq!(first, results.path().join("run-20260102T030405Z-42"));
        let second = saved().under(results.path()).unwrap();
        assert_eq!(second, results.path().join("run-20260102T030405Z-42-2"));
        let json = fs::read(second.join(RESULT_FILE)).unwrap();
        assert_eq!(serde_json::from_slice::<RunResult>(&json).unwrap(), result);
        assert_eq!(
            fs::read_to_string(second.join("sandboxer.log")).unwrap(),
            "hello"
        );
        for name in [HISTOGRAM_FILE, OPERATIONS_FILE, TIMELINE_FILE, REPORT_FILE] {
            assert!(second.join(name).exists(), "{name}");
        }
    }

    #[test]
    fn without_histograms_there_is_a_result_all_the_same() {
        let results = tempfile::tempdir().unwrap();
        let saved = Saved {
            result: &example(),
            histograms: Err(io::ErrorKind::StorageFull.into()),
            logs: &[],
        };
        let error = saved.under(results.path()).unwrap_err();
        assert_eq!(error.path.file_name().unwrap(), HISTOGRAM_FILE);
        let dir = error.path.parent().unwrap();
        assert_eq!(crate::result::load(dir).unwrap(), example());
    }

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
