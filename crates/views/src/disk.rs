//! The directory of all views.
//!
//! Every step is relative to an open directory and follows no link, so no entry that
//! another program puts into the directory leads to a file outside it.

use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use containerd_sandbox::check_id;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::entry::{
    CONTAINERS, Found, INFO, Swept, TEMPORARY, all_entries, find_dir, make_dir, names, remove_dir,
    remove_file,
};
use super::error::ViewError;
use super::spare::{Kind, SPARE, Spares};
use super::{ViewId, view_dir};
use pod_resources::ResourceInfo;

/// The directory that contains all views.
#[derive(Debug)]
pub(super) struct Root {
    fd: OwnedFd,
    path: PathBuf,
    spares: Spares,
}

/// Returns the content of a view's file.
pub(super) fn content(info: &ResourceInfo) -> Result<Vec<u8>, ViewError> {
    let mut json = serde_json::to_vec_pretty(info).map_err(ViewError::Encode)?;
    json.push(b'\n');
    Ok(json)
}

impl Root {
    /// Opens the directory. `rest` is the least time between the removal of a view and the
    /// reuse of its file.
    pub(super) fn open(path: &Path, rest: Duration) -> Result<Self, ViewError> {
        // The path of the directory itself may contain links: its owner chose it.
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(path, flags, Mode::empty())
            .map_err(ViewError::of("open directory", path))?;
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

    /// Writes a view, atomically.
    pub(super) fn put(&mut self, id: &ViewId, info: &ResourceInfo) -> Result<(), ViewError> {
        check_container(id)?;
        let json = content(info)?;
        self.put_bytes(id, &json)
            .map_err(|e| ViewError::io("write", &self.path_of(id), e))
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
            // The file may hold the space that is missing.
            self.spares.discard(&self.fd, &blank);
            return Err(e);
        }
        let parent = parent.as_ref().unwrap_or(&self.fd);
        self.spares.place(&self.fd, blank, parent, name)
    }

    /// Returns the content of a view's file; `None` if there is no such file.
    pub(super) fn get(&self, id: &ViewId) -> Result<Option<Vec<u8>>, ViewError> {
        check_container(id)?;
        self.get_bytes(id)
            .map_err(|e| ViewError::io("read", &self.path_of(id), e))
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
        // Views are shorter. The first 4096 bytes of a longer file show that it is stale.
        let mut bytes = Vec::new();
        file.take(4096).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    /// Removes a view, for a sandbox with the views of its containers, and no other file.
    pub(super) fn sweep(&mut self, id: &ViewId) -> Result<Swept, ViewError> {
        check_container(id)?;
        let name = view_dir(&id.key);
        match &id.container {
            None => self.sweep_sandbox(&name),
            Some(container) => self.sweep_container(&name, container),
        }
    }

    /// Removes as [`Root::sweep`] does, given the name of a sandbox's directory.
    pub(super) fn sweep_sandbox(&mut self, name: &str) -> Result<Swept, ViewError> {
        self.try_sweep_sandbox(name)
            .map_err(|e| ViewError::io("remove", &self.path.join(name), e))
    }

    fn try_sweep_sandbox(&mut self, name: &str) -> Result<Swept, Errno> {
        let dir = match find_dir(&self.fd, name)? {
            Found::Dir(dir) => dir,
            Found::Nothing => return Ok(Swept::Gone),
            Found::Foreign => return Ok(Swept::Left),
        };
        let containers = match find_dir(&dir, CONTAINERS)? {
            Found::Dir(containers) => Some(containers),
            Found::Nothing | Found::Foreign => None,
        };
        let emptied = match &containers {
            Some(containers) => self.sweep_leaves(containers)?,
            None => false,
        };
        let emptied = containers.as_ref().filter(|_| emptied);
        if self
            .spares
            .keep(&self.fd, &self.fd, name, &dir, Kind::Sandbox, emptied)
        {
            return Ok(Swept::Gone);
        }
        if containers.is_some() {
            remove_dir(&dir, CONTAINERS)?;
        }
        remove_leaf(&self.fd, name, &dir)
    }

    /// Removes the views of all containers of a sandbox; returns whether nothing else is there.
    fn sweep_leaves(&mut self, containers: &OwnedFd) -> Result<bool, Errno> {
        let (mut ids, mut others) = (Vec::new(), false);
        all_entries(containers, |name, _| {
            match name.to_str() {
                Ok(id) if check_id("container", id).is_ok() => ids.push(id.to_owned()),
                _ => others = true,
            }
            true
        })?;
        for id in ids {
            others |= self.sweep_leaf(containers, &id)? == Swept::Left;
        }
        Ok(!others)
    }

    /// Removes as [`Root::sweep`] does, given a container and the name of its sandbox's
    /// directory.
    pub(super) fn sweep_container(
        &mut self,
        name: &str,
        container: &str,
    ) -> Result<Swept, ViewError> {
        self.try_sweep_container(name, container).map_err(|e| {
            let path = self.path.join(name).join(CONTAINERS).join(container);
            ViewError::io("remove", &path, e)
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
            .keep(&self.fd, parent, name, &dir, Kind::Container, None)
        {
            return Ok(Swept::Gone);
        }
        remove_leaf(parent, name, &dir)
    }

    /// Removes the spare directories, including those of an earlier run.
    pub(super) fn clear_spares(&mut self) -> Result<(), ViewError> {
        let cleared = self.spares.clear(&self.fd);
        cleared.map_err(ViewError::of("clear", &self.path.join(SPARE)))
    }

    /// Returns the names in the directory.
    pub(super) fn names(&self) -> Result<Vec<String>, ViewError> {
        names(&self.fd).map_err(ViewError::of("list", &self.path))
    }

    /// Returns the names in the directory of a sandbox's containers.
    pub(super) fn containers(&self, name: &str) -> Result<Vec<String>, ViewError> {
        let list = || match find_dir(&self.fd, name)? {
            Found::Dir(dir) => match find_dir(&dir, CONTAINERS)? {
                Found::Dir(containers) => names(&containers),
                Found::Nothing | Found::Foreign => Ok(Vec::new()),
            },
            Found::Nothing | Found::Foreign => Ok(Vec::new()),
        };
        list().map_err(ViewError::of("list", &self.path.join(name)))
    }

    /// Returns whether a directory holds only entries of a sandbox's views.
    pub(super) fn holds_only_views(&self, name: &str) -> Result<bool, ViewError> {
        let check = || {
            let Found::Dir(dir) = find_dir(&self.fd, name)? else {
                return Ok(false);
            };
            for entry in names(&dir)? {
                let is_view = match entry.as_str() {
                    INFO | TEMPORARY => true,
                    CONTAINERS => only_containers(&dir)?,
                    _ => false,
                };
                if !is_view {
                    return Ok(false);
                }
            }
            Ok(true)
        };
        check().map_err(|e: Errno| ViewError::io("examine", &self.path.join(name), e))
    }
}

/// Checks the id of a container: a request's id was checked by the API, but an id from the
/// journal was only checked for damage.
fn check_container(id: &ViewId) -> Result<(), ViewError> {
    match &id.container {
        None => Ok(()),
        Some(container) => check_id("container", container).map_err(ViewError::Name),
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

/// Removes the files of a view, and its directory if that is then empty.
fn remove_leaf(parent: &OwnedFd, name: &str, dir: &OwnedFd) -> Result<Swept, Errno> {
    remove_file(dir, INFO)?;
    if remove_dir(parent, name)? == Swept::Gone {
        return Ok(Swept::Gone);
    }
    remove_file(dir, TEMPORARY)?;
    remove_dir(parent, name)
}
