//! Views on the disk.
//!
//! Every step is relative to an open directory and follows no link, so nothing
//! outside the directory can be reached, whatever someone puts into it.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containerd_sandbox::check_id;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::entry::{
    CONTAINERS, Found, INFO, Swept, TEMPORARY, find_dir, make_dir, names, remove_dir, remove_file,
};
use super::spare::{Kind, SPARE, Spares};
use super::{ViewId, view_dir};
use journal::StoreError;
use pod_resources::ResourceInfo;

/// The directory that the views are in.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    path: PathBuf,
    spares: Spares,
}

/// A view's file, as its bytes.
pub(super) fn content(info: &ResourceInfo) -> Result<Vec<u8>, StoreError> {
    let mut json = serde_json::to_vec_pretty(info).map_err(StoreError::Encode)?;
    json.push(b'\n');
    Ok(json)
}

impl Root {
    /// Opens it; `rest` is how long at least a view's file is out of sight before
    /// it becomes another's.
    pub(super) fn open(path: &Path, rest: Duration) -> Result<Self, StoreError> {
        // The directory itself may be reached by a link: its owner chose it.
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(StoreError::of("open directory", path))?;
        Ok(Self {
            fd,
            path: path.to_owned(),
            spares: Spares::new(rest),
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
    pub(super) fn put(&mut self, id: &ViewId, info: &ResourceInfo) -> Result<(), StoreError> {
        check_container(id)?;
        let json = content(info)?;
        self.put_bytes(id, &json)
            .map_err(|e| StoreError::io("write", &self.path_of(id), e))
    }

    fn put_bytes(&mut self, id: &ViewId, json: &[u8]) -> std::io::Result<()> {
        let sandbox = view_dir(&id.key);
        let (kind, name) = match &id.container {
            None => (Kind::Sandbox, &sandbox),
            Some(container) => (Kind::Container, container),
        };
        let parent = match kind {
            Kind::Sandbox => None,
            Kind::Container => Some(make_dir(make_dir(&self.fd, &sandbox)?, CONTAINERS)?),
        };
        let blank = self.spares.take(&self.fd, kind)?;
        if let Err(e) = blank.write(json) {
            // It may hold the space that is missing.
            self.spares.discard(&self.fd, &blank);
            return Err(e);
        }
        let parent = parent.as_ref().unwrap_or(&self.fd);
        self.spares.place(&self.fd, blank, parent, name)
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
    pub(super) fn sweep(&mut self, id: &ViewId) -> Result<Swept, StoreError> {
        check_container(id)?;
        let name = view_dir(&id.key);
        match &id.container {
            None => self.sweep_sandbox(&name),
            Some(container) => self.sweep_container(&name, container),
        }
    }

    /// As [`Root::sweep`], for a sandbox's directory of this name.
    pub(super) fn sweep_sandbox(&mut self, name: &str) -> Result<Swept, StoreError> {
        self.try_sweep_sandbox(name)
            .map_err(|e| StoreError::io("remove", &self.path.join(name), e))
    }

    fn try_sweep_sandbox(&mut self, name: &str) -> Result<Swept, Errno> {
        let dir = match find_dir(&self.fd, name)? {
            Found::Dir(dir) => dir,
            Found::Nothing => return Ok(Swept::Gone),
            Found::Foreign => return Ok(Swept::Left),
        };
        let containers = find_dir(&dir, CONTAINERS)?;
        if let Found::Dir(containers) = &containers {
            for id in names(containers)? {
                if check_id("container", &id).is_ok() {
                    self.sweep_leaf(containers, &id)?;
                }
            }
        }
        if self
            .spares
            .keep(&self.fd, &self.fd, name, &dir, Kind::Sandbox)
        {
            return Ok(Swept::Gone);
        }
        if let Found::Dir(_) = containers {
            remove_dir(&dir, CONTAINERS)?;
        }
        remove_leaf(&self.fd, name, &dir)
    }

    /// As [`Root::sweep`], for a container in a sandbox's directory of this name.
    pub(super) fn sweep_container(
        &mut self,
        name: &str,
        container: &str,
    ) -> Result<Swept, StoreError> {
        self.try_sweep_container(name, container).map_err(|e| {
            let path = self.path.join(name).join(CONTAINERS).join(container);
            StoreError::io("remove", &path, e)
        })
    }

    fn try_sweep_container(&mut self, name: &str, container: &str) -> Result<Swept, Errno> {
        let Found::Dir(dir) = find_dir(&self.fd, name)? else {
            return Ok(Swept::Gone);
        };
        match find_dir(&dir, CONTAINERS)? {
            Found::Dir(containers) => self.sweep_leaf(&containers, container),
            Found::Nothing | Found::Foreign => Ok(Swept::Gone),
        }
    }

    fn sweep_leaf(&mut self, parent: &OwnedFd, name: &str) -> Result<Swept, Errno> {
        let dir = match find_dir(parent, name)? {
            Found::Dir(dir) => dir,
            Found::Nothing => return Ok(Swept::Gone),
            Found::Foreign => return Ok(Swept::Left),
        };
        if self
            .spares
            .keep(&self.fd, parent, name, &dir, Kind::Container)
        {
            return Ok(Swept::Gone);
        }
        remove_leaf(parent, name, &dir)
    }

    /// Removes what is kept of views that are gone, by an earlier run as well.
    pub(super) fn clear_spares(&mut self) -> Result<(), StoreError> {
        let cleared = self.spares.clear(&self.fd);
        cleared.map_err(StoreError::of("clear", &self.path.join(SPARE)))
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

/// Removes the files of a view, and its directory if that leaves it empty.
fn remove_leaf(parent: &OwnedFd, name: &str, dir: &OwnedFd) -> Result<Swept, Errno> {
    remove_file(dir, INFO)?;
    if remove_dir(parent, name)? == Swept::Gone {
        return Ok(Swept::Gone);
    }
    remove_file(dir, TEMPORARY)?;
    remove_dir(parent, name)
}
