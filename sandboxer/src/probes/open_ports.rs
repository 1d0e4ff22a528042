//! The ports of a pod that are open, and the container behind each. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::simulate::probe::{self, Readiness};
use slot::{Container, Moment, ProcessState, SandboxState, Slot};

/// A container behind an open port.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Server<'a> {
    pub(super) container: &'a Container,
    pub(super) readiness: Readiness,
}

impl Server<'_> {
    /// Returns whether the container is paused: connections are accepted then, and nothing is
    /// answered.
    pub(super) fn is_paused(&self) -> bool {
        self.container.init.state == ProcessState::Paused
    }
}

/// The open ports of a pod.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct OpenPorts {
    pub(super) ports: BTreeSet<u16>,
    /// Time until they change, if no request changes the pod earlier; `None` for never.
    pub(super) change_in: Option<Duration>,
}

/// Returns the container that answers on a port; `None` if the port is closed. Every pod has the
/// ports `of_all` beside its own.
///
/// A port that containers declare is theirs alone. Another port, which an annotation or the user
/// of the daemon names, is the oldest running container's that it is named for.
pub(super) fn server<'a>(
    slot: &'a Slot,
    port: u16,
    of_all: &[u16],
    now: impl Into<Moment>,
) -> Option<Server<'a>> {
    let now = now.into();
    if slot.state != SandboxState::Ready {
        return None;
    }
    let is_declared = slot.containers.iter().any(|c| c.ports.contains(&port));
    let listens = |container: &&Container| {
        if is_declared {
            container.ports.contains(&port)
        } else {
            of_all.contains(&port) || named(container).contains(&port)
        }
    };
    let open = slot
        .containers
        .iter()
        .filter(listens)
        .filter_map(|container| {
            let server = Server {
                container,
                readiness: probe::readiness(container, now),
            };
            is_open(&server).then_some(server)
        });
    // Of several containers one that is ready is preferred.
    open.reduce(|first, next| {
        if !first.readiness.is_ready && next.readiness.is_ready {
            next
        } else {
            first
        }
    })
}

/// Returns the open ports of a pod.
pub(super) fn all(slot: &Slot, of_all: &[u16], now: impl Into<Moment>) -> OpenPorts {
    let now = now.into();
    if slot.state != SandboxState::Ready {
        return OpenPorts::default();
    }
    let candidates = slot
        .containers
        .iter()
        .filter(|container| runs(container))
        .flat_map(|container| container.ports.iter().chain(named(container)))
        .chain(of_all);
    let candidates: BTreeSet<u16> = candidates.copied().collect();
    let ports = candidates
        .into_iter()
        .filter(|port| server(slot, *port, of_all, now).is_some());
    let running = slot.containers.iter().filter(|container| runs(container));
    OpenPorts {
        ports: ports.collect(),
        change_in: running
            .filter_map(|container| probe::readiness(container, now).changes_in)
            .min(),
    }
}

fn runs(container: &Container) -> bool {
    let state = container.init.state;
    matches!(state, ProcessState::Running | ProcessState::Paused)
}

fn is_open(server: &Server<'_>) -> bool {
    let stated = probe::of_container(server.container);
    let answers_unready = stated.is_some_and(|stated| stated.answers_unready);
    runs(server.container) && (server.readiness.is_ready || answers_unready)
}

/// Returns the ports that annotations name for a container.
fn named(container: &Container) -> &[u16] {
    probe::of_container(container).map_or(&[], |stated| &stated.ports)
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::{Behaviour, Change, NewContainer, NewSandbox, ProbeBehaviour, ProcessId, Timestamp};

    fn slot() -> Slot {
        let mut slot = Slot::new(NewSandbox::default(), Timestamp::default());
        slot.apply(Change::Start, Timestamp::default()).unwrap();
        slot
    }

    fn add(slot: &mut Slot, id: &str, ports: &[u16], stated: ProbeBehaviour) {
        let new = NewContainer {
            id: id.to_owned(),
            ports: ports.to_vec(),
            behaviour: Some(Box::new(Behaviour {
                probes: Some(Box::new(stated)),
                ..Behaviour::default()
            })),
            ..NewContainer::default()
        };
        for change in [
            Change::CreateContainer(new),
            Change::StartProcess(ProcessId::init(id)),
        ] {
            slot.apply(change, Timestamp::default()).unwrap();
        }
    }

    fn change(slot: &mut Slot, change: Change) {
        slot.apply(change, Timestamp::default()).unwrap();
    }

    fn open(slot: &Slot) -> Vec<u16> {
        let open = all(slot, &[9000], Timestamp::default());
        open.ports.into_iter().collect()
    }

    fn behind(slot: &Slot, port: u16) -> Option<&str> {
        let server = server(slot, port, &[9000], Timestamp::default())?;
        Some(&server.container.id)
    }

    #[test]
    fn a_port_is_open_while_a_container_that_declares_it_runs() {
        let mut slot = slot();
        assert!(open(&slot).is_empty());
        add(&mut slot, "a", &[80], ProbeBehaviour::default());
        add(&mut slot, "b", &[81], ProbeBehaviour::default());
        assert_eq!(open(&slot), [80, 81, 9000]);
        assert_eq!(
            [80, 81, 82, 9000].map(|port| behind(&slot, port)),
            [Some("a"), Some("b"), None, Some("a")]
        );
        change(&mut slot, Change::Exit(ProcessId::init("a"), 1));
        assert_eq!(open(&slot), [81, 9000]);
        assert_eq!(
            [80, 9000].map(|port| behind(&slot, port)),
            [None, Some("b")]
        );
        // The next attempt of the container.
        add(&mut slot, "c", &[80], ProbeBehaviour::default());
        assert_eq!(behind(&slot, 80), Some("c"));
        change(&mut slot, Change::Stop(0));
        assert!(open(&slot).is_empty());
        assert_eq!(behind(&slot, 81), None);
    }

    #[test]
    fn a_declared_port_is_not_another_containers() {
        let mut slot = slot();
        add(&mut slot, "a", &[9000], ProbeBehaviour::default());
        let named = ProbeBehaviour {
            ports: vec![9000, 9001],
            ..ProbeBehaviour::default()
        };
        add(&mut slot, "b", &[], named);
        assert_eq!(behind(&slot, 9000), Some("a"));
        change(&mut slot, Change::Exit(ProcessId::init("a"), 1));
        assert_eq!(open(&slot), [9001]);
    }

    #[test]
    fn a_container_that_is_not_ready_refuses_unless_it_says_so() {
        let later = ProbeBehaviour {
            ready_after: Duration::from_secs(5),
            ..ProbeBehaviour::default()
        };
        let says = ProbeBehaviour {
            answers_unready: true,
            ready_after: Duration::from_secs(3),
            ..ProbeBehaviour::default()
        };
        let mut slot = slot();
        add(&mut slot, "a", &[80], later);
        add(&mut slot, "b", &[81], says);
        let at = |nanos| all(&slot, &[], Timestamp::from_nanos(nanos));
        let first = at(0);
        assert_eq!(first.ports, [81].into());
        assert_eq!(first.change_in, Some(Duration::from_secs(3)));
        let last = at(5_000_000_000);
        assert_eq!(last.ports, [80, 81].into());
        assert_eq!(last.change_in, None);
    }

    #[test]
    fn a_paused_container_keeps_its_ports_open() {
        let mut slot = slot();
        add(&mut slot, "a", &[80], ProbeBehaviour::default());
        change(&mut slot, Change::Pause("a".to_owned()));
        let server = server(&slot, 80, &[], Timestamp::default());
        assert!(server.is_some_and(|server| server.is_paused()));
    }
}
