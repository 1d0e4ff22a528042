//! The file of a container's termination message.
//!
//! A kubelet makes an empty file for each container, mounts it at the container's
//! `terminationMessagePath`, and reads up to 4,096 bytes of it after the container's end. So the
//! file is written, and no other file that is mounted: a mount counts as a termination message
//! only if its path is the one that a kubelet makes for this pod and this container, below the
//! kubelet's directory. No link below that directory is followed, and only a regular file with no
//! other name is written, which has to exist.

use std::fs::File;
use std::io::Write;
use std::path::{Component, Path, PathBuf};

use containerd_sandbox::{Error, Result, quoted};
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;
use toy_userland::{FileError, HostFiles, HostNode};

use super::look::{Mounted, file_error, reopened};
use super::lookers::{Hung, Lookers};

/// Directory of a kubelet, its option `--root-dir`.
const KUBELET_ROOT: &str = "/var/lib/kubelet";

/// Directory of the kubelet, below which alone termination messages are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubeletRoot(PathBuf);

impl Default for KubeletRoot {
    fn default() -> Self {
        Self(KUBELET_ROOT.into())
    }
}

impl std::fmt::Display for KubeletRoot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.display().fmt(f)
    }
}

impl KubeletRoot {
    /// Restricts termination messages to a directory, which may be missing and may itself lie
    /// behind links.
    ///
    /// # Errors
    /// `InvalidArgument` for a path that is relative or contains `..`.
    pub fn new(directory: &Path) -> Result<Self> {
        let leads_up = |part| part == Component::ParentDir;
        if !directory.is_absolute() || directory.components().any(leads_up) {
            return Err(Error::invalid_argument(format!(
                "{}: an absolute path without \"..\" is needed",
                quoted(&directory.to_string_lossy())
            )));
        }
        Ok(Self(directory.to_owned()))
    }

    /// Returns the path below the kubelet's directory of a file that a kubelet makes for the
    /// termination messages of a container; `None` for any other file. The path is
    /// `pods/UID/containers/NAME/FILE`, Kubernetes' `pkg/kubelet/kubelet_getters.go`
    /// (`getPodContainerDir`).
    fn message(&self, host_path: &str, owner: &Owner) -> Option<PathBuf> {
        let below = Path::new(host_path).strip_prefix(&self.0).ok()?;
        let parts: Option<Vec<&str>> = below
            .components()
            .map(|part| match part {
                Component::Normal(name) => name.to_str(),
                _ => None,
            })
            .collect();
        let ["pods", uid, "containers", name, _] = parts?[..] else {
            return None;
        };
        let is_own = !uid.is_empty() && uid == owner.pod_uid && name == owner.container;
        is_own.then(|| below.to_owned())
    }
}

/// Pod and container whose mounts are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::live) struct Owner {
    /// UID of the pod in Kubernetes; empty if it is not stated.
    pub(in crate::live) pod_uid: String,
    /// Name of the container in its pod; empty if it is not stated.
    pub(in crate::live) container: String,
}

/// The file of a container's termination message.
#[derive(Debug)]
pub(super) struct Message {
    mounted: Mounted,
    root: PathBuf,
    below: PathBuf,
    lookers: Lookers,
    hung: Hung,
}

impl Message {
    /// Names the file of a mount; `None` if the mount is no termination message of the owner.
    pub(super) fn of(
        root: &KubeletRoot,
        host_path: &str,
        owner: &Owner,
        lookers: &Lookers,
    ) -> Option<Self> {
        let below = root.message(host_path, owner)?;
        Some(Self {
            mounted: Mounted::new(host_path.into(), lookers.clone()),
            root: root.0.clone(),
            below,
            lookers: lookers.clone(),
            hung: Hung::default(),
        })
    }
}

impl HostFiles for Message {
    fn look(&self, path: &str) -> Result<HostNode, FileError> {
        self.mounted.look(path)
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        self.mounted.list(path)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.mounted.read(path)
    }

    fn replace(&self, content: &[u8]) -> Result<(), FileError> {
        let (root, below) = (self.root.clone(), self.below.clone());
        let content = content.to_vec();
        self.lookers.look(&self.hung, move || {
            write(&root, &below, &content).map_err(file_error)
        })
    }
}

/// Replaces the content of a file.
fn write(root: &Path, below: &Path, content: &[u8]) -> Result<(), Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags | OFlags::DIRECTORY, Mode::empty())?;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let handle = rustix::fs::openat2(&root, below, flags, Mode::empty(), resolve)?;
    let stat = rustix::fs::fstat(&handle)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
        return Err(Errno::ACCESS);
    }
    let mut file = File::from(reopened(&handle, OFlags::WRONLY)?);
    let written = file
        .write_all(content)
        .and_then(|()| file.set_len(u64::try_from(content.len()).unwrap_or(0)));
    written.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn owner() -> Owner {
        Owner {
            pod_uid: "u-1".to_owned(),
            container: "main".to_owned(),
        }
    }

    fn message(root: &Path, host_path: &Path) -> Option<Message> {
        let root = KubeletRoot::new(root).unwrap();
        Message::of(
            &root,
            host_path.to_str().unwrap(),
            &owner(),
            &Lookers::default(),
        )
    }

    fn made(root: &Path) -> PathBuf {
        let directory = root.join("pods/u-1/containers/main");
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("0123abcd");
        fs::write(&file, "").unwrap();
        file
    }

    #[test]
    fn a_message_reaches_the_file_and_a_shorter_one_replaces_it() {
        let root = tempfile::tempdir().unwrap();
        let file = made(root.path());
        let message = message(root.path(), &file).unwrap();
        for text in ["a long message", "short", ""] {
            message.replace(text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
    }

    #[test]
    fn only_the_file_that_a_kubelet_makes_for_the_container_is_a_message() {
        let root = Path::new("/var/lib/kubelet");
        let is_message = |path: &str| message(root, Path::new(path)).is_some();
        assert!(is_message(
            "/var/lib/kubelet/pods/u-1/containers/main/0123abcd"
        ));
        for path in [
            "/etc/passwd",
            "/var/lib/kubelet/pods/u-2/containers/main/0123abcd",
            "/var/lib/kubelet/pods/u-1/containers/other/0123abcd",
            "/var/lib/kubelet/pods/u-1/containers/main/0123abcd/x",
            "/var/lib/kubelet/pods/u-1/containers/main",
            "/var/lib/kubelet/pods/u-1/containers/main/..",
            "/var/lib/kubelet/pods/u-1/containers/../../../../../etc/passwd",
            "/var/lib/kubelet/pods/u-1/volumes/main/x",
            "/var/lib/kubelet2/pods/u-1/containers/main/0123abcd",
        ] {
            assert!(!is_message(path), "{path}");
        }
        for root in ["kubelet", "/var/../lib"] {
            KubeletRoot::new(Path::new(root)).unwrap_err();
        }
    }

    #[test]
    fn no_link_and_no_file_with_another_name_is_written() {
        let root = tempfile::tempdir().unwrap();
        let file = made(root.path());
        let other = root.path().join("other");
        fs::write(&other, "kept").unwrap();
        let refused = |file: &Path| {
            let message = message(root.path(), file).unwrap();
            message.replace(b"x").unwrap_err()
        };
        let beside = |name: &str| file.with_file_name(name);
        symlink(&other, beside("link")).unwrap();
        fs::hard_link(&other, beside("name")).unwrap();
        symlink(root.path().join("none"), beside("dangling")).unwrap();
        let mode = Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(rustix::fs::CWD, beside("fifo"), FileType::Fifo, mode, 0).unwrap();
        fs::create_dir(beside("directory")).unwrap();
        for name in ["link", "name", "dangling", "fifo", "directory", "missing"] {
            refused(&beside(name));
        }
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
        assert!(!beside("missing").exists() && !root.path().join("none").exists());
        // A link in place of a directory is not followed either.
        let moved = root.path().join("moved");
        fs::rename(root.path().join("pods/u-1/containers"), &moved).unwrap();
        symlink(&moved, root.path().join("pods/u-1/containers")).unwrap();
        assert_eq!(refused(&file), FileError::NotFound);
    }
}
