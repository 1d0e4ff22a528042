//! Lock of the state directory: one daemon per directory.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::directory::{FILE_MODE, create_private};
use super::error::JournalError;

/// Name of the lock file.
pub const LOCK: &str = "lock";

/// Holds a directory against other daemons until it is dropped.
///
/// The lock is an `flock(2)`, so it ends with the process in every case. The file stays: if it
/// were deleted, two daemons could lock two files of one name.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock of `dir`, and makes the directory if it is missing. Never waits.
    ///
    /// # Errors
    /// [`JournalError::Locked`] if another process has the lock.
    pub fn acquire(dir: &Path) -> Result<Self, JournalError> {
        create_private(dir)?;
        let path = dir.join(LOCK);
        let no_link = OFlags::NOFOLLOW.bits().cast_signed();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .custom_flags(no_link)
            .open(&path)
            .map_err(JournalError::of("open", &path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(Errno::WOULDBLOCK) => {
                return Err(JournalError::Locked {
                    dir: dir.to_owned(),
                    pid: holder(&mut file),
                });
            }
            Err(e) => return Err(JournalError::io("lock", &path, e)),
        }
        // The number only informs people, so a full disk must not stop the daemon.
        let written = file
            .set_len(0)
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        if let Err(e) = written {
            tracing::warn!("cannot write the process id to {}: {e}", path.display());
        }
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_second_daemon_gets_the_process_id_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("new");
        let lock = DirLock::acquire(&dir).unwrap();
        let refused = DirLock::acquire(&dir).unwrap_err().to_string();
        assert!(refused.contains(dir.to_str().unwrap()), "{refused}");
        let pid = format!("(pid {})", std::process::id());
        assert!(refused.ends_with(&pid), "{refused}");
        drop(lock);
        assert!(dir.join(LOCK).exists());
        DirLock::acquire(&dir).unwrap();
    }

    #[test]
    fn a_lock_without_a_process_id_still_holds() {
        let dir = tempfile::tempdir().unwrap();
        let _lock = DirLock::acquire(dir.path()).unwrap();
        fs::write(dir.path().join(LOCK), b"\xff\xff not a number").unwrap();
        let refused = DirLock::acquire(dir.path()).unwrap_err();
        assert!(matches!(refused, JournalError::Locked { pid: None, .. }));
    }

    #[test]
    fn a_symbolic_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        fs::write(&target, "precious").unwrap();
        std::os::unix::fs::symlink(&target, dir.path().join(LOCK)).unwrap();
        DirLock::acquire(dir.path()).unwrap_err();
        assert_eq!(fs::read(&target).unwrap(), b"precious");
    }
}
