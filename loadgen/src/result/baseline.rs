//! Named baselines: copies of results to compare later ones with.
//!
//! The copy of a run or of repeated runs lies in `baselines/NAME` below the directory for results.
//! It has the parts from which a comparison is made: the documents and the histograms.

use std::fmt::{self, Display};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::directory::{HISTOGRAM_FILE, RESULT_FILE, SaveError};

/// Directory of all baselines, below that for results.
const BASELINES: &str = "baselines";

/// Name of a baseline: letters, digits and any of `.`, `_` and `-`, at most 64, with a letter or
/// digit first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineName(String);

/// A text that is no name of a baseline.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("wanted at most 64 letters, digits and . _ -, with a letter or digit first")]
pub struct NoBaselineName;

impl FromStr for BaselineName {
    type Err = NoBaselineName;

    fn from_str(text: &str) -> Result<Self, NoBaselineName> {
        let is_right = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let begins = text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if begins && text.len() <= 64 && text.chars().all(is_right) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NoBaselineName)
        }
    }
}

impl Display for BaselineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl BaselineName {
    /// Returns the directory of the baseline below that for results.
    pub fn directory(&self, results: &Path) -> PathBuf {
        results.join(BASELINES).join(&self.0)
    }

    /// Copies a saved result as this baseline, in place of an earlier one, which stays if the copy
    /// fails.
    ///
    /// # Errors
    /// [`SaveError`] with the directory of the baseline.
    pub fn save(&self, result: &Path, results: &Path) -> Result<(), SaveError> {
        let place = self.directory(results);
        let copied = || {
            let all = results.join(BASELINES);
            fs::create_dir_all(&all)?;
            let new = tempfile::Builder::new().prefix(".new-").tempdir_in(&all)?;
            copy(result, new.path())?;
            match fs::remove_dir_all(&place) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            fs::rename(new.keep(), &place)
        };
        copied().map_err(|source| SaveError {
            path: place.clone(),
            source,
        })
    }
}

/// Copies the documents and histograms of a result and of the runs in its directory.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (name, path) = (entry.file_name(), entry.path());
        if entry.file_type()?.is_dir() {
            let below = to.join(&name);
            fs::create_dir(&below)?;
            copy(&path, &below)?;
        } else if name == RESULT_FILE || name == HISTOGRAM_FILE {
            fs::copy(&path, to.join(&name))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_the_directory() {
        for right in ["main", "v1.2_x-3", "7"] {
            assert_eq!(right.parse::<BaselineName>().unwrap().to_string(), right);
        }
        for wrong in ["", "..", "a/b", ".a", "-a", "a b", &"a".repeat(65)] {
            assert!(wrong.parse::<BaselineName>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_later_baseline_takes_the_place_of_an_earlier_one() {
        let results = tempfile::tempdir().unwrap();
        let name: BaselineName = "main".parse().unwrap();
        for (dir, text) in [("runs-1", "one"), ("runs-2", "two")] {
            let run = results.path().join(dir).join("1");
            fs::create_dir_all(&run).unwrap();
            fs::write(run.join(RESULT_FILE), text).unwrap();
            fs::write(run.join("report.html"), "page").unwrap();
            name.save(&results.path().join(dir), results.path())
                .unwrap();
            let kept = name.directory(results.path()).join("1");
            assert_eq!(fs::read_to_string(kept.join(RESULT_FILE)).unwrap(), text);
            assert!(!kept.join("report.html").exists());
        }
        let missing = name.save(&results.path().join("none"), results.path());
        assert!(missing.unwrap_err().path.ends_with("baselines/main"));
        assert!(name.directory(results.path()).join("1").exists());
        let left = fs::read_dir(results.path().join(BASELINES)).unwrap();
        assert_eq!(left.count(), 1);
    }
}
