//! Directories of views that are gone, kept to be used again.
//!
//! To make and to free a directory or file is the dearest part of a view: ext4
//! without a journal looks through all that was freed in the last minutes. So
//! every view is written in a directory below `.spare`, which no id can be
//! called, and moved to its place when it is whole; and when it is gone, its
//! directory is moved back. Churn then allocates nothing.
//!
//! What is here is of no consequence: it goes at every start and at every
//! orderly end, and never holds more than [`LIMIT`] directories of a kind.

use std::collections::VecDeque;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RenameFlags, Stat, fstat, fstatvfs, mkdirat, openat, renameat,
    renameat_with, statat,
};
use rustix::io::Errno;
use rustix::process::geteuid;

use super::entry::{
    CONTAINERS, Found, INFO, Swept, all_entries, find_dir, make_dir, names, open_dir, remove_dir,
    remove_file,
};

/// Where spare directories lie: hidden, and no id begins with a dot.
pub(super) const SPARE: &str = ".spare";

/// The most directories of a kind that are kept.
const LIMIT: usize = 256;

/// So many of a kind may be made new while the eldest still rests.
const RESTING: usize = LIMIT / 2;

/// Nothing is kept where the file system has fewer bytes left than this.
const ROOM: u64 = 16 << 20;

/// What is compared of a mode: a directory may have inherited its group.
const PERMISSIONS: Mode = Mode::RWXU.union(Mode::RWXG).union(Mode::RWXO);

/// What a directory can become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// May have a directory for containers, which is empty.
    Sandbox,
    /// Has a view's file at most.
    Container,
}

/// A directory out of sight.
#[derive(Debug)]
struct Spare {
    name: String,
    since: Instant,
}

/// A spare directory that is about to become a view's.
#[derive(Debug)]
pub(super) struct Blank {
    kind: Kind,
    name: String,
    dir: OwnedFd,
    /// Whether its file, if it has one, may be written to.
    rested: bool,
}

/// Which spare directories there are.
#[derive(Debug)]
pub(super) struct Spares {
    /// `.spare`, once it is needed.
    dir: Option<OwnedFd>,
    /// Makes names.
    count: u64,
    /// The eldest first.
    sandboxes: VecDeque<Spare>,
    containers: VecDeque<Spare>,
    /// How long a file that had a view's name is not written to: whoever opened
    /// it by that name has so long to read it.
    rest: Duration,
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

    /// `.spare` itself.
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

    /// Gives a directory to write a view in.
    pub(super) fn take(&mut self, root: &OwnedFd, kind: Kind) -> io::Result<Blank> {
        while let Some(blank) = self.reuse(root, kind)? {
            if is_clean(&blank.dir, kind)? {
                return Ok(blank);
            }
            tracing::warn!(
                "{SPARE}/{} holds more than a view: left in place",
                blank.name
            );
        }
        match self.make(root, kind) {
            // Somebody removed `.spare`, and all in it.
            Err(Errno::NOENT) => {
                self.forget();
                Ok(self.make(root, kind)?)
            }
            made => Ok(made?),
        }
    }

    /// The eldest, unless it is to rest and there are few.
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
                // What a clean start could not remove.
                Err(Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
        }
    }

    /// Makes what was written a view: the directory goes to its place; where
    /// there is one already, its file is replaced. Both at one stroke.
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

    /// Moves the directory of a view that is to go out of sight, if it holds
    /// nothing else and can be of use; whether it did.
    pub(super) fn keep(
        &mut self,
        root: &OwnedFd,
        parent: impl AsFd,
        name: &str,
        dir: &OwnedFd,
        kind: Kind,
    ) -> bool {
        if self.of(kind).len() >= LIMIT || !is_clean(dir, kind).unwrap_or(false) {
            return false;
        }
        if !self.has_room(root) {
            // It may be what is missing.
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
        // Else it is removed, and if that fails, too, it is said why.
        moved.is_ok()
    }

    fn has_room(&self, root: &OwnedFd) -> bool {
        fstatvfs(root).is_ok_and(|fs| fs.f_bavail.saturating_mul(fs.f_frsize) >= self.room)
    }

    /// Takes back what has not become a view, or only its file has.
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

    /// Removes one that is not to be used again.
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

    /// Removes them all, and those that a crash left; what holds more than
    /// views is left, and logged.
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
    /// Writes a view's file.
    pub(super) fn write(&self, json: &[u8]) -> io::Result<()> {
        let old = self.rested.then(|| self.own_file()).flatten();
        let Some((file, len)) = old else {
            remove_file(&self.dir, INFO)?;
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
            let file = openat(&self.dir, INFO, flags, Mode::RUSR | Mode::WUSR)?;
            return File::from(file).write_all(json);
        };
        // To empty it first would have ext4 write it to the disk at once.
        file.write_all_at(json, 0)?;
        if len > json.len() as u64 {
            file.set_len(json.len() as u64)?;
        }
        Ok(())
    }

    /// The file of the view that it was, and its length, if that is as we made it
    /// and has no other name.
    fn own_file(&self) -> Option<(File, u64)> {
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(&self.dir, INFO, flags, Mode::empty()).ok()?;
        let stat = fstat(&file).ok()?;
        let ours = is_ours(&stat, FileType::RegularFile, Mode::RUSR | Mode::WUSR);
        let len = u64::try_from(stat.st_size).ok()?;
        (ours && stat.st_nlink == 1).then(|| (file.into(), len))
    }
}

/// Moves a view's file from one directory to another. The one that it replaces,
/// if it is no more than a file, goes the other way.
fn replace(from: &OwnedFd, to: &OwnedFd) -> Result<(), Errno> {
    let is_file = |stat: Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let replaced = statat(to, INFO, AtFlags::SYMLINK_NOFOLLOW);
    // Not every file system can exchange.
    if replaced.is_ok_and(is_file)
        && renameat_with(from, INFO, to, INFO, RenameFlags::EXCHANGE).is_ok()
    {
        return Ok(());
    }
    renameat(from, INFO, to, INFO)
}

/// Whether a directory is as we make them and holds nothing but a view's file
/// and, for a sandbox, a directory for containers that is empty.
fn is_clean(dir: &OwnedFd, kind: Kind) -> Result<bool, Errno> {
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
    let containers = open_dir(dir, CONTAINERS)?;
    Ok(all_entries(&containers, |_, _| false)? && is_own_dir(&containers)?)
}

fn is_own_dir(dir: &OwnedFd) -> Result<bool, Errno> {
    Ok(is_ours(&fstat(dir)?, FileType::Directory, Mode::RWXU))
}

fn is_ours(stat: &Stat, of: FileType, mode: Mode) -> bool {
    FileType::from_raw_mode(stat.st_mode) == of
        && Mode::from_raw_mode(stat.st_mode) & PERMISSIONS == mode
        && stat.st_uid == geteuid().as_raw()
}

/// Removes a directory, if it holds no more than a view.
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
            self.spares.keep(&self.root, &self.root, name, &dir, kind)
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
    fn a_directory_and_its_file_are_used_again_whatever_their_lengths() {
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
    fn a_file_that_was_read_lately_is_not_written_to() {
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
        // There are as many as may rest: their directories are used.
        assert_eq!(place.hidden(), RESTING);
    }

    #[test]
    fn a_replaced_file_is_the_next_to_be_written_to() {
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
    fn a_file_with_a_second_name_or_other_rights_is_not_written_to() {
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
    fn what_is_more_than_a_view_or_not_as_we_make_it_stays() {
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
    fn what_came_into_a_spare_directory_is_never_seen_in_a_view() {
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
    fn where_room_is_short_all_are_given_up() {
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
    fn that_all_were_removed_behind_our_back_does_no_harm() {
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
