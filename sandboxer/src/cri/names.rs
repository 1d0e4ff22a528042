//! Names of pods and containers: each metadata belongs to at most one pod or container.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use containerd_sandbox::{Error, Key, Result, quoted};
use cri_api::v1::{ContainerMetadata, PodSandboxMetadata};
use parking_lot::Mutex;

use crate::live::{Seen, Step};
use slot::{CriPod, Slot};

/// Returns a pod's name, put together from its metadata as containerd does.
pub(super) fn of_pod(pod: &PodSandboxMetadata) -> String {
    let PodSandboxMetadata {
        name,
        uid,
        namespace,
        attempt,
    } = pod;
    format!("{name}_{namespace}_{uid}_{attempt}")
}

/// Returns a container's name, put together from its and its pod's metadata as containerd
/// does.
pub(super) fn of_container(container: &ContainerMetadata, pod: &PodSandboxMetadata) -> String {
    let PodSandboxMetadata {
        name,
        uid,
        namespace,
        attempt: _,
    } = pod;
    format!(
        "{}_{name}_{namespace}_{uid}_{}",
        container.name, container.attempt
    )
}

/// Names and the ids that they are reserved for, in both directions. The names follow the
/// slots: a name is free again when its owner is deleted, through any API.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<Both>);

#[derive(Debug, Default)]
struct Both {
    ids: HashMap<String, String>,
    names: HashMap<String, String>,
}

/// A reserved name, which is free again when the reservation is dropped without
/// [`Reservation::keep`].
#[derive(Debug)]
pub(super) struct Reservation<'a> {
    names: &'a Names,
    id: String,
    kept: bool,
}

impl Names {
    /// Reserves a name for an id.
    ///
    /// # Errors
    /// `AlreadyExists`, with the id that has the name.
    pub(super) fn reserve(&self, name: String, id: &str) -> Result<Reservation<'_>> {
        let mut both = self.0.lock();
        match both.ids.entry(name.clone()) {
            Entry::Occupied(taken) => {
                return Err(Error::already_exists(format!(
                    "name {} is reserved for {}",
                    quoted(&name),
                    quoted(taken.get())
                )));
            }
            Entry::Vacant(free) => free.insert(id.to_owned()),
        };
        both.names.insert(id.to_owned(), name);
        Ok(Reservation {
            names: self,
            id: id.to_owned(),
            kept: false,
        })
    }

    fn release(&self, id: &str) {
        let mut both = self.0.lock();
        if let Some(name) = both.names.remove(id) {
            both.ids.remove(&name);
        }
    }

    /// Records one step of a pod or container.
    pub(super) fn seen(&self, sandbox: &Key, slot: &Slot, seen: &Seen) {
        match (seen.step, &seen.container) {
            (Step::Deleted, Some(container)) => self.release(container),
            (Step::Deleted, None) => {
                let containers = slot.containers.iter().map(|c| c.id.as_str());
                containers
                    .chain([sandbox.id()])
                    .for_each(|id| self.release(id));
            }
            (Step::Created | Step::Started | Step::Stopped, _) => {}
        }
    }

    /// Records a recovered pod.
    pub(super) fn recover(&self, key: &Key, slot: &Slot, pod: &CriPod) {
        let Some(metadata) = &pod.config.metadata else {
            return;
        };
        let containers = slot.containers.iter().filter_map(|container| {
            let own = container.cri.as_ref()?.config.metadata.as_ref()?;
            Some((of_container(own, metadata), container.id.as_str()))
        });
        for (name, id) in containers.chain([(of_pod(metadata), key.id())]) {
            match self.reserve(name, id) {
                Ok(reservation) => reservation.keep(),
                Err(e) => tracing::warn!("{id}: {e}"),
            }
        }
    }
}

impl Reservation<'_> {
    /// Keeps the name until its owner is deleted.
    pub(super) fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.kept {
            self.names.release(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use containerd_sandbox::Code;

    #[test]
    fn a_name_is_taken_until_its_reservation_is_dropped() {
        let names = Names::default();
        let first = names.reserve("a".to_owned(), "1").unwrap();
        let taken = names.reserve("a".to_owned(), "2").unwrap_err();
        assert_eq!(taken.code(), Code::AlreadyExists);
        assert_eq!(taken.to_string(), r#"name "a" is reserved for "1""#);
        drop(first);
        names.reserve("a".to_owned(), "2").unwrap().keep();
        assert!(names.reserve("a".to_owned(), "3").is_err());
    }

    #[test]
    fn names_are_containerds() {
        let pod = PodSandboxMetadata {
            name: "web".to_owned(),
            uid: "u".to_owned(),
            namespace: "shop".to_owned(),
            attempt: 2,
        };
        assert_eq!(of_pod(&pod), "web_shop_u_2");
        let container = ContainerMetadata {
            name: "app".to_owned(),
            attempt: 1,
        };
        assert_eq!(of_container(&container, &pod), "app_web_shop_u_1");
    }
}
