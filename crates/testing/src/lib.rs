//! Fixtures that the tests of several crates share.

pub mod journal;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Mounts a file system of 1 MiB in memory, for tests of a full disk. Dropping it unmounts.
#[derive(Debug)]
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// Mounts the file system, or returns `None` and prints why where mounting is not permitted.
    ///
    /// # Panics
    /// If no temporary directory can be made for the mount point.
    pub fn mount() -> Option<Self> {
        Self::mount_with("size=1m")
    }

    /// Mounts the file system with options of tmpfs(5), such as `nr_inodes=100`, and otherwise
    /// like [`SmallDisk::mount`].
    ///
    /// # Panics
    /// If no temporary directory can be made for the mount point.
    pub fn mount_with(options: &str) -> Option<Self> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "none"])
            .arg(dir.path())
            .output();
        match mount {
            Ok(done) if done.status.success() => Some(Self(dir)),
            other => {
                eprintln!("SKIPPED: a full disk is NOT tested, no tmpfs can be mounted: {other:?}");
                None
            }
        }
    }

    /// Returns the mount point.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills the space that is left to the last byte, with a file named `filler`.
    ///
    /// # Panics
    /// If that file cannot be made.
    pub fn fill(&self) {
        let mut file = File::create(self.path().join("filler")).expect("a file for the filling");
        while file.write(&[0; 4096]).is_ok() {}
    }

    /// Uses up the inodes that are left, with empty files whose names begin with `inode-`.
    pub fn use_up_inodes(&self) {
        let mut n = 0;
        while File::create(self.inode(n)).is_ok() {
            n += 1;
        }
    }

    /// Removes the files that [`SmallDisk::use_up_inodes`] made.
    pub fn free_inodes(&self) {
        let mut n = 0;
        while fs::remove_file(self.inode(n)).is_ok() {
            n += 1;
        }
    }

    /// Removes the file that [`SmallDisk::fill`] made.
    ///
    /// # Panics
    /// If it is not there.
    pub fn free(&self) {
        fs::remove_file(self.path().join("filler")).expect("the disk was filled");
    }

    fn inode(&self, n: u32) -> PathBuf {
        self.path().join(format!("inode-{n}"))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.path()).status();
    }
}
