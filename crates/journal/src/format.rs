//! The format of the journal's files, which one of them states.
//!
//! A version that writes another format has to state it before anything else,
//! so that an older one does not take what it cannot read for damage.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use super::directory::{Directory, FILE_MODE};
use super::error::StoreError;

/// The format of snapshots and segments.
pub(super) const FORMAT: u32 = 1;

/// Whether the journal states its format. One that does not has the first.
///
/// # Errors
/// [`StoreError::Format`] if it is another one.
pub(super) fn check(directory: &Directory) -> Result<bool, StoreError> {
    let path = directory.format();
    let failed = || StoreError::of("read", &path);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(failed()(e)),
    };
    match text.trim().parse() {
        Ok(FORMAT) => Ok(true),
        Ok(format) => Err(StoreError::Format {
            path,
            format,
            known: FORMAT,
        }),
        Err(_) => {
            let reason = format!("{text:.20?} is no number of a format");
            Err(failed()(io::Error::new(io::ErrorKind::InvalidData, reason)))
        }
    }
}

/// Checks the format, and states it if it is not.
pub(super) fn ensure(directory: &Directory) -> Result<(), StoreError> {
    if check(directory)? {
        return Ok(());
    }
    let path = directory.format();
    let temporary = directory.temporary_format();
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(FILE_MODE)
        .open(&temporary)
        .and_then(|mut file| {
            writeln!(file, "{FORMAT}")?;
            file.sync_all()?;
            fs::rename(&temporary, &path)
        })
        .map_err(StoreError::of("write", &path));
    match written {
        // Without a word it is the first, so a full disk need not stop anybody.
        Err(e @ StoreError::NoSpace { .. }) => {
            tracing::warn!("{e}");
            Directory::remove(&temporary)
        }
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{creates, fold, open, write_journal};
    use crate::{Journal, Options, read};

    #[test]
    fn another_versions_journal_is_not_taken_for_damage() {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &creates(3));
        let directory = Directory::of(dir.path());
        assert_eq!(fs::read_to_string(directory.format()).unwrap(), "1\n");
        let segment = fs::read(directory.segment(1)).unwrap();
        fs::write(directory.format(), "2\n").unwrap();
        fs::write(directory.segment(4), "of another kind\n").unwrap();
        let options = Options {
            recover: true,
            ..Options::default()
        };
        for refused in [
            Journal::open(dir.path(), options).map(drop),
            read(dir.path()).map(drop),
        ] {
            let message = refused.unwrap_err().to_string();
            let expected = format!(
                "{} has format 2, this version reads format 1",
                directory.format().display()
            );
            assert_eq!(message, expected);
        }
        assert_eq!(fs::read(directory.segment(1)).unwrap(), segment);
    }

    #[test]
    fn a_journal_that_does_not_say_has_the_first_format() {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &creates(3));
        let directory = Directory::of(dir.path());
        fs::remove_file(directory.format()).unwrap();
        assert_eq!(read(dir.path()).unwrap().slots, fold(&creates(3)));
        assert_eq!(open(dir.path()).1.report.warnings(), Vec::<String>::new());
        assert!(directory.format().exists());
    }

    #[test]
    fn what_is_no_number_is_named() {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &creates(3));
        let path = Directory::of(dir.path()).format();
        fs::write(&path, "gibberish").unwrap();
        let message = read(dir.path()).map(drop).unwrap_err().to_string();
        assert!(message.contains(path.to_str().unwrap()), "{message}");
        assert!(message.contains("\"gibberish\""), "{message}");
    }
}
