//! Reuses the directories of removed views.
//!
//! Making and freeing a directory or file is the most expensive part of a view: ext4 without a
//! journal searches all inodes that were freed in the last minutes. So every view is written
//! in a directory below `.spare`, a name that no id can have, and moved to its place when it
//! is whole; when the view is removed, its directory is moved back. Pods that come and go then
//! allocate no inode.
//!
//! No file below `.spare` is ever read. The directory is emptied at every start and at every
//! orderly end, and never holds more than [`LIMIT`] directories of a kind.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, Stat, fstat, fstatvfs, mkdirat, openat, renameat,
    renameat_with, statat,
};
use rustix::io::Errno;
use rustix::process::{Uid, geteuid};

use super::entry::{
    CONTAINERS, Found, INFO, Swept, all_entries, find_dir, make_dir, names, open_dir, remove_dir,
    remove_file,
};

/// Name of the directory of spare directories; no id begins with a dot.
pub(super) const SPARE: &str = ".spare";

/// Most spare directories of a kind.
const LIMIT: usize = 256;

/// Below this number of spare directories of a kind, a new one is made while the oldest still
/// rests.
const RESTING: usize = LIMIT / 2;

/// Free bytes of the file system below which no directory is kept.
const ROOM: u64 = 16 << 20;

/// Bits of a mode that are compared; the other bits may be inherited from the parent.
const PERMISSIONS: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

/// Effective user id of this process; it stays the same.
static USER: LazyLock<Uid> = LazyLock::new(geteuid);

/// Kind of a view's directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Directory of a sandbox; may have an empty directory for containers.
    Sandbox,
    /// Directory of a container; has at most the file of a view.
    Container,
}

/// A spare directory.
#[derive(Debug)]
struct Spare {
    name: String,
    since: Instant,
}

/// A spare directory that is about to become the directory of a view.
#[derive(Debug)]
pub(super) struct Blank {
    kind: Kind,
    name: String,
    dir: OwnedFd,
    /// Whether the file in it, if any, may be overwritten.
    rested: bool,
}

/// All spare directories.
#[derive(Debug)]
pub(super) struct Spares {
    /// The directory `.spare`, opened at its first use.
    dir: Option<OwnedFd>,
    /// Number of the last name.
    count: u64,
    /// Spare directories of sandboxes, the oldest first.
    sandboxes: VecDeque<Spare>,
    /// Spare directories of containers, the oldest first.
    containers: VecDeque<Spare>,
    /// Time for which the file of a removed view is not overwritten: a reader that opened the
    /// file by its name has this long to read it.
    rest: Duration,
    /// [`ROOM`], or another number in tests.
    room: u64,
}

impl Spares {
    pub(super) fn new(rest: Duration) -> Self {
        Self {
            dir: None,
            count: 0,
            sandboxes: VecDeque::new(),
            containers: VecDeque::new(),
            rest,
            room: ROOM,
        }
    }

    fn of(&mut self, kind: Kind) -> &mut VecDeque<Spare> {
        match kind {
            Kind::Sandbox => &mut self.sandboxes,
            Kind::Container => &mut self.containers,
        }
    }

    /// Returns the directory `.spare`.
    fn dir(&mut self, root: &OwnedFd) -> Result<&OwnedFd, Errno> {
        if self.dir.is_none() {
            self.dir = Some(make_dir(root, SPARE)?);
        }
        self.dir.as_ref().ok_or(Errno::NOENT)
    }

    fn new_name(&mut self) -> String {
        self.count += 1;
        self.count.to_string()
    }

    /// Returns a directory to write a view in.
    pub(super) fn take(&mut self, root: &OwnedFd, kind: Kind) -> io::Result<Blank> {
        while let Some(blank) = self.reuse(root, kind)? {
            if is_clean(&blank.dir, kind, None)? {
                return Ok(blank);
            }
            tracing::warn!(
                "{SPARE}/{} holds more than a view: left in place",
                blank.name
            );
        }
        match self.make(root, kind) {
            // Another program has removed `.spare`.
            Err(Errno::NOENT) => {
                self.forget();
                Ok(self.make(root, kind)?)
            }
            made => Ok(made?),
        }
    }

    /// Returns the oldest spare directory, unless it still rests and there are few.
    fn reuse(&mut self, root: &OwnedFd, kind: Kind) -> Result<Option<Blank>, Errno> {
        let now = Instant::now();
        let rest = self.rest;
        loop {
            let idle = self.of(kind);
            let Some(eldest) = idle.front() else {
                return Ok(None);
            };
            let rested = now.duration_since(eldest.since) >= rest;
            if !rested && idle.len() < RESTING {
                return Ok(None);
            }
            let name = idle.pop_front().map(|spare| spare.name);
            let name = name.unwrap_or_default();
            if let Found::Dir(dir) = find_dir(self.dir(root)?, &name)? {
                return Ok(Some(Blank {
                    kind,
                    name,
                    dir,
                    rested,
                }));
            }
        }
    }

    fn make(&mut self, root: &OwnedFd, kind: Kind) -> Result<Blank, Errno> {
        loop {
            let name = self.new_name();
            let spare = self.dir(root)?;
            match mkdirat(spare, &name, Mode::RWXU) {
                Ok(()) => {
                    return Ok(Blank {
                        kind,
                        dir: open_dir(spare, &name)?,
                        name,
                        rested: false,
                    });
                }
                // A directory that the start could not remove.
                Err(Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Moves a written directory to the place of its view; if the view has a directory
    /// already, replaces its file. Both are atomic.
    pub(super) fn place(
        &mut self,
        root: &OwnedFd,
        blank: Blank,
        parent: &OwnedFd,
        name: &str,
    ) -> io::Result<()> {
        let spare = self.dir(root)?;
        let placed = match renameat(spare, &blank.name, parent, name) {
            Ok(()) => return Ok(()),
            Err(Errno::NOTEMPTY | Errno::EXIST) => {
                open_dir(parent, name).and_then(|dir| replace(&blank.dir, &dir))
            }
            Err(e) => Err(e),
        };
        self.give_back(root, blank);
        Ok(placed?)
    }

    /// Moves the directory of a removed view below `.spare`, if it holds nothing else and can
    /// be reused; returns whether it was moved. `emptied` is its directory for containers if that
    /// is known to be empty.
    pub(super) fn keep(
        &mut self,
        root: &OwnedFd,
        parent: impl AsFd,
        name: &str,
        dir: &OwnedFd,
        kind: Kind,
        emptied: Option<&OwnedFd>,
    ) -> bool {
        if self.of(kind).len() >= LIMIT || !is_clean(dir, kind, emptied).unwrap_or(false) {
            return false;
        }
        if !self.has_room(root) {
            // The spare directories may take the missing space.
            self.clear(root)
                .unwrap_or_else(|e| tracing::debug!("cannot clear {SPARE}: {e}"));
            return false;
        }
        let own = self.new_name();
        let moved = self
            .dir(root)
            .and_then(|spare| renameat(parent, name, spare, &own));
        if moved.is_ok() {
            self.put_last(kind, own);
        }
        // The caller removes the directory otherwise, and reports a failure of that.
        moved.is_ok()
    }

    fn has_room(&self, root: &OwnedFd) -> bool {
        fstatvfs(root).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) >= self.room)
    }

    /// Takes back a directory that did not become a view's.
    pub(super) fn give_back(&mut self, root: &OwnedFd, blank: Blank) {
        if self.of(blank.kind).len() < LIMIT {
            self.put_last(blank.kind, blank.name);
        } else {
            self.discard(root, &blank);
        }
    }

    fn put_last(&mut self, kind: Kind, name: String) {
        let since = Instant::now();
        self.of(kind).push_back(Spare { name, since });
    }

    /// Removes a directory that is not to be reused.
    pub(super) fn discard(&mut self, root: &OwnedFd, blank: &Blank) {
        let removed = self.dir(root).and_then(|dir| remove(dir, &blank.name));
        if let Err(e) = removed {
            tracing::debug!("cannot remove {SPARE}/{}: {e}", blank.name);
        }
    }

    fn forget(&mut self) {
        self.dir = None;
        self.sandboxes.clear();
        self.containers.clear();
    }

    /// Removes all spare directories, including those that a crash left. A directory that
    /// holds other files stays and is logged.
    pub(super) fn clear(&mut self, root: &OwnedFd) -> Result<(), Errno> {
        self.forget();
        let spare = match find_dir(root, SPARE)? {
            Found::Dir(spare) => spare,
            Found::Nothing => return Ok(()),
            Found::Foreign => return Err(Errno::NOTDIR),
        };
        for name in names(&spare)? {
            if let Err(e) = remove(&spare, &name) {
                tracing::warn!("cannot remove {SPARE}/{name}: {e}");
            }
        }
        if remove_dir(root, SPARE)? == Swept::Left {
            tracing::warn!("{SPARE} holds more than views: left in place");
        }
        Ok(())
    }
}

impl Blank {
    /// Writes the file of a view.
    pub(super) fn write(&self, json: &[u8]) -> io::Result<()> {
        let old = self.rested.then(|| self.own_file()).flatten();
        let Some((file, len)) = old else {
            remove_file(&self.dir, INFO)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = openat(&self.dir, INFO, flags, Mode::RUSR | Mode::WUSR)?;
            return File::from(file).write_all(json);
        };
        // Truncating the file first would make ext4 write it to the disk at once.
        file.write_all_at(json, 0)?;
        if len > json.len() as u64 {
            file.set_len(json.len() as u64)?;
        }
        Ok(())
    }

    /// Returns the file of the earlier view with its length, if this crate can have made the
    /// file and the file has no other name.
    fn own_file(&self) -> Option<(File, u64)> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.dir, INFO, flags, Mode::empty()).ok()?;
        let stat = fstat(&file).ok()?;
        let ours = is_ours(&stat, FileType::RegularFile, Mode::RUSR | Mode::WUSR);
        let len = u64::try_from(stat.st_size).ok()?;
        (ours && stat.st_nlink == 1).then(|| (file.into(), len))
    }
}

/// Moves the file of a view from one directory to another. A regular file that it replaces
/// moves the other way.
fn replace(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let is_file = |stat: Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let replaced = statat(to, INFO, AtFlags::SYMLINK_NOFOLLOW);
    // Some file systems cannot exchange two files.
    if replaced.is_ok_and(is_file)
        && renameat_with(from, INFO, to, INFO, RenameFlags::EXCHANGE).is_ok()
    {
        return Ok(());
    }
    renameat(from, INFO, to, INFO)
}

/// Returns whether a directory has the owner and mode that this crate gives, and holds only
/// the file of a view and, for a sandbox, an empty directory for containers: `emptied` if that is
/// known to be empty.
fn is_clean(dir: &OwnedFd, kind: Kind, emptied: Option<&OwnedFd>) -> Result<bool, Errno> {
    let mut has_containers = false;
    let known = |name: &CStr, of: FileType| match name.to_bytes() {
        name if name == INFO.as_bytes() => of == FileType::RegularFile,
        name if name == CONTAINERS.as_bytes() => {
            has_containers = true;
            of == FileType::Directory && kind == Kind::Sandbox
        }
        _ => false,
    };
    if !all_entries(dir, known)? || !is_own_dir(dir)? {
        return Ok(false);
    }
    if !has_containers {
        return Ok(true);
    }
    if let Some(containers) = emptied {
        return is_own_dir(containers);
    }
    let containers = open_dir(dir, CONTAINERS)?;
    Ok(all_entries(&containers, |_, _| false)? && is_own_dir(&containers)?)
}

fn is_own_dir(dir: &OwnedFd) -> Result<bool, Errno> {
    Ok(is_ours(&fstat(dir)?, FileType::Directory, Mode::RWXU))
}

fn is_ours(stat: &Stat, of: FileType, mode: Mode) -> bool {
    FileType::from_raw_mode(stat.st_mode) == of
        && Mode::from_raw_mode(stat.st_mode) & PERMISSIONS == mode
        && stat.st_uid == USER.as_raw()
}

/// Removes a directory, if it holds at most a view.
fn remove(spare: &OwnedFd, name: &str) -> Result<(), Errno> {
    let Found::Dir(dir) = find_dir(spare, name)? else {
        return Ok(());
    };
    remove_file(&dir, INFO)?;
    if let Found::Dir(_) = find_dir(&dir, CONTAINERS)? {
        remove_dir(&dir, CONTAINERS)?;
    }
    remove_dir(spare, name).map(drop)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::path::{Path, PathBuf};

    use super::*;

    /// So long that nothing has rested.
    const FOREVER: Duration = Duration::from_secs(3600);

    struct Place {
        dir: tempfile::TempDir,
        root: OwnedFd,
        spares: Spares,
    }

    impl Place {
        fn new(rest: Duration) -> Self {
            let dir = tempfile::tempdir().unwrap();
            Self {
                root: File::open(dir.path()).unwrap().into(),
                spares: Spares::new(rest),
                dir,
            }
        }

        fn at(&self, path: &str) -> PathBuf {
            self.dir.path().join(path)
        }

        fn put(&mut self, name: &str, text: &str) {
            let blank = self.spares.take(&self.root, Kind::Sandbox).unwrap();
            blank.write(text.as_bytes()).unwrap();
            let placed = self.spares.place(&self.root, blank, &self.root, name);
            placed.unwrap();
            assert_eq!(read(&self.at(name)), text);
        }

        fn keep(&mut self, name: &str) -> bool {
            let dir = open_dir(&self.root, name).unwrap();
            let kind = Kind::Sandbox;
            self.spares
                .keep(&self.root, &self.root, name, &dir, kind, None)
        }

        fn inodes(&self, name: &str) -> [u64; 2] {
            let dir = self.at(name);
            [dir.clone(), dir.join(INFO)].map(|path| fs::metadata(path).unwrap().ino())
        }

        fn hidden(&self) -> usize {
            fs::read_dir(self.at(SPARE)).unwrap().count()
        }
    }

    fn read(view: &Path) -> String {
        fs::read_to_string(view.join(INFO)).unwrap()
    }

    #[test]
    fn a_directory_and_its_file_are_reused_for_shorter_and_longer_content() {
        let mut place = Place::new(Duration::ZERO);
        place.put("a", "the first is the longest");
        let inodes = place.inodes("a");
        for (old, new, text) in [("a", "b", "short"), ("b", "c", "longer again")] {
            assert!(place.keep(old));
            assert!(!place.at(old).exists());
            place.put(new, text);
            assert_eq!(place.inodes(new), inodes);
        }
        assert_eq!(place.hidden(), 0);
    }

    #[test]
    fn a_file_that_may_still_be_read_is_not_overwritten() {
        let mut place = Place::new(FOREVER);
        let mut opened = Vec::new();
        for n in 0..LIMIT {
            let name = format!("s{n}");
            place.put(&name, &name);
            opened.push(File::open(place.at(&name).join(INFO)).unwrap());
            assert!(place.keep(&name));
        }
        for (n, file) in opened.into_iter().enumerate() {
            assert_eq!(io::read_to_string(file).unwrap(), format!("s{n}"));
        }
        // With this many spare directories, the oldest is reused although it rests.
        assert_eq!(place.hidden(), RESTING);
    }

    #[test]
    fn a_replaced_file_is_the_next_to_be_reused() {
        let mut place = Place::new(Duration::ZERO);
        place.put("a", "one");
        let old = place.inodes("a")[1];
        place.put("a", "two");
        assert_ne!(place.inodes("a")[1], old);
        place.put("a", "three");
        assert_eq!(place.inodes("a")[1], old);
        assert_eq!(place.hidden(), 1);
    }

    #[test]
    fn a_file_with_a_second_name_or_another_mode_is_not_overwritten() {
        let mut place = Place::new(Duration::ZERO);
        place.put("a", "one");
        let second = place.at("second");
        fs::hard_link(place.at("a").join(INFO), &second).unwrap();
        assert!(place.keep("a"));
        place.put("b", "two");
        assert_eq!(fs::read_to_string(second).unwrap(), "one");
        let file = place.at("b").join(INFO);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(place.keep("b"));
        place.put("c", "three");
        let mode = fs::metadata(place.at("c").join(INFO)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_directory_with_other_files_or_another_mode_is_not_kept() {
        let mut place = Place::new(Duration::ZERO);
        for (n, path) in [
            "notes",
            "containers/c/resource_info.json",
            ".resource_info.json.tmp",
        ]
        .into_iter()
        .enumerate()
        {
            let name = format!("s{n}");
            place.put(&name, "x");
            let path = place.at(&name).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
            assert!(!place.keep(&name));
            assert!(path.exists());
        }
        place.put("open", "x");
        let rights = fs::Permissions::from_mode(0o755);
        fs::set_permissions(place.at("open"), rights).unwrap();
        assert!(!place.keep("open"));
    }

    #[test]
    fn a_file_put_into_a_spare_directory_never_appears_in_a_view() {
        let mut place = Place::new(Duration::ZERO);
        place.put("a", "x");
        assert!(place.keep("a"));
        let spare = fs::read_dir(place.at(SPARE)).unwrap().next().unwrap();
        let notes = spare.unwrap().path().join("notes");
        fs::write(&notes, "").unwrap();
        place.put("b", "y");
        assert!(!place.at("b/notes").exists() && notes.exists());
        place.spares.clear(&place.root).unwrap();
        assert!(notes.exists());
    }

    #[test]
    fn no_more_than_the_limit_are_kept() {
        let mut place = Place::new(FOREVER);
        let names: Vec<String> = (0..=LIMIT).map(|n| format!("s{n}")).collect();
        for name in &names {
            place.put(name, "x");
        }
        for (n, name) in names.iter().enumerate() {
            assert_eq!(place.keep(name), n < LIMIT);
        }
        assert_eq!(place.hidden(), LIMIT);
        place.spares.clear(&place.root).unwrap();
        assert!(!place.at(SPARE).exists());
    }

    #[test]
    fn on_a_nearly_full_disk_no_directory_is_kept() {
        let mut place = Place::new(Duration::ZERO);
        place.put("a", "x");
        place.put("b", "x");
        assert!(place.keep("a"));
        place.spares.room = u64::MAX;
        assert!(!place.keep("b"));
        assert!(place.at("b").exists() && !place.at(SPARE).exists());
        place.put("c", "x");
    }

    #[test]
    fn removing_the_spare_directories_from_outside_does_no_harm() {
        let mut place = Place::new(Duration::ZERO);
        place.put("a", "x");
        assert!(place.keep("a"));
        fs::remove_dir_all(place.at(SPARE)).unwrap();
        place.put("b", "x");
        fs::remove_dir_all(place.at(SPARE)).unwrap();
        assert!(!place.keep("b"));
        place.put("c", "x");
    }
}
