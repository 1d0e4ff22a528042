//! Views on the disk.
//!
//! Every step is relative to an open directory and follows no link, so nothing
//! outside the directory can be reached, whatever someone puts into it.

use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use containerd_sandbox::check_id;
use rustix::fs::{AtFlags, Dir, Mode, OFlags, mkdirat, openat, renameat, unlinkat};
use rustix::io::Errno;

use super::{ViewId, view_dir};
use crate::resource::ResourceInfo;
use crate::store::error::StoreError;

const INFO: &str = "resource_info.json";
/// One name is enough: one thread writes.
const TEMPORARY: &str = ".resource_info.json.tmp";
const CONTAINERS: &str = "containers";

const DIRECTORY: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

/// The directory that the views are in.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    path: PathBuf,
}

/// What bears a directory's name.
enum Found {
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

/// A view's file, as its bytes.
pub(super) fn content(info: &ResourceInfo) -> Result<Vec<u8>, StoreError> {
    let mut json = serde_json::to_vec_pretty(info).map_err(StoreError::Encode)?;
    json.push(b'\n');
    Ok(json)
}

impl Root {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        // The directory itself may be reached by a link: its owner chose it.
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(StoreError::of("open directory", path))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
        })
    }

    fn path_of(&self, id: &ViewId) -> PathBuf {
        let dir = self.path.join(view_dir(&id.key));
        match &id.container {
            None => dir,
            Some(container) => dir.join(CONTAINERS).join(container),
        }
        .join(INFO)
    }

    /// Makes a view show `info`, atomically.
    pub(super) fn put(&self, id: &ViewId, info: &ResourceInfo) -> Result<(), StoreError> {
        check_container(id)?;
        let json = content(info)?;
        self.put_bytes(id, &json)
            .map_err(|e| StoreError::io("write", &self.path_of(id), e))
    }

    fn put_bytes(&self, id: &ViewId, json: &[u8]) -> std::io::Result<()> {
        let mut dir = make_dir(&self.fd, &view_dir(&id.key))?;
        if let Some(container) = &id.container {
            dir = make_dir(&make_dir(&dir, CONTAINERS)?, container)?;
        }
        let flags = OFlags::WRONLY
            | OFlags::CREATE
            | OFlags::TRUNC
            | OFlags::NOFOLLOW
            | OFlags::NONBLOCK
            | OFlags::CLOEXEC;
        let file = openat(&dir, TEMPORARY, flags, Mode::RUSR | Mode::WUSR)?;
        let written = std::fs::File::from(file)
            .write_all(json)
            .and_then(|()| Ok(renameat(&dir, TEMPORARY, &dir, INFO)?));
        if written.is_err() {
            // It may hold the space that is missing; nobody is misled by it if it stays.
            let _ = unlinkat(&dir, TEMPORARY, AtFlags::empty());
        }
        written
    }

    /// What a view's file holds; `None` if there is no such file.
    pub(super) fn get(&self, id: &ViewId) -> Result<Option<Vec<u8>>, StoreError> {
        check_container(id)?;
        self.get_bytes(id)
            .map_err(|e| StoreError::io("read", &self.path_of(id), e))
    }

    fn get_bytes(&self, id: &ViewId) -> std::io::Result<Option<Vec<u8>>> {
        let Found::Dir(mut dir) = find_dir(&self.fd, &view_dir(&id.key))? else {
            return Ok(None);
        };
        if let Some(container) = &id.container {
            let Found::Dir(containers) = find_dir(&dir, CONTAINERS)? else {
                return Ok(None);
            };
            let Found::Dir(own) = find_dir(&containers, container)? else {
                return Ok(None);
            };
            dir = own;
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = match openat(&dir, INFO, flags, Mode::empty()) {
            Ok(file) => std::fs::File::from(file),
            Err(Errno::NOENT | Errno::LOOP) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        if !file.metadata()?.is_file() {
            return Ok(None);
        }
        // No view is as long, and of what is longer the beginning shows that it is stale.
        let mut bytes = Vec::new();
        file.take(4096).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Removes a view, a sandbox's with all in it, but nothing that is not a view's.
    pub(super) fn sweep(&self, id: &ViewId) -> Result<Swept, StoreError> {
        check_container(id)?;
        let name = view_dir(&id.key);
        match &id.container {
            None => self.sweep_sandbox(&name),
            Some(container) => self.sweep_container(&name, container),
        }
    }

    /// As [`Root::sweep`], for a sandbox's directory of this name.
    pub(super) fn sweep_sandbox(&self, name: &str) -> Result<Swept, StoreError> {
        let sweep = || {
            let dir = match find_dir(&self.fd, name)? {
                Found::Dir(dir) => dir,
                Found::Nothing => return Ok(Swept::Gone),
                Found::Foreign => return Ok(Swept::Left),
            };
            if let Found::Dir(containers) = find_dir(&dir, CONTAINERS)? {
                for id in names(&containers)? {
                    if check_id("container", &id).is_ok() {
                        sweep_leaf(&containers, &id)?;
                    }
                }
                remove_dir(&dir, CONTAINERS)?;
            }
            sweep_leaf(&self.fd, name)
        };
        sweep().map_err(|e| StoreError::io("remove", &self.path.join(name), e))
    }

    /// As [`Root::sweep`], for a container in a sandbox's directory of this name.
    pub(super) fn sweep_container(&self, name: &str, container: &str) -> Result<Swept, StoreError> {
        let sweep = || {
            let Found::Dir(dir) = find_dir(&self.fd, name)? else {
                return Ok(Swept::Gone);
            };
            match find_dir(&dir, CONTAINERS)? {
                Found::Dir(containers) => sweep_leaf(&containers, container),
                Found::Nothing | Found::Foreign => Ok(Swept::Gone),
            }
        };
        sweep().map_err(|e: Errno| {
            let path = self.path.join(name).join(CONTAINERS).join(container);
            StoreError::io("remove", &path, e)
        })
    }

    /// The names in the directory.
    pub(super) fn names(&self) -> Result<Vec<String>, StoreError> {
        names(&self.fd).map_err(StoreError::of("list", &self.path))
    }

    /// The names in the directory of a sandbox's containers.
    pub(super) fn containers(&self, name: &str) -> Result<Vec<String>, StoreError> {
        let list = || match find_dir(&self.fd, name)? {
            Found::Dir(dir) => match find_dir(&dir, CONTAINERS)? {
                Found::Dir(containers) => names(&containers),
                Found::Nothing | Found::Foreign => Ok(Vec::new()),
            },
            Found::Nothing | Found::Foreign => Ok(Vec::new()),
        };
        list().map_err(StoreError::of("list", &self.path.join(name)))
    }

    /// Whether a directory holds nothing but what a sandbox's views consist of.
    pub(super) fn holds_only_views(&self, name: &str) -> Result<bool, StoreError> {
        let check = || {
            let Found::Dir(dir) = find_dir(&self.fd, name)? else {
                return Ok(false);
            };
            for entry in names(&dir)? {
                let ours = match entry.as_str() {
                    INFO | TEMPORARY => true,
                    CONTAINERS => only_containers(&dir)?,
                    _ => false,
                };
                if !ours {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        check().map_err(|e: Errno| StoreError::io("examine", &self.path.join(name), e))
    }
}

/// An id that a change brought was checked at the door; one that a journal
/// brought was only sealed.
fn check_container(id: &ViewId) -> Result<(), StoreError> {
    match &id.container {
        None => Ok(()),
        Some(container) => check_id("container", container).map_err(StoreError::Name),
    }
}

fn only_containers(dir: &OwnedFd) -> Result<bool, Errno> {
    let Found::Dir(containers) = find_dir(dir, CONTAINERS)? else {
        return Ok(false);
    };
    for id in names(&containers)? {
        let Found::Dir(container) = find_dir(&containers, &id)? else {
            return Ok(false);
        };
        let files = names(&container)?;
        if check_id("container", &id).is_err()
            || !files
                .iter()
                .all(|name| [INFO, TEMPORARY].contains(&&**name))
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn find_dir(parent: impl AsFd, name: &str) -> Result<Found, Errno> {
    match openat(parent, name, DIRECTORY, Mode::empty()) {
        Ok(dir) => Ok(Found::Dir(dir)),
        Err(Errno::NOENT) => Ok(Found::Nothing),
        Err(Errno::NOTDIR | Errno::LOOP) => Ok(Found::Foreign),
        Err(e) => Err(e),
    }
}

fn make_dir(parent: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    match mkdirat(&parent, name, Mode::RWXU) {
        Ok(()) | Err(Errno::EXIST) => openat(parent, name, DIRECTORY, Mode::empty()),
        Err(e) => Err(e),
    }
}

/// Removes the files of a view, and its directory if that leaves it empty.
fn sweep_leaf(parent: impl AsFd, name: &str) -> Result<Swept, Errno> {
    let dir = match find_dir(&parent, name)? {
        Found::Dir(dir) => dir,
        Found::Nothing => return Ok(Swept::Gone),
        Found::Foreign => return Ok(Swept::Left),
    };
    remove_file(&dir, INFO)?;
    if remove_dir(&parent, name)? == Swept::Gone {
        return Ok(Swept::Gone);
    }
    // Only a crash leaves one.
    remove_file(&dir, TEMPORARY)?;
    remove_dir(&parent, name)
}

fn remove_file(dir: &OwnedFd, name: &str) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => Ok(()),
        Err(e) => Err(e),
    }
}

fn remove_dir(parent: impl AsFd, name: &str) -> Result<Swept, Errno> {
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(Swept::Gone),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(Swept::Left),
        Err(e) => Err(e),
    }
}

/// The names in a directory that are text: all of ours are.
fn names(dir: impl AsFd) -> Result<Vec<String>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        if let Ok(name) = entry?.file_name().to_str()
            && ![".", ".."].contains(&name)
        {
            names.push(name.to_owned());
        }
    }
    Ok(names)
}
