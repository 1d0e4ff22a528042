//! Saves a run: its document, its histograms, and all that is made of them.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::record::hdr_log;
use crate::result::directory::{
    self, HISTOGRAM_FILE, OPERATIONS_FILE, REPORT_FILE, SaveError, TIMELINE_FILE,
};
use crate::result::{RunResult, csv};
use crate::show::report;

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

impl Saved<'_> {
    /// Saves as `results/run-TIME-SEED` (or `…-2` and so on); that directory.
    ///
    /// # Errors
    /// [`SaveError`], naming the file.
    pub fn under(self, results: &Path) -> Result<PathBuf, SaveError> {
        let (at, seed) = (&self.result.header.started_at, self.result.scenario.seed);
        let dir = directory::create(results, "run", at, seed)?;
        // First what nothing else can be had from.
        directory::document(&dir, self.result)?;
        directory::copy(self.logs, &dir)?;
        directory::file(&dir, HISTOGRAM_FILE, |out| {
            hdr_log::copy(&self.histograms?, out)
        })?;
        derived(&dir, self.result)?;
        Ok(dir)
    }
}

/// Writes what follows from a result and its histograms, which are in the
/// directory already.
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
}
