//! A look at one mounted directory or file of the node: read-only, bounded, and never out of it.
//!
//! Every path is resolved by openat2(2) below the mounted directory. A link inside of it, as a
//! kubelet's ConfigMap volumes have, is followed; one that leads out is not. A file is first
//! opened as a mere handle (`O_PATH`), and for reading only if that handle is a regular file or a
//! directory on a file system that stores files: to open a device, a FIFO or a file of `/proc`
//! could have effects, or wait. The time of the last access stays as it is where that can be
//! asked for (`O_NOATIME`).

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::fs::{Dir, FileType, Mode, OFlags, ResolveFlags, Stat};
use rustix::io::Errno;
use toy_userland::{FileError, HostFiles, HostKind, HostNode, Special};

use super::lookers::{Hung, Lookers};

/// Most bytes of a file that is read: the size of the largest ConfigMap or Secret, Kubernetes'
/// `pkg/apis/core/types.go`, `MaxSecretSize`.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Most names of a directory that is listed.
const MAX_NAMES: usize = 4096;
/// Number of times that a path is resolved anew when another process moves parts of it.
const RETRIES: usize = 8;

/// Type numbers of file systems that store files, from statfs(2) and Linux's
/// `include/uapi/linux/magic.h`.
const STORING: [u32; 22] = [
    0x0000_ef53, // ext2, ext3, ext4
    0x5846_5342, // XFS
    0x9123_683e, // btrfs
    0xf2f5_2010, // F2FS
    0x2fc1_2fc1, // ZFS
    0xca45_1a4e, // bcachefs
    0x0102_1994, // tmpfs
    0x8584_58f6, // ramfs
    0x794c_7630, // overlayfs
    0x6165_676c, // the container layers of aufs
    0xe0f5_e1e2, // EROFS
    0x7371_7368, // SquashFS
    0x0000_9660, // ISO 9660
    0x0000_4d44, // FAT
    0x2011_bab0, // exFAT
    0x5346_544e, // NTFS
    0x7366_746e, // NTFS3
    0x0000_6969, // NFS
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB2
    0x00c3_6400, // Ceph
    0x0102_1997, // 9P
];
/// Type number of FUSE, whose servers may be slow, as a network may be.
const FUSE: u32 = 0x6573_5546;

/// A mounted directory or file of the node.
#[derive(Debug)]
pub(super) struct Mounted {
    path: PathBuf,
    lookers: Lookers,
    hung: Hung,
}

impl Mounted {
    /// Names a directory or file by its absolute path. If the path itself is a link, the link is
    /// followed, as a mount follows it.
    pub(super) fn new(path: PathBuf, lookers: Lookers) -> Self {
        Self {
            path,
            lookers,
            hung: Hung::default(),
        }
    }

    /// Makes a look at a path with a handle on it.
    fn look_at<T: Send + 'static>(
        &self,
        path: &str,
        look: impl FnOnce(&OwnedFd) -> Result<T, Errno> + Send + 'static,
    ) -> Result<T, FileError> {
        let (root, path) = (self.path.clone(), path.to_owned());
        self.lookers.look(&self.hung, move || {
            handle(&root, &path)
                .and_then(|handle| look(&handle))
                .map_err(file_error)
        })
    }
}

impl HostFiles for Mounted {
    fn look(&self, path: &str) -> Result<HostNode, FileError> {
        let root = self.path.clone();
        self.look_at(path, move |handle| {
            let stat = rustix::fs::fstat(handle)?;
            let root = rustix::fs::stat(&root)?;
            Ok(described(&stat, stat.st_dev != root.st_dev))
        })
    }

    fn list(&self, path: &str) -> Result<Vec<String>, FileError> {
        self.look_at(path, names)
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        self.look_at(path, content)
    }
}

/// Opens a handle on a path below a mounted directory, which allows no reading.
fn handle(root: &std::path::Path, path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let root = rustix::fs::open(root, flags, Mode::empty())?;
    if path.is_empty() {
        return Ok(root);
    }
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut opened = Err(Errno::AGAIN);
    for _ in 0..RETRIES {
        opened = rustix::fs::openat2(&root, path, flags, Mode::empty(), resolve);
        if !matches!(opened, Err(Errno::AGAIN)) {
            break;
        }
    }
    opened
}

fn described(stat: &Stat, is_on_submount: bool) -> HostNode {
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    let seconds = u64::try_from(stat.st_mtime).unwrap_or(0);
    let nanoseconds = u32::try_from(stat.st_mtime_nsec).unwrap_or(0);
    let modified = Duration::new(seconds, nanoseconds.min(999_999_999));
    HostNode {
        kind: match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => HostKind::Directory,
            FileType::RegularFile => HostKind::File(size),
            FileType::CharacterDevice => HostKind::Special(Special::Character),
            FileType::Fifo => HostKind::Special(Special::Fifo),
            FileType::Socket => HostKind::Special(Special::Socket),
            _ => HostKind::Special(Special::Block),
        },
        mode: u16::try_from(stat.st_mode & 0o7777).unwrap_or(0),
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified: SystemTime::UNIX_EPOCH
            .checked_add(modified)
            .unwrap_or(SystemTime::UNIX_EPOCH),
        is_on_submount,
    }
}

/// Checks that a handle is of a type, on a file system that stores files.
fn check(handle: &OwnedFd, wanted: FileType) -> Result<Stat, Errno> {
    let stat = rustix::fs::fstat(handle)?;
    match (wanted, FileType::from_raw_mode(stat.st_mode)) {
        (FileType::Directory, FileType::Directory)
        | (FileType::RegularFile, FileType::RegularFile) => {}
        (FileType::Directory, _) => return Err(Errno::NOTDIR),
        (_, FileType::Directory) => return Err(Errno::ISDIR),
        _ => return Err(Errno::NXIO),
    }
    // The kernel gives the number as a signed one; its low 32 bits are the type.
    let number = rustix::fs::fstatfs(handle)?.f_type.cast_unsigned() & 0xffff_ffff;
    let number = u32::try_from(number).unwrap_or(0);
    if STORING.contains(&number) || number == FUSE {
        Ok(stat)
    } else {
        Err(Errno::ACCESS)
    }
}

/// Opens a file, without a change of the time of its last access if that is allowed.
fn open_quietly(
    open: impl Fn(OFlags) -> Result<OwnedFd, Errno>,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    match open(flags | OFlags::NOATIME) {
        Err(Errno::PERM) => open(flags),
        opened => opened,
    }
}

fn names(handle: &OwnedFd) -> Result<Vec<String>, Errno> {
    check(handle, FileType::Directory)?;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let open = |flags| rustix::fs::openat(handle, ".", flags, Mode::empty());
    let mut directory = Dir::new(open_quietly(open, flags)?)?;
    let mut names = Vec::new();
    while let Some(entry) = directory.read() {
        // The shell knows names in UTF-8 only.
        match entry?.file_name().to_str() {
            Ok("." | "..") | Err(_) => {}
            Ok(_) if names.len() >= MAX_NAMES => return Err(Errno::OVERFLOW),
            Ok(name) => names.push(name.to_owned()),
        }
    }
    Ok(names)
}

fn content(handle: &OwnedFd) -> Result<Vec<u8>, Errno> {
    let stat = check(handle, FileType::RegularFile)?;
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size > MAX_FILE_BYTES {
        return Err(Errno::FBIG);
    }
    let file = File::from(reopened(handle, OFlags::RDONLY)?);
    let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let read = file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content);
    let read = read.map_err(|e| Errno::from_io_error(&e).unwrap_or(Errno::IO))?;
    if u64::try_from(read).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(Errno::FBIG);
    }
    Ok(content)
}

/// Opens the very file of a handle, whatever lies at its path by now.
pub(super) fn reopened(handle: &OwnedFd, access: OFlags) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", handle.as_fd().as_raw_fd());
    let flags = access | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let open = |flags| rustix::fs::open(path.as_str(), flags, Mode::empty());
    open_quietly(open, flags)
}

/// Returns the error that a command sees.
pub(super) fn file_error(error: Errno) -> FileError {
    match error {
        // A link that leads out leads nowhere.
        Errno::NOENT | Errno::XDEV | Errno::LOOP => FileError::NotFound,
        Errno::NOTDIR => FileError::NotADirectory,
        Errno::ISDIR => FileError::IsADirectory,
        Errno::ACCESS | Errno::PERM => FileError::Denied,
        Errno::NAMETOOLONG => FileError::NameTooLong,
        Errno::FBIG => FileError::TooLarge,
        Errno::OVERFLOW => FileError::Overflow,
        Errno::NXIO => FileError::NoDevice,
        Errno::ROFS => FileError::ReadOnly,
        _ => FileError::InputOutput,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::os::unix::net::UnixListener;

    fn mounted(path: &std::path::Path) -> Mounted {
        Mounted::new(path.to_owned(), Lookers::default())
    }

    /// Makes a volume as a kubelet makes that of a ConfigMap.
    fn config_map(volume: &std::path::Path, version: &str, text: &str) {
        fs::create_dir(volume.join(version)).unwrap();
        fs::write(volume.join(version).join("key"), text).unwrap();
        symlink(version, volume.join("..data_tmp")).unwrap();
        fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
        let _ = symlink("..data/key", volume.join("key"));
    }

    #[test]
    fn links_inside_are_followed_and_a_swap_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        config_map(dir.path(), "..1", "one");
        let look = mounted(dir.path());
        assert_eq!(look.read("key").unwrap(), b"one");
        assert_eq!(look.look("key").unwrap().kind, HostKind::File(3));
        assert_eq!(look.look("..data").unwrap().kind, HostKind::Directory);
        config_map(dir.path(), "..2", "second");
        assert_eq!(look.read("key").unwrap(), b"second");
        let mut names = look.list("").unwrap();
        names.sort();
        assert_eq!(names, ["..1", "..2", "..data", "key"]);
        // The mounted path itself may be a link.
        let linked = dir.path().join("linked");
        symlink(dir.path(), &linked).unwrap();
        assert_eq!(mounted(&linked).read("key").unwrap(), b"second");
    }

    #[test]
    fn no_link_leads_out() {
        let place = tempfile::tempdir().unwrap();
        let volume = place.path().join("volume");
        fs::create_dir_all(volume.join("in")).unwrap();
        fs::write(place.path().join("secret"), "s").unwrap();
        for (name, target) in [
            ("relative", "../secret"),
            ("absolute", "/etc/passwd"),
            ("in/deep", "../../secret"),
            ("above", ".."),
            ("magic", "/proc/self/root/etc/passwd"),
            ("loop", "loop"),
        ] {
            symlink(target, volume.join(name)).unwrap();
            let look = mounted(&volume);
            let not_found = Err(FileError::NotFound);
            assert_eq!(look.look(name), not_found, "{name}");
            assert_eq!(
                look.read(name).map(drop),
                Err(FileError::NotFound),
                "{name}"
            );
        }
        let look = mounted(&volume);
        for path in ["../secret", "above/secret", "/etc/passwd"] {
            assert_eq!(look.read(path), Err(FileError::NotFound), "{path}");
        }
    }

    #[test]
    fn nothing_but_a_regular_file_is_opened() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let mode = Mode::from_raw_mode(0o666);
        rustix::fs::mknodat(rustix::fs::CWD, &fifo, FileType::Fifo, mode, 0).unwrap();
        let _socket = UnixListener::bind(dir.path().join("socket")).unwrap();
        let look = mounted(dir.path());
        for (name, special) in [("fifo", Special::Fifo), ("socket", Special::Socket)] {
            let node = look.look(name).unwrap();
            assert_eq!(node.kind, HostKind::Special(special));
            assert_eq!(look.read(name), Err(FileError::NoDevice));
        }
        let null = mounted(std::path::Path::new("/dev/null"));
        assert_eq!(null.read(""), Err(FileError::NoDevice));
        // To read a file of /proc could wait, or have effects.
        let proc = mounted(std::path::Path::new("/proc/self"));
        assert_eq!(proc.read("status"), Err(FileError::Denied));
        assert_eq!(proc.list(""), Err(FileError::Denied));
    }

    #[test]
    fn a_look_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let large = fs::File::create(dir.path().join("large")).unwrap();
        large.set_len(MAX_FILE_BYTES + 1).unwrap();
        let look = mounted(dir.path());
        assert_eq!(look.read("large"), Err(FileError::TooLarge));
        assert_eq!(
            look.look("large").unwrap().kind,
            HostKind::File(MAX_FILE_BYTES + 1)
        );
        let many = dir.path().join("many");
        fs::create_dir(&many).unwrap();
        for n in 0..=MAX_NAMES {
            fs::write(many.join(n.to_string()), "").unwrap();
        }
        assert_eq!(look.list("many"), Err(FileError::Overflow));
        assert_eq!(look.look(&"x".repeat(300)), Err(FileError::NameTooLong));
    }

    #[test]
    fn a_look_shows_owner_and_mode_and_leaves_the_time_of_access() {
        use std::os::unix::fs::MetadataExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        let before = SystemTime::UNIX_EPOCH + Duration::from_secs(1000);
        let times = fs::FileTimes::new()
            .set_accessed(before)
            .set_modified(before);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_times(times)
            .unwrap();
        let look = mounted(dir.path());
        let node = look.look("file").unwrap();
        assert_eq!((node.mode, node.modified), (0o604, before));
        look.read("file").unwrap();
        let metadata = fs::metadata(&path).unwrap();
        assert_eq!((metadata.atime(), node.uid), (1000, metadata.uid()));
    }
}
