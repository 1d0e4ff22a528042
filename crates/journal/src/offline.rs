//! Reads a journal that another process may be writing.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Instant;

use super::directory::Directory;
use super::error::JournalError;
use super::fold::Slots;
use super::format;
use super::load::{self, Loaded};
use super::parallel_decode::Decoding;
use super::report::Recovered;

/// Most attempts to read a journal that changes meanwhile.
const TRIES: u32 = 5;

/// Reads the state of the journal in the state directory `dir`, without changing or locking a
/// file. Records that cannot be used are in the report and are no error.
///
/// # Errors
/// [`JournalError::NoJournal`], [`JournalError::Format`], and failures of the file system.
///
/// ```
/// use containerd_sandbox::Key;
/// use journal::{Journal, Options};
/// use slot::{Change, NewSandbox, SandboxState, Timestamp};
///
/// let dir = tempfile::tempdir()?;
/// let key = Key::new("k8s.io", "web")?;
/// let (journal, _) = Journal::open(dir.path(), Options::default())?;
/// let create = Change::Create(NewSandbox::default());
/// journal.append(&key, Timestamp::now(), &create)?;
///
/// let read = journal::read(dir.path())?;
/// assert_eq!(read.slots[&key].state, SandboxState::Created);
/// assert_eq!(read.report.records, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(dir: &Path) -> Result<Recovered, JournalError> {
    read_anew(dir, || ())
}

/// Reads as [`read`] does, and calls `again` before each further attempt.
fn read_anew(dir: &Path, mut again: impl FnMut()) -> Result<Recovered, JournalError> {
    let started = Instant::now();
    let directory = Directory::of(dir);
    let path = directory.path();
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => {}
        Err(e) if ![ErrorKind::NotFound, ErrorKind::NotADirectory].contains(&e.kind()) => {
            return Err(JournalError::io("examine", path, e));
        }
        Ok(_) | Err(_) => return Err(JournalError::NoJournal(dir.to_owned())),
    }
    format::check(&directory)?;
    let mut tries = 1;
    let mut torn_before = None;
    loop {
        let listing = directory.list()?;
        let loaded = load::load::<Slots>(&directory, &listing, None, Decoding::Everywhere);
        let changes = match &loaded {
            // The append may still be under way. A tail that is the same twice is torn.
            Ok(Loaded { report, .. }) if report.dropped.is_empty() => {
                report.torn.is_some() && report.torn != torn_before
            }
            Err(e) if !e.is_not_found() => false,
            // A compaction removes files, and a listing may miss the snapshot that replaced them.
            Ok(_) | Err(_) => directory.list()? != listing,
        };
        if changes && tries < TRIES {
            tries += 1;
            torn_before = loaded.ok().and_then(|loaded| loaded.report.torn);
            again();
            continue;
        }
        let loaded = loaded?;
        let mut report = loaded.report;
        report.took = started.elapsed();
        let slots = loaded.folded;
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
    fn a_directory_without_a_journal_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let none = |dir: &Path| matches!(read(dir), Err(JournalError::NoJournal(_)));
        assert!(none(dir.path()));
        assert!(none(&dir.path().join("missing")));
        fs::write(dir.path().join("journal"), "").unwrap();
        assert!(none(dir.path()));
    }

    #[test]
    fn a_directory_that_cannot_be_examined_may_hold_a_journal() {
        let dir = tempfile::tempdir().unwrap();
        symlink("journal", dir.path().join("journal")).unwrap();
        let message = read(dir.path()).map(drop).unwrap_err().to_string();
        let path = dir.path().join("journal");
        let expected = format!("cannot examine {}: ", path.display());
        assert!(message.starts_with(&expected), "{message}");
    }

    #[test]
    fn an_append_under_way_is_not_reported_as_torn() {
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
