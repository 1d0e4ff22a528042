//! What is still to be done, at most one thing a view.

use std::collections::BTreeMap;

use super::{ViewId, ViewOp};
use pod_resources::ResourceInfo;

/// What a view shall come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Want {
    /// Whether what is there is to be removed first, a sandbox's containers included.
    pub(super) sweep: bool,
    /// What it shall show in the end; `None` if it shall be gone.
    pub(super) info: Option<ResourceInfo>,
}

/// Wants by view.
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

    /// Gives one want up, a sandbox's before those of its containers.
    pub(super) fn pop(&mut self) -> Option<(ViewId, Want)> {
        self.wants.pop_first()
    }

    /// Gives the want of a view up if that is to be swept.
    pub(super) fn take_sweep(&mut self, id: &ViewId) -> Option<Want> {
        self.wants.get(id).filter(|want| want.sweep)?;
        self.wants.remove(id)
    }

    /// Takes out the want of a view and, if the view goes, those of what goes with it.
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

/// What an operation comes to on top of what was not done yet. A view is in one
/// backlog at most, so what is done of it first is what was asked for last.
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
            // Where a want lies makes no difference to what follows it.
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
    fn removing_a_sandbox_forgets_what_was_wanted_in_it() {
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
    fn what_comes_again_is_swept_first() {
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
