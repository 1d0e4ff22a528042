//! Directories for the temporary files of a run. A run that is killed leaves them behind, and
//! the next run removes them.
//!
//! A directory is locked (flock(2)) as long as its run lives: the kernel releases the lock of
//! a killed process. A process id in the name would tell less, because processes in other pid
//! namespaces share the directories of temporary files.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::geteuid;
use tempfile::TempDir;

/// Beginning of the names of all directories. Only locked directories have it.
const PREFIX: &str = "loadgen-locked-";

/// Attempts to create a directory: one fails if another run removes the directory before it
/// is locked.
const ATTEMPTS: u32 = 10;

/// Directories that this process has already searched for those of dead runs.
static SWEPT: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A temporary directory. Dropping it removes the directory.
#[derive(Debug)]
pub struct Scratch {
    // Fields are dropped in this order: the lock is held while the directory is removed.
    dir: TempDir,
    _lock: File,
}

impl Scratch {
    /// Creates a directory below that of temporary files; `kind` is a part of its name.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn new(kind: &str) -> io::Result<Self> {
        Self::new_in(&std::env::temp_dir(), kind)
    }

    /// Creates a directory below `parent`, after the removal of those of dead runs there.
    ///
    /// # Errors
    /// Errors of the file system.
    pub fn new_in(parent: &Path, kind: &str) -> io::Result<Self> {
        sweep_once(parent);
        for _ in 0..ATTEMPTS {
            let dir = tempfile::Builder::new()
                .prefix(&format!("{PREFIX}{kind}-"))
                .tempdir_in(parent)?;
            let lock = match File::open(dir.path()) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            lock.lock()?;
            let is_the_same = |found: fs::Metadata, held: &fs::Metadata| {
                (found.dev(), found.ino()) == (held.dev(), held.ino())
            };
            let held = lock.metadata()?;
            if fs::metadata(dir.path()).is_ok_and(|found| is_the_same(found, &held)) {
                return Ok(Self { dir, _lock: lock });
            }
        }
        Err(io::Error::other("other runs remove new directories"))
    }

    /// Returns the path of the directory.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// Removes the directories of dead runs below `parent`, once in the life of this process.
fn sweep_once(parent: &Path) {
    let mut swept = SWEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if !swept.iter().any(|done| done == parent) {
        swept.push(parent.to_owned());
        sweep(parent);
    }
}

/// Removes the directories of dead runs of this user. A directory that cannot be removed
/// stays.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        if !entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(PREFIX.as_bytes())
        {
            continue;
        }
        let path = entry.path();
        // Anyone may create a link of this name in a shared directory.
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let Ok(dir) = openat(CWD, &path, flags, Mode::empty()) else {
            continue;
        };
        let dir = File::from(dir);
        let is_own = dir
            .metadata()
            .is_ok_and(|dir| dir.uid() == geteuid().as_raw());
        if is_own && dir.try_lock().is_ok() {
            unmount_below(&path);
            let _ = fs::remove_dir_all(&path);
        }
    }
}

/// Unmounts all file systems below a directory, such as those of a killed containerd, so that
/// it can be removed.
pub fn unmount_below(dir: &Path) {
    let Ok(mounts) = fs::read_to_string("/proc/self/mountinfo") else {
        return;
    };
    // The mount point is the fifth field (proc(5)). The latest mounts come last.
    let points = mounts
        .lines()
        .filter_map(|line| line.split_ascii_whitespace().nth(4))
        .filter(|point| Path::new(point).starts_with(dir));
    for point in points.collect::<Vec<_>>().into_iter().rev() {
        let _ = unmount(point, UnmountFlags::DETACH);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn directories_of_dead_runs_are_removed_and_others_are_not() {
        let parent = tempfile::tempdir().unwrap();
        let living = Scratch::new_in(parent.path(), "test").unwrap();
        let dead = Scratch::new_in(parent.path(), "test").unwrap();
        fs::create_dir(dead.path().join("below")).unwrap();
        fs::write(dead.path().join("below/file"), "").unwrap();
        let left = dead.path().to_owned();
        // As if killed: the lock goes, and the directory stays.
        let Scratch { dir, _lock: lock } = dead;
        let _ = dir.keep();
        drop(lock);
        let foreign = parent.path().join("loadgen-something");
        fs::create_dir(&foreign).unwrap();
        let file = parent.path().join(format!("{PREFIX}file"));
        fs::write(&file, "").unwrap();
        let target = tempfile::tempdir().unwrap();
        let link = parent.path().join(format!("{PREFIX}link"));
        std::os::unix::fs::symlink(target.path(), &link).unwrap();

        sweep(parent.path());
        assert!(!left.exists());
        for kept in [living.path(), &foreign, &file, &link, target.path()] {
            assert!(kept.exists(), "{}", kept.display());
        }
        let path = living.path().to_owned();
        drop(living);
        assert!(!path.exists());
    }

    #[test]
    fn directories_are_created_while_other_runs_remove_those_that_are_not_locked_yet() {
        let parent = tempfile::tempdir().unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    sweep(parent.path());
                }
            });
            let created: Vec<_> = (0..20_000)
                .map(|_| Scratch::new_in(parent.path(), "test").map(|made| made.path().exists()))
                .collect();
            over.store(true, Ordering::Relaxed);
            for exists in created {
                assert!(exists.unwrap());
            }
        });
    }

    #[test]
    fn a_directory_is_searched_once() {
        let parent = tempfile::tempdir().unwrap();
        drop(Scratch::new_in(parent.path(), "test").unwrap());
        let dead = parent.path().join(format!("{PREFIX}test-dead"));
        fs::create_dir(&dead).unwrap();
        drop(Scratch::new_in(parent.path(), "test").unwrap());
        assert!(dead.exists());
    }
}
