//! The directory below which alone log files may lie.
//!
//! A client of CRI names a log directory for each pod. Without a root, any directory of the
//! machine that the daemon may write to is accepted, as by every runtime behind a kubelet. With
//! a root, a directory outside of it is refused, and no link below the root is followed, so
//! that no client makes the daemon write elsewhere.

use std::fs::DirBuilder;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use containerd_sandbox::{Error, Result, quoted};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Mode of directories that are missing, readable for log collectors.
const DIR_MODE: u32 = 0o755;
/// Longest path in bytes: Linux's `PATH_MAX`, which counts the final NUL.
pub(super) const MAX_PATH_LEN: usize = 4095;

/// Directory below which alone log files are written; any directory if it is not set.
#[derive(Debug, Clone, Default)]
pub struct LogRoot(Option<PathBuf>);

impl LogRoot {
    /// Restricts log files to a directory, which may be missing and may itself lie behind links.
    ///
    /// # Errors
    /// `InvalidArgument` for a path that is relative or contains `..`.
    pub fn new(directory: &Path) -> Result<Self> {
        if !directory.is_absolute() || !has_no_parent(directory) {
            return Err(Error::invalid_argument(format!(
                "{}: an absolute path without \"..\" is needed",
                quoted(&directory.to_string_lossy())
            )));
        }
        Ok(Self(Some(directory.to_owned())))
    }

    /// Checks the log directory of a pod; an empty one means that the pod has no logs.
    ///
    /// # Errors
    /// `InvalidArgument` for a directory that is not absolute or not below the root.
    pub(crate) fn check(&self, directory: &str) -> Result<()> {
        let needed = |what: &str| {
            Err(Error::invalid_argument(format!(
                "config.log_directory {}: {what} is needed",
                quoted(directory)
            )))
        };
        if directory.is_empty() {
            return Ok(());
        }
        if !directory.starts_with('/') || directory.contains('\0') || directory.len() > MAX_PATH_LEN
        {
            return needed(&format!("an absolute path of at most {MAX_PATH_LEN} bytes"));
        }
        match &self.0 {
            Some(root) if below(root, directory).is_none() => needed(&format!(
                "a directory below {} without \"..\" (see --log-root)",
                root.display()
            )),
            _ => Ok(()),
        }
    }

    /// Opens the log directory of a pod, and creates it and the directories above it that are
    /// missing.
    ///
    /// # Errors
    /// `XDEV` for a directory that is not below the root, and errors of the system calls.
    pub(super) fn open(&self, directory: &str) -> Result<OwnedFd, Errno> {
        let Some(root) = &self.0 else {
            return open_following(Path::new(directory));
        };
        let inner = below(root, directory).ok_or(Errno::XDEV)?;
        let mut dir = open_following(root)?;
        for part in names(inner) {
            dir = step_into(&dir, part)?;
        }
        Ok(dir)
    }
}

/// Returns the path from a root to a directory below it, if it is below it.
fn below<'a>(root: &Path, directory: &'a str) -> Option<&'a Path> {
    let directory = Path::new(directory);
    let inner = directory.strip_prefix(root).ok()?;
    has_no_parent(inner).then_some(inner)
}

fn has_no_parent(path: &Path) -> bool {
    !path.components().any(|part| part == Component::ParentDir)
}

/// Returns the names in a path, without the components that lead nowhere.
pub(super) fn names(path: &Path) -> impl Iterator<Item = &std::ffi::OsStr> {
    path.components()
        .filter(|part| matches!(part, Component::Normal(_)))
        .map(Component::as_os_str)
}

fn open_following(directory: &Path) -> Result<OwnedFd, Errno> {
    DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(directory)
        .map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::NOENT))?;
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(directory, flags, Mode::empty())
}

/// Opens a directory in another one without following a link, and creates it if it is missing.
///
/// # Errors
/// `LOOP` or `NOTDIR` for a link, and errors of the system calls.
pub(super) fn step_into(dir: impl AsFd, name: &std::ffi::OsStr) -> Result<OwnedFd, Errno> {
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
    use std::os::unix::fs::symlink;

    #[test]
    fn a_root_is_absolute_and_leads_down() {
        for path in ["logs", "", "/var/../etc", "/var/log/.."] {
            let error = LogRoot::new(Path::new(path)).unwrap_err().to_string();
            assert!(error.contains("absolute path"), "{path}: {error}");
        }
        LogRoot::new(Path::new("/var/log/pods")).unwrap();
    }

    #[test]
    fn a_directory_outside_of_the_root_is_refused() {
        let root = LogRoot::new(Path::new("/var/log/pods")).unwrap();
        for inside in [
            "",
            "/var/log/pods",
            "/var/log/pods/",
            "/var//log/pods/a_b_c",
        ] {
            root.check(inside).unwrap();
        }
        for outside in [
            "/etc",
            "/var/log",
            "/var/log/pods2",
            "/var/log/pods/../x",
            "pods",
        ] {
            let error = root.check(outside).unwrap_err().to_string();
            assert!(error.contains("config.log_directory"), "{outside}: {error}");
            LogRoot::default().open("").unwrap_err();
        }
        LogRoot::default().check("/etc").unwrap();
        LogRoot::default().check("etc").unwrap_err();
    }

    #[test]
    fn no_link_below_the_root_is_followed() {
        let outside = tempfile::tempdir().unwrap();
        let place = tempfile::tempdir().unwrap();
        // The root itself may lie behind a link.
        let real = place.path().join("real");
        std::fs::create_dir(&real).unwrap();
        let linked = place.path().join("linked");
        symlink(&real, &linked).unwrap();
        symlink(outside.path(), real.join("pod")).unwrap();

        let root = LogRoot::new(&linked).unwrap();
        let inside = |name: &str| linked.join(name).to_str().unwrap().to_owned();
        root.open(&inside("other/pod")).unwrap();
        assert!(real.join("other/pod").is_dir());
        root.check(&inside("pod/x")).unwrap();
        let error = root.open(&inside("pod/x")).unwrap_err();
        assert!(matches!(error, Errno::LOOP | Errno::NOTDIR), "{error}");
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
        assert_eq!(
            root.open(outside.path().to_str().unwrap()).unwrap_err(),
            Errno::XDEV
        );
    }
}
