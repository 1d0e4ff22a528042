//! Resources of a whole sandbox, computed from those of its containers.
//!
//! No API says which containers of a pod are init containers or sidecars, and a kubelet says it
//! neither in labels nor in annotations. What can be known is the order of events: a kubelet
//! creates a container with a new name only after every init container before it has ended with
//! exit code 0, and a sidecar runs on. So a container counts as an init container if it has
//! ended with 0 by the time at which a container with another, new name is created. A regular
//! container that ends before a kubelet has created the next one cannot be told from it.
//!
//! A container that is created again has the name of its predecessor. Of several attempts, an
//! ended one counts no more once its successor exists.

use super::machine::ProcessState;
use super::state::{Container, Slot};
use pod_resources::{PodSum, ResourceInfo, Span};

impl Slot {
    /// Returns the resources of the whole sandbox, field by field: the value that the sandbox
    /// states itself, or else that of its containers together ([`PodSum`]).
    pub fn resource_info(&self) -> ResourceInfo {
        let mut sum = PodSum::default();
        for (place, container) in self.containers.iter().enumerate() {
            if container.init.state == ProcessState::Stopped && self.has_successor(place) {
                continue;
            }
            let span = if container.is_initial {
                Span::Init
            } else {
                Span::Pod
            };
            sum.add(span, container.info);
        }
        self.sandbox.info.or(sum.total())
    }

    /// Returns whether a later container has the name of the one at `place`.
    fn has_successor(&self, place: usize) -> bool {
        let name = self.containers[place].name();
        let mut later = self.containers[place + 1..].iter();
        !name.is_empty() && later.any(|container| container.name() == name)
    }

    /// Notes the containers that prove to be init containers when one named `new` is
    /// created.
    pub(super) fn mark_initial(&mut self, new: &str) {
        let is_ended = |c: &Container| c.init.exit.is_some_and(|exit| exit.code == 0);
        // Most containers are created while no other has ended.
        if new.is_empty()
            || !self.containers.iter().any(is_ended)
            || self.containers.iter().any(|c| c.name() == new)
        {
            return;
        }
        for container in &mut self.containers {
            if is_ended(container) && !container.name().is_empty() {
                container.is_initial = true;
            }
        }
    }
}

impl Container {
    /// Returns the name of the container in its pod; empty if none is stated.
    pub fn name(&self) -> &str {
        match &self.cri {
            Some(cri) => cri.config.metadata.as_ref().map_or("", |m| &m.name),
            None => &self.name,
        }
    }

    /// Returns the OOM score adjustment; `None` if none is stated. CRI's 0 states none.
    pub fn oom_score_adj(&self) -> Option<i64> {
        match &self.cri {
            Some(cri) => {
                let stated = cri.linux_resources().map(|linux| linux.oom_score_adj);
                stated.filter(|adjustment| *adjustment != 0)
            }
            None => self.oom_score_adj,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Change, NewContainer, NewSandbox, ProcessId, Timestamp};

    /// A ready slot, and the number of containers so far.
    struct Pod(Slot, u32);

    impl Pod {
        fn new() -> Self {
            let mut slot = Slot::new(NewSandbox::default(), Timestamp::default());
            slot.apply(Change::Start, Timestamp::default()).unwrap();
            Self(slot, 0)
        }

        fn apply(&mut self, change: Change) {
            self.0.apply(change, Timestamp::default()).unwrap();
        }

        /// Creates and starts a container, and returns its id.
        fn starts(&mut self, name: &str, cores: f64) -> String {
            self.1 += 1;
            let id = format!("c{}", self.1);
            self.apply(Change::CreateContainer(NewContainer {
                id: id.clone(),
                name: name.to_owned(),
                info: ResourceInfo {
                    cpu_request: Some(cores),
                    ..ResourceInfo::default()
                },
                ..NewContainer::default()
            }));
            self.apply(Change::StartProcess(ProcessId::init(&id)));
            id
        }

        fn ends(&mut self, id: &str, code: u32) {
            self.apply(Change::Exit(ProcessId::init(id), code));
        }

        fn cores(&self) -> Option<f64> {
            self.0.resource_info().cpu_request
        }
    }

    #[test]
    fn an_ended_attempt_does_not_count_beside_its_successor() {
        let mut pod = Pod::new();
        for _ in 0..5 {
            let id = pod.starts("app", 1.0);
            assert_eq!(pod.cores(), Some(1.0));
            pod.ends(&id, 1);
            assert_eq!(pod.cores(), Some(1.0));
        }
        pod.starts("app", 1.0);
        pod.starts("other", 0.5);
        assert_eq!(pod.cores(), Some(1.5));
    }

    #[test]
    fn init_containers_count_beside_the_sidecars_before_them_only() {
        // The requests of the case sidecars-and-inits of the facts of Kubernetes.
        let mut pod = Pod::new();
        pod.starts("s1", 0.3);
        let failed = pod.starts("i1", 2.0);
        pod.ends(&failed, 1);
        let init = pod.starts("i1", 2.0);
        pod.ends(&init, 0);
        pod.starts("s2", 0.7);
        assert_eq!(pod.cores(), Some(2.3));
        let init = pod.starts("i2", 1.8);
        pod.ends(&init, 0);
        pod.starts("a", 1.0);
        pod.starts("b", 0.25);
        assert_eq!(pod.cores(), Some(2.8));
    }

    #[test]
    fn a_container_that_failed_or_ended_later_is_no_init_container() {
        let mut pod = Pod::new();
        let failed = pod.starts("a", 1.0);
        pod.ends(&failed, 1);
        let done = pod.starts("b", 1.0);
        let again = pod.starts("c", 1.0);
        pod.ends(&done, 0);
        pod.ends(&again, 1);
        pod.starts("c", 1.0);
        assert_eq!(pod.cores(), Some(3.0));
    }

    #[test]
    fn containers_without_names_all_count() {
        let mut pod = Pod::new();
        let first = pod.starts("", 1.0);
        pod.ends(&first, 0);
        pod.starts("", 1.0);
        assert_eq!(pod.cores(), Some(2.0));
    }
}
