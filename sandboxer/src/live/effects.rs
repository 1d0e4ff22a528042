//! Effects of a change: messages to other parties, changes of views, and ids that become free.
//!
//! Pure: [`make`] changes the slot in memory and returns the effects; `commit` carries
//! them out.

use containerd_sandbox::Key;

use super::observe::{self, Seen, Step};
use crate::upstream::{self, Event};
use pod_resources::ResourceInfo;
use slot::{Change, Ended, Exit, Moment, Slot, Transition};
use views::ViewOp;

/// Parties that are told of the changes of a slot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Audience {
    /// containerd, which is sent task events.
    pub(super) events: bool,
    /// The observer of the CRI API's pods.
    pub(super) steps: bool,
}

/// Effects of one change, each list in the order in which it is carried out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Effects {
    /// Processes that the change ended.
    pub(super) ended: Vec<Ended>,
    /// End of the sandbox, if the change ended it.
    pub(super) exit: Option<Exit>,
    /// Events for containerd.
    pub(super) events: Vec<Event>,
    /// Steps for the observer.
    pub(super) steps: Vec<Seen>,
    /// Changes of views.
    pub(super) views: [Option<ViewChange>; 2],
    /// Ids that the change made free.
    pub(super) freed: Freed,
    /// Whether the change may have opened or closed ports.
    pub(super) alters_ports: bool,
}

/// A change of one view.
#[derive(Debug, PartialEq)]
pub(super) struct ViewChange {
    pub(super) op: ViewOp,
    /// Whether the reply waits until the view is written, if views are written through.
    pub(super) is_awaited: bool,
}

/// Ids that a change made free.
#[derive(Debug, Default, PartialEq)]
pub(super) enum Freed {
    #[default]
    Nothing,
    Container(Key),
    /// The sandbox and all its containers.
    Sandbox,
}

/// Part of a change that is needed after the slot has consumed the change.
enum Subject {
    UpdatedSandbox,
    DeletedSandbox,
    UpdatedContainer(String, ResourceInfo),
    DeletedContainer(String),
    Other,
}

impl Subject {
    fn of(change: &Change) -> Self {
        match change {
            Change::Update(_) | Change::UpdatePod { .. } => Self::UpdatedSandbox,
            Change::Delete => Self::DeletedSandbox,
            Change::UpdateContainer {
                container, info, ..
            } => Self::UpdatedContainer(container.clone(), *info),
            Change::DeleteProcess(id) if id.exec.is_none() => {
                Self::DeletedContainer(id.container.clone())
            }
            _ => Self::Other,
        }
    }
}

/// Returns the effects of a sandbox's creation. Its view was written before, because a
/// creation without room for the view must leave no trace.
pub(super) fn of_creation(audience: Audience) -> Effects {
    let step = audience.steps.then(|| Seen::of_pod(Step::Created));
    Effects {
        steps: step.into_iter().collect(),
        ..Effects::default()
    }
}

/// Makes a legal change of a slot and returns the effects of that.
pub(super) fn make(
    key: &Key,
    transition: Transition<'_>,
    at: impl Into<Moment>,
    audience: Audience,
) -> Effects {
    let (slot, change) = (transition.slot(), transition.change());
    let before = slot.resource_info();
    let had_ended = slot.exit.is_some();
    let event = if audience.events {
        upstream::of_change(key, slot, change)
    } else {
        None
    };
    let step = if audience.steps {
        observe::of_change(change)
    } else {
        None
    };
    let subject = Subject::of(change);
    let alters_ports = observe::alters_ports(change);
    let (ended, slot) = transition.apply(at);
    let exit = slot.exit.filter(|_| !had_ended);
    let events = if audience.events {
        let ends = ended.iter().map(|ended| upstream::of_end(key, ended));
        ends.chain(event).collect()
    } else {
        Vec::new()
    };
    let steps = if audience.steps {
        let ends = observe::of_ends(&ended, exit.is_some());
        ends.chain(step).collect()
    } else {
        Vec::new()
    };
    let freed = match &subject {
        Subject::DeletedSandbox => Freed::Sandbox,
        // The id was checked when the container was created.
        Subject::DeletedContainer(id) => key.sibling(id).map_or(Freed::Nothing, Freed::Container),
        _ => Freed::Nothing,
    };
    Effects {
        ended,
        exit,
        events,
        steps,
        views: views(key, slot, before, subject),
        freed,
        alters_ports,
    }
}

/// Returns the changes of views: first that of the sandbox's own view, which also shows
/// sums over its containers, then that of one container's.
fn views(
    key: &Key,
    slot: &Slot,
    before: ResourceInfo,
    subject: Subject,
) -> [Option<ViewChange>; 2] {
    let change = |op, is_awaited| Some(ViewChange { op, is_awaited });
    let put = |container, info| ViewOp::Put {
        key: key.clone(),
        container,
        info,
    };
    let remove = |container| ViewOp::Remove {
        key: key.clone(),
        container,
    };
    if let Subject::DeletedSandbox = subject {
        return [change(remove(None), false), None];
    }
    let after = slot.resource_info();
    let of_sandbox = if after == before {
        None
    } else {
        let is_update = matches!(subject, Subject::UpdatedSandbox);
        change(put(None, after), is_update)
    };
    let of_container = match subject {
        Subject::UpdatedContainer(id, info) => change(put(Some(id), info), true),
        Subject::DeletedContainer(id) => change(remove(Some(id)), false),
        _ => None,
    };
    [of_sandbox, of_container]
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::{NewContainer, NewSandbox, ProcessId, Timestamp};

    const ALL: Audience = Audience {
        events: true,
        steps: true,
    };

    fn key() -> Key {
        Key::new("k8s.io", "s").unwrap()
    }

    /// A ready slot with the running container `c`, which asks for two process ids.
    fn slot() -> Slot {
        let mut slot = Slot::new(NewSandbox::default(), Timestamp::default());
        let container = NewContainer {
            id: "c".to_owned(),
            info: pids(2),
            ..NewContainer::default()
        };
        for change in [
            Change::Start,
            Change::CreateContainer(container),
            Change::StartProcess(ProcessId::init("c")),
        ] {
            slot.apply(change, Timestamp::default()).unwrap();
        }
        slot
    }

    fn pids(limit: u64) -> ResourceInfo {
        ResourceInfo {
            pid_limit: Some(limit),
            ..ResourceInfo::default()
        }
    }

    fn effects(slot: &mut Slot, change: Change, audience: Audience) -> Effects {
        let transition = slot.prepare(change).unwrap();
        make(&key(), transition, Timestamp::default(), audience)
    }

    fn topics(effects: &Effects) -> Vec<&'static str> {
        effects.events.iter().map(|event| event.topic).collect()
    }

    #[test]
    fn a_stop_ends_the_containers_and_then_the_sandbox() {
        let effects = effects(&mut slot(), Change::Stop(3), ALL);
        assert_eq!(effects.ended.len(), 1);
        assert_eq!(effects.exit.map(|exit| exit.code), Some(3));
        assert_eq!(topics(&effects), ["/tasks/exit"]);
        let steps: Vec<_> = effects.steps.iter().map(|s| s.container.clone()).collect();
        assert_eq!(steps, [Some("c".to_owned()), None]);
        assert_eq!(effects.views, [None, None]);
    }

    #[test]
    fn an_update_of_a_container_writes_the_sum_and_awaits_its_own_view() {
        let change = Change::UpdateContainer {
            container: "c".to_owned(),
            info: pids(5),
            linux: None,
            cpu_quota: None,
        };
        let effects = effects(&mut slot(), change, ALL);
        let [Some(sum), Some(own)] = effects.views else {
            panic!("two views change: {effects:?}");
        };
        assert_eq!((sum.is_awaited, own.is_awaited), (false, true));
        assert!(matches!(
            sum.op,
            ViewOp::Put {
                container: None,
                ..
            }
        ));
        assert!(matches!(own.op, ViewOp::Put { container: Some(_), info, .. } if info == pids(5)));
    }

    #[test]
    fn a_deleted_container_is_removed_from_the_views_and_frees_its_id() {
        let mut slot = slot();
        effects(&mut slot, Change::Exit(ProcessId::init("c"), 0), ALL);
        let effects = effects(&mut slot, Change::DeleteProcess(ProcessId::init("c")), ALL);
        assert_eq!(effects.freed, Freed::Container(key().sibling("c").unwrap()));
        assert!(matches!(
            &effects.views[1],
            Some(ViewChange {
                op: ViewOp::Remove { .. },
                is_awaited: false
            })
        ));
        assert_eq!(topics(&effects), ["/tasks/delete"]);
    }

    #[test]
    fn a_deleted_sandbox_takes_its_views_with_it_and_ends_only_once() {
        let mut slot = slot();
        assert!(effects(&mut slot, Change::Stop(0), ALL).exit.is_some());
        let effects = effects(&mut slot, Change::Delete, ALL);
        assert_eq!(effects.exit, None);
        assert_eq!(effects.freed, Freed::Sandbox);
        let remove = ViewOp::Remove {
            key: key(),
            container: None,
        };
        assert_eq!(
            effects.views[0].as_ref().map(|view| &view.op),
            Some(&remove)
        );
    }

    #[test]
    fn nothing_is_prepared_for_parties_that_do_not_listen() {
        let effects = effects(&mut slot(), Change::Stop(0), Audience::default());
        assert!(effects.events.is_empty() && effects.steps.is_empty());
        assert_eq!(effects.ended.len(), 1);
    }
}
