//! Steps on directory entries, each relative to an open directory and following no link.

use std::ffi::CStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, SeekFrom, mkdirat, openat, seek, unlinkat,
};
use rustix::io::Errno;

/// Name of a view's file.
pub(super) const INFO: &str = "resource_info.json";
/// Name under which earlier versions wrote that file; a crash may have left one.
pub(super) const TEMPORARY: &str = ".resource_info.json.tmp";
/// Name of the directory of the views of a sandbox's containers.
pub(super) const CONTAINERS: &str = "containers";

const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// Bytes of entries read at once: enough for a view's directory.
const ENTRIES: usize = 2048;

/// Entry of a name that should be a directory.
pub(super) enum Found {
    Dir(OwnedFd),
    Nothing,
    /// An entry that is not a directory.
    Foreign,
}

/// Result of a removal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Swept {
    /// The entry does not exist any more.
    Gone,
    /// The entry holds, or is, a file that does not belong to a view.
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

/// Opens a directory, and makes it if it is missing.
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

/// Returns the names in a directory that are UTF-8; all names that this crate makes are.
pub(super) fn names(dir: impl AsFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    seek(&dir, SeekFrom::Start(0))?;
    all_entries(dir, |name, _| {
        names.extend(name.to_str().map(str::to_owned));
        true
    })?;
    Ok(names)
}

/// Returns whether `holds` is true for the name and type of every entry of a directory that
/// was just opened.
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
