//! Saving of a run: its document, its histograms, and the files derived from them.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::record::hdr_log;
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
    /// Logs of the started programs, to be copied.
    pub logs: &'a [PathBuf],
}

impl Saved<'_> {
    /// Saves the run as `results/run-TIME-SEED` (or `…-2` and so on) and returns this
    /// directory.
    ///
    /// # Errors
    /// [`SaveError`], naming the file.
    pub fn under(self, results: &Path) -> Result<PathBuf, SaveError> {
        let (at, seed) = (&self.result.header.started_at, self.result.scenario.seed);
        let dir = directory::create(results, "run", at, seed)?;
        // The files that cannot be derived from others come first.
        directory::document(&dir, self.result)?;
        directory::copy(self.logs, &dir)?;
        directory::file(&dir, HISTOGRAM_FILE, |out| {
            hdr_log::copy(&self.histograms?, out)
        })?;
        derived(&dir, self.result)?;
        Ok(dir)
    }
}

/// Writes the files derived from a result and its histograms, both already in the
/// directory.
///
/// # Errors
/// [`SaveError`], naming the file.
pub fn derived(dir: &Path, result: &RunResult) -> Result<(), SaveError> {
    directory::file(dir, OPERATIONS_FILE, |out| csv::operations(result, out))?;
    directory::file(dir, TIMELINE_FILE, |out| csv::timeline(result, out))?;
    directory::file(dir, REPORT_FILE, |out| {
        let page = report::of(result, dir).map_err(io::Error::other)?;
        out.write_all(page.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
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
    fn a_result_is_saved_even_without_histograms() {
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
}
