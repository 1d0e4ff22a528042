//! Steps on the disk, each relative to an open directory and following no link.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom, mkdirat, openat, seek, unlinkat,
};
use rustix::io::Errno;

/// A view's file.
pub(super) const INFO: &str = "resource_info.json";
/// Where that file was once written; a crash may have left one.
pub(super) const TEMPORARY: &str = ".resource_info.json.tmp";
/// Holds the views of a sandbox's containers.
pub(super) const CONTAINERS: &str = "containers";

const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Bytes of entries that are read at once: a view's directory in one go.
const ENTRIES: usize = 2048;

/// What bears a directory's name.
pub(super) enum Found {
    Dir(OwnedFd),
    Nothing,
    /// Something else.
    Foreign,
}

/// What became of something to be removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swept {
    /// It is not there any more.
    Gone,
    /// It holds, or is, something that is not a view's.
    Left,
}

pub(super) fn open_dir(parent: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    openat(parent, name, DIRECTORY, Mode::empty())
}

pub(super) fn find_dir(parent: impl AsFd, name: &str) -> Result<Found, Errno> {
    match open_dir(parent, name) {
        Ok(dir) => Ok(Found::Dir(dir)),
        Err(Errno::NOENT) => Ok(Found::Nothing),
        Err(Errno::NOTDIR | Errno::LOOP) => Ok(Found::Foreign),
        Err(e) => Err(e),
    }
}

/// Opens a directory, having made it if it is missing.
pub(super) fn make_dir(parent: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    match open_dir(&parent, name) {
        Err(Errno::NOENT) => {
            mkdirat(&parent, name, Mode::RWXU)?;
            open_dir(parent, name)
        }
        opened => opened,
    }
}

pub(super) fn remove_file(dir: &OwnedFd, name: &str) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => Ok(()),
        Err(e) => Err(e),
    }
}

pub(super) fn remove_dir(parent: impl AsFd, name: &str) -> Result<Swept, Errno> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(Swept::Gone),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Swept::Left),
        Err(e) => Err(e),
    }
}

/// The names in a directory that are text: all of ours are.
pub(super) fn names(dir: impl AsFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    seek(&dir, SeekFrom::Start(0))?;
    all_entries(dir, |name, _| {
        names.extend(name.to_str().map(str::to_owned));
        true
    })?;
    Ok(names)
}

/// Whether something holds for every entry of a directory that was just opened,
/// by name and type.
pub(super) fn all_entries(
    dir: impl AsFd,
    mut holds: impl FnMut(&CStr, FileType) -> bool,
) -> Result<bool, Errno> {
    let mut buffer = [MaybeUninit::uninit(); ENTRIES];
    let mut entries = RawDir::new(dir, &mut buffer);
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if ![c".", c".."].contains(&name) && !holds(name, entry.file_type()) {
            return Ok(false);
        }
    }
    Ok(true)
}
