//! Reading a journal that someone else may be writing.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use super::directory::Directory;
use super::error::StoreError;
use super::fold::Slots;
use super::format;
use super::journal::Recovered;
use super::lines::Decoding;
use super::recovery::{self, Replayed};

/// How often a journal that changes under the reader is read anew.
const TRIES: u32 = 5;

/// Reads the state of the journal in `dir` without changing or locking
/// anything. What cannot be used is in the report, not an error.
///
/// # Errors
/// [`StoreError::NoJournal`], [`StoreError::Format`], or what the file system says.
pub fn read(dir: &Path) -> Result<Recovered, StoreError> {
    read_anew(dir, || ())
}

/// As [`read`]; `again` is called before the journal is read anew.
fn read_anew(dir: &Path, mut again: impl FnMut()) -> Result<Recovered, StoreError> {
    let started = Instant::now();
    let directory = Directory::of(dir);
    let path = directory.path();
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Err(e) if ![ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => {
            return Err(StoreError::io("examine", path, e));
        }
        Ok(_) | Err(_) => return Err(StoreError::NoJournal(dir.to_owned())),
    }
    format::check(&directory)?;
    let mut tries = 1;
    let mut torn_before = None;
    loop {
        let listing = directory.list()?;
        let replayed = recovery::replay::<Slots>(&directory, &listing, None, Decoding::Everywhere);
        let changes = match &replayed {
            // An append may be under way; what stays torn is.
            Ok(Replayed { report, .. }) if report.dropped.is_empty() => {
                report.torn.is_some() && report.torn != torn_before
            }
            Err(e) if !e.is_not_found() => false,
            // A compaction takes files away, and a listing may miss what replaced them.
            Ok(_) | Err(_) => directory.list()? != listing,
        };
        if changes && tries < TRIES {
            tries += 1;
            torn_before = replayed.ok().and_then(|replayed| replayed.report.torn);
            again();
            continue;
        }
        let replayed = replayed?;
        let mut report = replayed.report;
        report.took = started.elapsed();
        let slots = replayed.folded;
        return Ok(Recovered { slots, report });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;
    use crate::testing::{creates, fold, write_journal};
    use std::os::unix::fs::symlink;

    #[test]
    fn there_is_nothing_to_read_where_no_journal_is() {
        let dir = tempfile::tempdir().unwrap();
        let none = |dir: &Path| matches!(read(dir), Err(StoreError::NoJournal(_)));
        assert!(none(dir.path()));
        assert!(none(&dir.path().join("missing")));
        fs::write(dir.path().join("journal"), "").unwrap();
        assert!(none(dir.path()));
    }

    #[test]
    fn what_cannot_be_examined_may_hold_a_journal() {
        let dir = tempfile::tempdir().unwrap();
        symlink("journal", dir.path().join("journal")).unwrap();
        let message = read(dir.path()).map(drop).unwrap_err().to_string();
        let path = dir.path().join("journal");
        let expected = format!("cannot examine {}: ", path.display());
        assert!(message.starts_with(&expected), "{message}");
    }

    #[test]
    fn an_append_under_way_is_not_a_torn_one() {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &creates(3));
        let path = Directory::of(dir.path()).segment(1);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() - 9]).unwrap();
        let torn = read(dir.path()).unwrap().report.torn;
        assert_eq!(torn.unwrap().line, 3);
        let read = read_anew(dir.path(), || fs::write(&path, &whole).unwrap()).unwrap();
        assert_eq!(read.report.torn, None);
        assert_eq!(read.slots, fold(&creates(3)));
    }
}
