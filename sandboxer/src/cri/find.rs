//! Pods and containers by id, or by the beginning of an id.

use containerd_sandbox::{Error, Key, Result, Sandboxer, quoted};

use super::{Cri, NAMESPACE, id};
use crate::live::{ResourceSlotContainer, ResourceSlotSandbox};
use slot::Origin;

/// Fields that name a pod and a container.
const POD: &str = "pod_sandbox_id";
const CONTAINER: &str = "container_id";

impl Cri {
    /// Returns the key of a pod or container in the CRI API's namespace.
    pub(super) fn key(id: &str) -> Result<Key> {
        Key::new(NAMESPACE, id)
    }

    /// Returns the pod with this id.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` if several pods' ids begin with `id`.
    pub(super) fn pod(&self, id: &str) -> Result<(Key, ResourceSlotSandbox)> {
        let not_found = || Error::not_found(format!("{POD} {}: no such pod", quoted(id)));
        self.find_pod(id)?.ok_or_else(not_found)
    }

    /// Returns the pod with this id, or `None`; otherwise as [`Cri::pod`].
    pub(super) fn find_pod(&self, given: &str) -> Result<Option<(Key, ResourceSlotSandbox)>> {
        id::check_given(POD, given)?;
        let exact = |key: Key| {
            let sandbox = self.sandboxer.sandbox(&key).ok()?;
            sandbox.read_pod(|_, _, _| ()).ok()?;
            Some((key, sandbox))
        };
        let Ok(key) = Self::key(given) else {
            return Ok(None);
        };
        if let Some(found) = exact(key) {
            return Ok(Some(found));
        }
        if given.len() >= id::LEN {
            return Ok(None);
        }
        let keys = self
            .sandboxer
            .pods(|key, _, _| Some((key.id().to_owned(), key.clone())));
        Ok(id::unique(POD, "pods", given, keys)?.and_then(exact))
    }

    /// Returns the container with this id.
    ///
    /// # Errors
    /// `NotFound`; `InvalidArgument` if several containers' ids begin with `id`.
    pub(super) fn container(&self, id: &str) -> Result<ResourceSlotContainer> {
        let not_found =
            || Error::not_found(format!("{CONTAINER} {}: no such container", quoted(id)));
        self.find_container(id)?.ok_or_else(not_found)
    }

    /// Returns the container with this id, or `None`; otherwise as [`Cri::container`].
    pub(super) fn find_container(&self, given: &str) -> Result<Option<ResourceSlotContainer>> {
        id::check_given(CONTAINER, given)?;
        let exact = |key: Key| {
            let container = self.sandboxer.container(&key).ok()?;
            container.read_cri(|_| ()).ok()?;
            Some(container)
        };
        let Ok(key) = Self::key(given) else {
            return Ok(None);
        };
        if let Some(found) = exact(key) {
            return Ok(Some(found));
        }
        if given.len() >= id::LEN {
            return Ok(None);
        }
        let ids = self.sandboxer.pods(|_, slot, _| {
            let containers = slot.containers.iter().filter(|c| c.origin() == Origin::Cri);
            Some(containers.map(|c| c.id.clone()).collect::<Vec<_>>())
        });
        let ids = ids.into_iter().flatten().map(|id| (id.clone(), id));
        match id::unique(CONTAINER, "containers", given, ids)? {
            Some(id) => Ok(exact(Self::key(&id)?)),
            None => Ok(None),
        }
    }
}
