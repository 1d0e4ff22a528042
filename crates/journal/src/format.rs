//! Number of the format of the journal's files, which the file `format` states.
//!
//! A version that writes another format states its number before it writes anything else, so
//! that an older version does not mistake the files for damaged ones.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;

use super::directory::{Directory, FILE_MODE};
use super::error::JournalError;

/// Format of snapshots and segments.
pub(super) const FORMAT: u32 = 1;

/// Returns whether the journal states its format. A journal that states none has the first.
///
/// # Errors
/// [`JournalError::Format`] if the format is another one, [`JournalError::DamagedFile`] if the
/// file does not state a number.
pub(super) fn check(directory: &Directory) -> Result<bool, JournalError> {
    let path = directory.format();
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(JournalError::io("read", &path, e)),
    };
    let text = String::from_utf8_lossy(&text);
    match text.trim().parse() {
        Ok(FORMAT) => Ok(true),
        Ok(format) => Err(JournalError::Format {
            path,
            format,
            known: FORMAT,
        }),
        Err(_) => Err(JournalError::DamagedFile {
            path,
            reason: match text.trim() {
                "" => "it is empty".to_owned(),
                text => format!("{text:.20?} is no number of a format"),
            },
            remedy: "take the journal for one of format 1",
        }),
    }
}

/// Checks the format, and states it if it is not. With `recover`, a file that does not state a
/// number is set aside.
pub(super) fn ensure(directory: &Directory, recover: bool) -> Result<(), JournalError> {
    match check(directory) {
        Ok(true) => return Ok(()),
        Ok(false) => {}
        Err(e @ JournalError::DamagedFile { .. }) if recover => {
            let kept = directory.set_aside(&directory.format())?;
            tracing::warn!("{e}: it is kept in {}", kept.display());
        }
        Err(e) => return Err(e),
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
        .map_err(JournalError::of("write", &path));
    match written {
        // A journal that states no format has the first, so a full disk is no reason to stop.
        Err(e) if e.is_out_of_space() => {
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
    fn a_journal_of_another_format_is_not_reported_as_damaged() {
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
    fn a_journal_that_states_no_format_has_the_first() {
        let dir = tempfile::tempdir().unwrap();
        write_journal(dir.path(), Options::default(), &creates(3));
        let directory = Directory::of(dir.path());
        fs::remove_file(directory.format()).unwrap();
        assert_eq!(read(dir.path()).unwrap().slots, fold(&creates(3)));
        assert_eq!(open(dir.path()).1.report.warnings(), Vec::<String>::new());
        assert!(directory.format().exists());
    }

    #[test]
    fn a_format_that_is_no_number_stops_the_start_until_it_is_set_aside() {
        for (content, reason) in [
            (&b"gibberish"[..], "\"gibberish\" is no number of a format"),
            (b"", "it is empty"),
            (b"\n", "it is empty"),
            (b"\xff\xfe", "is no number of a format"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            write_journal(dir.path(), Options::default(), &creates(3));
            let directory = Directory::of(dir.path());
            let path = directory.format();
            fs::write(&path, content).unwrap();
            for refused in [
                Journal::open(dir.path(), Options::default()).map(drop),
                read(dir.path()).map(drop),
            ] {
                let message = refused.unwrap_err().to_string();
                assert!(message.contains(path.to_str().unwrap()), "{message}");
                assert!(message.contains(reason), "{message}");
                assert!(message.contains("--recover would"), "{message}");
            }
            assert_eq!(fs::read(&path).unwrap(), content, "nothing was changed");

            let options = Options {
                recover: true,
                ..Options::default()
            };
            let (journal, recovered) = Journal::open(dir.path(), options).unwrap();
            assert_eq!(recovered.slots, fold(&creates(3)));
            drop(journal);
            assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
            let kept = fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
            let kept: Vec<_> = kept.filter(|entry| entry.path().is_dir()).collect();
            assert_eq!(kept.len(), 1);
            assert_eq!(fs::read(kept[0].path().join("format")).unwrap(), content);
            assert_eq!(open(dir.path()).1.report.warnings(), Vec::<String>::new());
        }
    }
}
