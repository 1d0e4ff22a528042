//! The journal's directory: names of files, listing, and making names durable.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::error::JournalError;
use super::record::MAX_SEQ;
use slot::Timestamp;

/// Name of the journal's directory within the state directory.
pub const JOURNAL: &str = "journal";
/// Mode of directories: the owner only, because a journal shows the workloads of others.
const DIR_MODE: u32 = 0o700;
/// Mode of files: the owner only.
pub(super) const FILE_MODE: u32 = 0o600;

const SEGMENT: &str = ".jsonl";
const SNAPSHOT: &str = ".snapshot.jsonl";
const TEMPORARY: &str = ".snapshot.jsonl.tmp";
/// Ending of the empty file whose name is the number of the last segment.
const LAST: &str = ".last";
const FORMAT: &str = "format";
const TEMPORARY_FORMAT: &str = "format.tmp";
/// Name of the file in which the daemon keeps the offset of its steady clock.
pub const CLOCK: &str = "clock";
/// Name under which that file is written until it is whole.
pub const TEMPORARY_CLOCK: &str = "clock.tmp";
/// Name of a directory of damaged files, followed by the time.
const DAMAGED: &str = "damaged-";
/// Digits of a number in a name: as many as the largest 64-bit number has, so that names sort.
const DIGITS: usize = 20;

/// The journal's directory.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    path: PathBuf,
}

/// Files in the directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Listing {
    /// First sequence number of each segment, ascending.
    pub(super) segments: Vec<u64>,
    /// Last sequence number in each snapshot, ascending.
    pub(super) snapshots: Vec<u64>,
    /// First record of each segment that is marked as the last one, ascending: one, or none in a
    /// journal of an earlier version.
    pub(super) marks: Vec<u64>,
    /// Snapshots and other files that were not finished.
    pub(super) temporary: Vec<OsString>,
    /// Entries that are not files of the journal.
    pub(super) foreign: Vec<OsString>,
}

enum Name {
    Segment(u64),
    Snapshot(u64),
    Mark(u64),
    Temporary,
    Foreign,
}

/// Makes a directory and its missing parents, durably and with mode 0700.
pub(super) fn create_private(path: &Path) -> Result<(), JournalError> {
    let holders = holders_of_new(path);
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(path)
        .map_err(JournalError::of("create directory", path))?;
    holders.into_iter().try_for_each(sync_dir)
}

/// Returns the directories that get a new entry if `path` is made.
fn holders_of_new(path: &Path) -> Vec<&Path> {
    let missing = path.ancestors().take_while(|level| !level.exists());
    let holders = missing.filter_map(Path::parent);
    // The parent of a relative path's first component has an empty name.
    let named = |holder: &Path| !holder.as_os_str().is_empty();
    holders
        .map(|holder| Some(holder).filter(|h| named(h)))
        .map(|holder| holder.unwrap_or(Path::new(".")))
        .collect()
}

/// Makes a directory's entries durable.
pub(super) fn sync_dir(path: &Path) -> Result<(), JournalError> {
    File::open(path)
        .and_then(|dir| dir.sync_all())
        .map_err(JournalError::of("sync directory", path))
}

impl Directory {
    /// Returns the journal's directory in the state directory `dir`.
    pub(super) fn of(dir: &Path) -> Self {
        Self {
            path: dir.join(JOURNAL),
        }
    }

    /// Makes the directory, durably.
    pub(super) fn create(&self) -> Result<(), JournalError> {
        create_private(&self.path)?;
        self.path.parent().map_or(Ok(()), sync_dir)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of the segment with the first record `first`.
    pub(super) fn segment(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:0DIGITS$}{SEGMENT}"))
    }

    /// Returns the path of the snapshot after record `last`.
    pub(super) fn snapshot(&self, last: u64) -> PathBuf {
        self.path.join(format!("{last:0DIGITS$}{SNAPSHOT}"))
    }

    /// Returns the path under which that snapshot is written until it is whole.
    pub(super) fn temporary(&self, last: u64) -> PathBuf {
        self.path.join(format!("{last:0DIGITS$}{TEMPORARY}"))
    }

    /// Returns the path of the file that marks the segment with the first record `first` as the
    /// last one.
    pub(super) fn mark_of(&self, first: u64) -> PathBuf {
        self.path.join(format!("{first:0DIGITS$}{LAST}"))
    }

    /// Moves the mark of the last segment from `before`, if there is one, to `first`. The mark is
    /// an empty file, so moving it needs no space.
    pub(super) fn mark(&self, before: Option<u64>, first: u64) -> Result<(), JournalError> {
        let path = self.mark_of(first);
        let renamed = match before {
            Some(before) if before == first => return Ok(()),
            Some(before) => fs::rename(self.mark_of(before), &path).is_ok(),
            None => false,
        };
        if renamed {
            return Ok(());
        }
        OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .open(&path)
            .map(drop)
            .map_err(JournalError::of("mark the last segment by", &path))
    }

    /// Moves a damaged file to a new directory, durably, and returns that directory.
    pub(super) fn set_aside(&self, path: &Path) -> Result<PathBuf, JournalError> {
        let kept = self.path.join(format!("{DAMAGED}{}", Timestamp::now()));
        create_private(&kept)?;
        if let Some(name) = path.file_name() {
            fs::rename(path, kept.join(name)).map_err(JournalError::of("set aside", path))?;
        }
        sync_dir(&kept)?;
        path.parent().map_or(Ok(()), sync_dir)?;
        self.sync()?;
        Ok(kept)
    }

    /// Returns the path of the file that states the format.
    pub(super) fn format(&self) -> PathBuf {
        self.path.join(FORMAT)
    }

    /// Returns the path under which that file is written until it is whole.
    pub(super) fn temporary_format(&self) -> PathBuf {
        self.path.join(TEMPORARY_FORMAT)
    }

    /// Makes the directory's entries durable.
    pub(super) fn sync(&self) -> Result<(), JournalError> {
        sync_dir(&self.path)
    }

    /// Removes a file; a missing file is no error.
    pub(super) fn remove(path: &Path) -> Result<(), JournalError> {
        match fs::remove_file(path).map_err(JournalError::of("remove", path)) {
            Err(e) if e.is_not_found() => Ok(()),
            done => done,
        }
    }

    /// Gives all segments and snapshots a second name in a new directory, durably, and returns
    /// that directory.
    pub(super) fn keep(&self, listing: &Listing) -> Result<PathBuf, JournalError> {
        let kept = self.path.join(format!("{DAMAGED}{}", Timestamp::now()));
        create_private(&kept)?;
        for path in self.files(listing) {
            let Some(name) = path.file_name() else {
                continue;
            };
            let second = kept.join(name);
            fs::hard_link(&path, &second)
                .or_else(|_| fs::copy(&path, &second).map(drop))
                .map_err(JournalError::of("keep a copy as", &second))?;
        }
        sync_dir(&kept)?;
        self.sync()?;
        Ok(kept)
    }

    /// Iterates over the paths of the segments and snapshots in a listing.
    pub(super) fn files(&self, listing: &Listing) -> impl Iterator<Item = PathBuf> {
        let segments = listing.segments.iter().map(|first| self.segment(*first));
        segments.chain(listing.snapshots.iter().map(|last| self.snapshot(*last)))
    }

    pub(super) fn list(&self) -> Result<Listing, JournalError> {
        let failed = || JournalError::of("list", &self.path);
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.path).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let name = entry.file_name();
            let kind = entry.file_type().map_err(failed())?;
            let bytes = name.as_encoded_bytes();
            let is_damaged = kind.is_dir() && bytes.starts_with(DAMAGED.as_bytes());
            if is_damaged || [FORMAT, CLOCK].iter().any(|own| bytes == own.as_bytes()) {
                continue;
            }
            match parse(&name).filter(|_| kind.is_file()) {
                Some(Name::Segment(first)) => listing.segments.push(first),
                Some(Name::Snapshot(last)) => listing.snapshots.push(last),
                Some(Name::Mark(first)) => listing.marks.push(first),
                Some(Name::Temporary) => listing.temporary.push(name),
                Some(Name::Foreign) | None => listing.foreign.push(name),
            }
        }
        listing.segments.sort_unstable();
        listing.snapshots.sort_unstable();
        listing.marks.sort_unstable();
        Ok(listing)
    }
}

fn parse(name: &OsString) -> Option<Name> {
    if name == TEMPORARY_FORMAT || name == TEMPORARY_CLOCK {
        return Some(Name::Temporary);
    }
    let (digits, suffix) = name.to_str()?.split_at_checked(DIGITS)?;
    if !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let seq = digits.parse().ok().filter(|n| (1..=MAX_SEQ).contains(n))?;
    Some(match suffix {
        SEGMENT => Name::Segment(seq),
        SNAPSHOT => Name::Snapshot(seq),
        LAST => Name::Mark(seq),
        TEMPORARY => Name::Temporary,
        _ => Name::Foreign,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn files_are_sorted_by_name_and_type() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Directory::of(dir.path());
        journal.create().unwrap();
        for path in [
            journal.segment(12),
            journal.segment(3),
            journal.snapshot(11),
            journal.temporary(13),
            journal.temporary_format(),
            journal.path().join(CLOCK),
            journal.path().join(TEMPORARY_CLOCK),
            journal.mark_of(12),
            journal.path().join("notes.txt"),
            journal.path().join("00000000000000000000.jsonl"),
            journal.path().join("99999999999999999999.jsonl"),
            journal.path().join("+0000000000000000012.jsonl"),
        ] {
            fs::write(path, "").unwrap();
        }
        fs::create_dir(journal.segment(20)).unwrap();
        symlink("/etc/passwd", journal.segment(21)).unwrap();
        let listing = journal.list().unwrap();
        assert_eq!(listing.segments, [3, 12]);
        assert_eq!(listing.snapshots, [11]);
        assert_eq!(listing.marks, [12]);
        let mut temporary = listing.temporary;
        temporary.sort();
        assert_eq!(
            temporary,
            [
                "00000000000000000013.snapshot.jsonl.tmp",
                "clock.tmp",
                "format.tmp"
            ]
        );
        assert_eq!(listing.foreign.len(), 6);
    }

    #[test]
    fn every_directory_that_gets_a_new_entry_is_synced() {
        let dir = tempfile::tempdir().unwrap();
        let at = |path: &str| dir.path().join(path);
        fs::create_dir(at("a")).unwrap();
        assert_eq!(
            holders_of_new(&at("a/b/c")),
            [at("a/b"), at("a")].each_ref()
        );
        assert_eq!(holders_of_new(&at("a")), <[&Path; 0]>::default());
        let relative = Path::new("no-such-directory/journal");
        assert_eq!(
            holders_of_new(relative),
            ["no-such-directory", "."].map(Path::new)
        );
    }

    #[test]
    fn only_the_owner_may_read_a_new_directory() {
        let dir = tempfile::tempdir().unwrap();
        let journal = Directory::of(&dir.path().join("a/b"));
        journal.create().unwrap();
        journal.create().unwrap();
        let mode = fs::metadata(journal.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
