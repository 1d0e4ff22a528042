//! Makes the views agree with the state that a start found.

use std::collections::HashMap;
use std::fmt;

use containerd_sandbox::{Key, check_id};

use super::disk::{self, Root};
use super::entry::Swept;
use super::error::ViewError;
use super::{IMAGES, JOURNAL, LOCK, ViewId, view_dir};
use journal::Slots;
use pod_resources::ResourceInfo;

/// Views that should exist, by the name of the sandbox's directory.
#[derive(Debug, Default)]
pub(super) struct Expected {
    sandboxes: HashMap<String, Vec<(ViewId, ResourceInfo)>>,
}

impl Expected {
    pub(super) fn of(slots: &Slots) -> Self {
        let views = slots.iter().map(|(key, slot)| {
            let id = |container| ViewId {
                key: key.clone(),
                container,
            };
            let containers = slot
                .containers
                .iter()
                .map(|container| (id(Some(container.id.clone())), container.info));
            let views = std::iter::once((id(None), slot.resource_info())).chain(containers);
            (view_dir(key), views.collect())
        });
        Self {
            sandboxes: views.collect(),
        }
    }
}

/// Result of a repair, in views.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Views that were right.
    pub kept: usize,
    /// Views that were missing or stale and are written now.
    pub written: usize,
    /// Removed views of containers and sandboxes that no longer exist; a sandbox counts once.
    pub removed: usize,
    /// Directories that hold other files and stay.
    pub left: usize,
    /// Views that could not be written, which are tried again every second, or could not be
    /// removed, which the next start tries again.
    pub failed: usize,
}

impl fmt::Display for Repaired {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} kept, {} written, {} removed, {} left alone, {} failed",
            self.kept, self.written, self.removed, self.left, self.failed
        )
    }
}

/// A view that could not be written, with its wanted content.
pub(super) type Unwritten = (ViewId, ResourceInfo);

/// Repairs the views and returns those that are to be tried again.
pub(super) fn repair(
    root: &mut Root,
    expected: &Expected,
) -> Result<(Repaired, Vec<Unwritten>), ViewError> {
    root.clear_spares()?;
    let mut done = Repaired::default();
    let mut unwritten = Vec::new();
    for name in root.names()? {
        if is_view_dir(&name) && !expected.sandboxes.contains_key(&name) {
            done.count(&name, remove_unknown(root, &name));
        }
    }
    for (name, views) in &expected.sandboxes {
        remove_unknown_containers(root, name, views, &mut done);
        for (id, info) in views {
            match refresh(root, id, info) {
                Ok(true) => done.written += 1,
                Ok(false) => done.kept += 1,
                Err(e) => {
                    tracing::warn!("{e}");
                    done.failed += 1;
                    unwritten.push((id.clone(), *info));
                }
            }
        }
    }
    Ok((done, unwritten))
}

impl Repaired {
    fn count(&mut self, name: &str, swept: Result<Swept, ViewError>) {
        match swept {
            Ok(Swept::Gone) => self.removed += 1,
            Ok(Swept::Left) => {
                tracing::warn!("{name} is no sandbox's and holds more than views: left alone");
                self.left += 1;
            }
            Err(e) => {
                tracing::warn!("{e}");
                self.failed += 1;
            }
        }
    }
}

/// Writes a view if its content is not the wanted one; returns whether it was written.
fn refresh(root: &mut Root, id: &ViewId, info: &ResourceInfo) -> Result<bool, ViewError> {
    if root.get(id)? == Some(disk::content(info)?) {
        return Ok(false);
    }
    root.put(id, info)?;
    Ok(true)
}

fn remove_unknown(root: &mut Root, name: &str) -> Result<Swept, ViewError> {
    if root.holds_only_views(name)? {
        root.sweep_sandbox(name)
    } else {
        Ok(Swept::Left)
    }
}

fn remove_unknown_containers(
    root: &mut Root,
    name: &str,
    views: &[(ViewId, ResourceInfo)],
    done: &mut Repaired,
) {
    let found = root.containers(name).unwrap_or_else(|e| {
        tracing::warn!("{e}");
        done.failed += 1;
        Vec::new()
    });
    for container in found {
        let known = |(id, _): &(ViewId, ResourceInfo)| id.container.as_ref() == Some(&container);
        if check_id("container", &container).is_ok() && !views.iter().any(known) {
            done.count(&container, root.sweep_container(name, &container));
        }
    }
}

/// Returns whether a name is one that [`view_dir`] returns.
fn is_view_dir(name: &str) -> bool {
    match name.split_once('@') {
        Some((id, namespace)) => Key::new(namespace, id).is_ok(),
        None => ![LOCK, JOURNAL, IMAGES].contains(&name) && check_id("id", name).is_ok(),
    }
}
