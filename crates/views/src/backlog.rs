//! Changes that are still to be made, at most one per view.

use std::collections::BTreeMap;

use super::{ViewId, ViewOp};
use pod_resources::ResourceInfo;

/// Wanted content of a view.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Want {
    /// Whether the present view is removed first, for a sandbox with its containers.
    pub(super) sweep: bool,
    /// Wanted content; `None` if the view is to be removed.
    pub(super) info: Option<ResourceInfo>,
}

/// Wanted contents by view.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    wants: BTreeMap<ViewId, Want>,
}

impl Backlog {
    pub(super) fn is_empty(&self) -> bool {
        self.wants.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.wants.len()
    }

    pub(super) fn insert(&mut self, id: ViewId, want: Want) {
        self.wants.insert(id, want);
    }

    /// Takes one want out, the want of a sandbox before those of its containers.
    pub(super) fn pop(&mut self) -> Option<(ViewId, Want)> {
        self.wants.pop_first()
    }

    /// Takes the want of a view out if the view is to be removed first.
    pub(super) fn take_sweep(&mut self, id: &ViewId) -> Option<Want> {
        self.wants.get(id).filter(|want| want.sweep)?;
        self.wants.remove(id)
    }

    /// Takes the want of a view out and, if a sandbox's view goes, drops the wants of its
    /// containers.
    fn supersede(&mut self, id: &ViewId, goes: bool) -> Option<Want> {
        let earlier = self.wants.remove(id);
        if goes && id.container.is_none() {
            let within = self.wants.range(id..).map(|(other, _)| other);
            let within: Vec<ViewId> = within
                .take_while(|other| other.key == id.key)
                .cloned()
                .collect();
            for other in within {
                self.wants.remove(&other);
            }
        }
        earlier
    }
}

/// Merges a change with the outstanding ones and returns the result.
///
/// A view is in one backlog at most, so the next write of a view is the last that was
/// submitted.
pub(super) fn admit<const N: usize>(op: ViewOp, backlogs: [&mut Backlog; N]) -> (ViewId, Want) {
    let (key, container, info) = match op {
        ViewOp::Put {
            key,
            container,
            info,
        } => (key, container, Some(info)),
        ViewOp::Remove { key, container } => (key, container, None),
    };
    let id = ViewId { key, container };
    let mut sweep = info.is_none();
    for backlog in backlogs {
        let earlier = backlog.supersede(&id, info.is_none());
        sweep |= earlier.is_some_and(|want| want.sweep);
    }
    (id, Want { sweep, info })
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Key;

    fn put(id: &str, container: Option<&str>) -> ViewOp {
        ViewOp::Put {
            key: Key::new("k8s.io", id).unwrap(),
            container: container.map(str::to_owned),
            info: ResourceInfo::default(),
        }
    }

    fn remove(id: &str, container: Option<&str>) -> ViewOp {
        ViewOp::Remove {
            key: Key::new("k8s.io", id).unwrap(),
            container: container.map(str::to_owned),
        }
    }

    fn after(ops: impl IntoIterator<Item = ViewOp>) -> Vec<(String, Want)> {
        let (mut fresh, mut failed) = (Backlog::default(), Backlog::default());
        for (i, op) in ops.into_iter().enumerate() {
            let (id, want) = admit(op, [&mut fresh, &mut failed]);
            // The result must not depend on the backlog that holds a want.
            [&mut fresh, &mut failed][i % 2].insert(id, want);
        }
        let name = |id: ViewId| format!("{}/{}", id.key, id.container.unwrap_or_default());
        let fresh = std::iter::from_fn(|| fresh.pop());
        let mut all: Vec<_> = fresh
            .chain(std::iter::from_fn(|| failed.pop()))
            .map(|(id, w)| (name(id), w))
            .collect();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    const SHOWN: Option<ResourceInfo> = Some(ResourceInfo {
        cpu_limit: None,
        cpu_request: None,
        memory_limit: None,
        memory_request: None,
        pid_limit: None,
        storage_limit: None,
        network_bandwidth: None,
    });

    #[test]
    fn removing_a_sandbox_drops_the_changes_of_its_containers() {
        let ops = [
            put("a", None),
            put("a", Some("c")),
            put("a", Some("d")),
            put("b", Some("c")),
            remove("a", None),
        ];
        let gone = Want {
            sweep: true,
            info: None,
        };
        let shown = Want {
            sweep: false,
            info: SHOWN,
        };
        assert_eq!(
            after(ops),
            [("a/".to_owned(), gone), ("b/c".to_owned(), shown)]
        );
    }

    #[test]
    fn a_view_that_comes_again_is_removed_first() {
        let ops = [
            remove("a", None),
            put("a", None),
            put("a", None),
            put("a", Some("c")),
        ];
        let again = Want {
            sweep: true,
            info: SHOWN,
        };
        let shown = Want {
            sweep: false,
            info: SHOWN,
        };
        assert_eq!(
            after(ops),
            [("a/".to_owned(), again), ("a/c".to_owned(), shown)]
        );
    }
}
