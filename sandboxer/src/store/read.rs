//! Reading a journal that someone else may be writing.

use std::path::Path;
use std::time::Instant;

use super::directory::Directory;
use super::error::StoreError;
use super::format;
use super::journal::Recovered;
use super::recovery;

/// How often a journal that changes under the reader is read anew.
const TRIES: u32 = 5;

/// Reads the state of the journal in `dir` without changing or locking
/// anything. What cannot be used is in the report, not an error.
///
/// # Errors
/// [`StoreError::NoJournal`], [`StoreError::Format`], or what the file system says.
pub fn read(dir: &Path) -> Result<Recovered, StoreError> {
    let started = Instant::now();
    let directory = Directory::of(dir);
    if !directory.path().is_dir() {
        return Err(StoreError::NoJournal(dir.to_owned()));
    }
    format::check(&directory)?;
    let mut tries = 1;
    loop {
        let listing = directory.list()?;
        let replayed = recovery::replay(&directory, &listing, None);
        let suspicious = match &replayed {
            Ok(replayed) => !replayed.report.dropped.is_empty(),
            Err(e) => e.is_not_found(),
        };
        // A compaction takes files away, and a listing may miss what replaced them.
        if suspicious && tries < TRIES && directory.list()? != listing {
            tries += 1;
            continue;
        }
        let replayed = replayed?;
        let mut report = replayed.report;
        report.took = started.elapsed();
        let slots = replayed.slots;
        return Ok(Recovered { slots, report });
    }
}
