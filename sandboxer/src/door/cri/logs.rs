//! The log files of containers, in the format of CRI: `time stream P|F text` a line.
//!
//! A file is made when its container starts, and is empty until something that is
//! simulated writes to it. No descriptor is held meanwhile: whoever writes opens the
//! file by [`open`] each time, so that a rotated one is found again by itself.
//!
//! Nothing outside of the pod's log directory is ever reached: below it no link is
//! followed. The directory itself is kubelet's word and may lie behind links.

use std::fs::{DirBuilder, File};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path};

use containerd_sandbox::{Error, Result, quoted};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// For whoever collects logs: the mode of directories that are missing.
const DIR_MODE: u32 = 0o755;
/// The mode of a log file, as containerd makes it.
const FILE_MODE: Mode = Mode::from_raw_mode(0o640);
/// The longest path, in bytes: Linux's `PATH_MAX`, which counts the final NUL.
const MAX_PATH_LEN: usize = 4095;

/// # Errors
/// `InvalidArgument` for a log directory that is not absolute.
pub(super) fn check_directory(directory: &str) -> Result<()> {
    let sound = directory.is_empty() || directory.starts_with('/');
    if !sound || directory.contains('\0') || directory.len() > MAX_PATH_LEN {
        return Err(Error::invalid_argument(format!(
            "config.log_directory {}: an absolute path of at most {MAX_PATH_LEN} bytes is needed",
            quoted(directory)
        )));
    }
    Ok(())
}

/// # Errors
/// `InvalidArgument` for a log path that leads out of the log directory.
pub(super) fn check_path(path: &str) -> Result<()> {
    let leads_down = Path::new(path)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let last = path.rsplit('/').next().unwrap_or(path);
    let names_a_file = path.is_empty() || !matches!(last, "" | ".");
    if !leads_down || !names_a_file || path.contains('\0') || path.len() > MAX_PATH_LEN {
        return Err(Error::invalid_argument(format!(
            "config.log_path {}: the relative path of a file, without \"..\" and of at most \
             {MAX_PATH_LEN} bytes, is needed",
            quoted(path)
        )));
    }
    Ok(())
}

/// The whole path of a container's log; empty if it has none.
pub(super) fn shown(directory: &str, path: &str) -> String {
    if directory.is_empty() || path.is_empty() {
        return String::new();
    }
    Path::new(directory).join(path).display().to_string()
}

/// Opens a container's log for writing at its end, making it and the directories that
/// are missing; `None` if it has none.
///
/// # Errors
/// `InvalidArgument` if something on the way is a link or not what it is to be;
/// `ResourceExhausted` and `Unavailable` if the file system fails.
pub(super) fn open(directory: &str, path: &str) -> Result<Option<File>> {
    if directory.is_empty() || path.is_empty() {
        return Ok(None);
    }
    check_path(path)?;
    let at = shown(directory, path);
    let failed = |e: Errno| {
        let message = format!("log {}: {e}", quoted(&at));
        match e {
            Errno::NOSPC | Errno::DQUOT | Errno::MFILE | Errno::NFILE => {
                Error::resource_exhausted(message)
            }
            Errno::LOOP | Errno::NOTDIR | Errno::ISDIR | Errno::NXIO | Errno::NAMETOOLONG => {
                Error::invalid_argument(format!(
                    "{message}; directories and a file, and no links, are needed there"
                ))
            }
            _ => Error::unavailable(message),
        }
    };
    open_below(directory, path).map(Some).map_err(failed)
}

fn open_below(directory: &str, path: &str) -> Result<File, Errno> {
    let not_found = Errno::NOENT;
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(directory)
        .map_err(|e| Errno::from_io_error(&e).unwrap_or(not_found))?;
    let directories = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut dir = rustix::fs::open(directory, directories, Mode::empty())?;
    let mut parts = Path::new(path)
        .components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .map(Component::as_os_str)
        .peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            // Without blocking on what is no file, such as a FIFO nobody reads.
            let flags = OFlags::WRONLY
                | OFlags::CREATE
                | OFlags::APPEND
                | OFlags::NOFOLLOW
                | OFlags::NONBLOCK
                | OFlags::CLOEXEC;
            return rustix::fs::openat(&dir, part, flags, FILE_MODE).map(File::from);
        }
        dir = step_into(&dir, part)?;
    }
    Err(Errno::ISDIR)
}

fn step_into(dir: impl AsFd, name: &std::ffi::OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(&dir, name, flags, Mode::empty()) {
        Err(Errno::NOENT) => {
            match rustix::fs::mkdirat(&dir, name, Mode::from_raw_mode(DIR_MODE)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(e),
            }
            rustix::fs::openat(&dir, name, flags, Mode::empty())
        }
        opened => opened,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;
    use proptest::prelude::*;
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_log_is_made_with_its_directories_and_found_again() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("pods/shop_web_u");
        let directory = directory.to_str().unwrap();
        open(directory, "app/0.log").unwrap().unwrap();
        let file = Path::new(directory).join("app/0.log");
        assert_eq!(fs::read(&file).unwrap(), b"");
        assert_eq!(mode(Path::new(directory)), 0o755);
        assert_eq!(shown(directory, "app/0.log"), file.display().to_string());
        let mut log = open(directory, "app/0.log").unwrap().unwrap();
        log.write_all(b"x").unwrap();
        fs::rename(&file, file.with_extension("1")).unwrap();
        open(directory, "app/0.log").unwrap().unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"");
    }

    #[test]
    fn a_directory_that_is_there_keeps_its_mode() {
        let root = tempfile::tempdir().unwrap();
        let private = fs::Permissions::from_mode(0o700);
        fs::set_permissions(root.path(), private).unwrap();
        open(root.path().to_str().unwrap(), "0.log")
            .unwrap()
            .unwrap();
        assert_eq!(mode(root.path()), 0o700);
    }

    #[test]
    fn a_container_without_a_log_gets_none() {
        assert!(open("", "0.log").unwrap().is_none());
        assert!(open("/nowhere/at/all", "").unwrap().is_none());
        assert_eq!(shown("/var/log", ""), "");
    }

    #[test]
    fn no_link_below_the_directory_is_followed() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        fs::write(&secret, "x").unwrap();
        symlink(outside.path(), root.path().join("app")).unwrap();
        symlink(&secret, root.path().join("0.log")).unwrap();
        let directory = root.path().to_str().unwrap();
        for path in [
            "app/0.log",
            "0.log",
            "../x",
            "/etc/x",
            "app/../../x",
            ".",
            "app/",
        ] {
            let error = open(directory, path).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{path}: {error}");
        }
        assert_eq!(fs::read(&secret).unwrap(), b"x");
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_fifo_in_the_logs_place_does_not_block() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("0.log");
        let mode = Mode::from_raw_mode(0o600);
        let kind = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &path, kind, mode, 0).unwrap();
        let error = open(root.path().to_str().unwrap(), "0.log").unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
    }

    proptest! {
        #[test]
        fn whatever_the_path_a_log_lies_in_its_directory(path in "(\\.{0,2}[a-c]{0,2}/?){0,5}") {
            let root = tempfile::tempdir().unwrap();
            let directory = root.path().join("logs");
            let made = open(directory.to_str().unwrap(), &path);
            let outside = fs::read_dir(root.path()).unwrap().count();
            prop_assert!(outside <= 1);
            if let Ok(Some(_)) = made {
                let file = fs::canonicalize(directory.join(&path)).unwrap();
                prop_assert!(file.starts_with(&directory), "{file:?}");
            }
        }
    }
}
