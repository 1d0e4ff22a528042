//! Saving of a run: its document, its histograms, and the files derived from them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::record::hdr_log;
use crate::result::cpu_profile::PROFILE_FILE;
use crate::result::directory::{
    self, HISTOGRAM_FILE, OPERATIONS_FILE, REPORT_FILE, SaveError, TIMELINE_FILE,
};
use crate::result::{RunResult, csv};
use crate::show::report;

/// Parts of a saved run.
#[derive(Debug)]
pub struct Saved<'a> {
    /// Document of the run.
    pub result: &'a RunResult,
    /// Histograms of the run, in the form of [`hdr_log`], or the failure to record
    /// them.
    pub histograms: io::Result<File>,
    /// CPU profile of containerd, if one was taken.
    pub profile: Option<&'a [u8]>,
    /// Logs of the started programs, to be copied.
    pub logs: &'a [PathBuf],
}

impl Saved<'_> {
    /// Saves the run as `results/run-TIME-SEED` (or `…-2` and so on) and returns this
    /// directory. Writes as many of the files as it can, first those that no other file
    /// contains: the measurements, and then the logs.
    ///
    /// # Errors
    /// The first [`SaveError`], naming the file.
    pub fn under(self, results: &Path) -> Result<PathBuf, SaveError> {
        let (at, seed) = (&self.result.header.started_at, self.result.scenario.seed);
        self.into(directory::create(results, "run", at, seed)?)
    }

    /// Saves the run in a directory that does not exist, and returns it; as [`Saved::under`].
    ///
    /// # Errors
    /// The first [`SaveError`], naming the file or the directory.
    pub fn create(self, dir: &Path) -> Result<PathBuf, SaveError> {
        fs::create_dir(dir).map_err(|source| SaveError {
            path: dir.to_owned(),
            source,
        })?;
        self.into(dir.to_owned())
    }

    fn into(self, dir: PathBuf) -> Result<PathBuf, SaveError> {
        let document = directory::document(&dir, self.result);
        let histograms = directory::file(&dir, HISTOGRAM_FILE, |out| {
            hdr_log::copy(&self.histograms?, out)
        });
        let profile = self.profile.map_or(Ok(()), |profile| {
            directory::file(&dir, PROFILE_FILE, |out| out.write_all(profile))
        });
        let logs = directory::copy(self.logs, &dir);
        let derived = derived(&dir, self.result);
        document
            .and(histograms)
            .and(profile)
            .and(logs)
            .and(derived)?;
        Ok(dir)
    }
}

/// Writes the files derived from a result and its histograms, both already in the
/// directory.
///
/// # Errors
/// The first [`SaveError`], naming the file.
pub fn derived(dir: &Path, result: &RunResult) -> Result<(), SaveError> {
    let operations = directory::file(dir, OPERATIONS_FILE, |out| csv::operations(result, out));
    let timeline = directory::file(dir, TIMELINE_FILE, |out| csv::timeline(result, out));
    let page = directory::file(dir, REPORT_FILE, |out| {
        let page = report::of(result, dir).map_err(io::Error::other)?;
        out.write_all(page.as_bytes())
    });
    operations.and(timeline).and(page)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::record::hdr_log::Spool;
    use crate::result::directory::RESULT_FILE;
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
            profile: None,
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
    fn a_log_that_cannot_be_copied_keeps_no_other_file_from_being_saved() {
        let results = tempfile::tempdir().unwrap();
        let full = results.path().join("full.log");
        fs::write(&full, "hello").unwrap();
        let logs = [results.path().join("gone.log"), full];
        let saved = Saved {
            result: &example(),
            histograms: Spool::new(SystemTime::now()).finish(),
            profile: None,
            logs: &logs,
        };
        let error = saved.under(results.path()).unwrap_err();
        assert_eq!(error.path.file_name().unwrap(), "gone.log");
        let dir = error.path.parent().unwrap();
        for name in [
            RESULT_FILE,
            HISTOGRAM_FILE,
            "full.log",
            TIMELINE_FILE,
            REPORT_FILE,
        ] {
            assert!(dir.join(name).exists(), "{name}");
        }
    }

    #[test]
    fn a_result_is_saved_even_without_histograms() {
        let results = tempfile::tempdir().unwrap();
        let saved = Saved {
            result: &example(),
            histograms: Err(io::ErrorKind::StorageFull.into()),
            profile: None,
            logs: &[],
        };
        let error = saved.under(results.path()).unwrap_err();
        assert_eq!(error.path.file_name().unwrap(), HISTOGRAM_FILE);
        let dir = error.path.parent().unwrap();
        assert_eq!(crate::result::load(dir).unwrap(), example());
    }
}
