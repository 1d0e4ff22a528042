//! Changes that observers are told of: steps of the CRI API's pods and containers, and changes that
//! open or close ports.

use containerd_sandbox::Key;

use slot::{Change, Ended, Slot};

/// Function that is called with every step of a pod or container, and with the slot after
/// the step. The slot is locked: the function must neither wait nor lock another slot.
pub(crate) type Observer = Box<dyn Fn(&Key, &Slot, &Seen) + Send + Sync>;

/// Function that is called after each change that may alter which ports of a sandbox are open.
/// The slot is locked: the function must neither wait nor read a slot.
pub(super) type PortWatch = Box<dyn Fn(&Key) + Send + Sync>;

/// Returns whether a change may alter which ports of its sandbox are open: processes that are
/// added by exec listen on none.
pub(super) fn alters_ports(change: &Change) -> bool {
    match change {
        Change::Start
        | Change::Stop(_)
        | Change::Delete
        | Change::CreateContainer(_)
        | Change::Pause(_)
        | Change::Resume(_) => true,
        Change::StartProcess(id)
        | Change::DeleteProcess(id)
        | Change::Exit(id, _)
        | Change::OutOfMemory(id) => id.exec.is_none(),
        Change::Create(_)
        | Change::Update(_)
        | Change::UpdatePod { .. }
        | Change::UpdateContainer { .. }
        | Change::CreateExec { .. } => false,
    }
}

/// One step of a pod or container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Id of the container; `None` for a step of the pod itself.
    pub(crate) container: Option<String>,
    /// Kind of the step.
    pub(crate) step: Step,
}

impl Seen {
    /// Returns a step of the pod itself.
    pub(super) fn of_pod(step: Step) -> Self {
        Self {
            container: None,
            step,
        }
    }

    fn of_container(id: &str, step: Step) -> Self {
        Self {
            container: Some(id.to_owned()),
            step,
        }
    }
}

/// Kind of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Created.
    Created,
    /// Started.
    Started,
    /// Ended.
    Stopped,
    /// Deleted.
    Deleted,
}

/// Returns the step that a change makes. Ends are steps of their own, by [`of_ends`].
pub(super) fn of_change(change: &Change) -> Option<Seen> {
    match change {
        Change::Create(_) => Some(Seen::of_pod(Step::Created)),
        Change::Start => Some(Seen::of_pod(Step::Started)),
        Change::Delete => Some(Seen::of_pod(Step::Deleted)),
        Change::CreateContainer(new) => Some(Seen::of_container(&new.id, Step::Created)),
        Change::StartProcess(id) if id.exec.is_none() => {
            Some(Seen::of_container(&id.container, Step::Started))
        }
        Change::DeleteProcess(id) if id.exec.is_none() => {
            Some(Seen::of_container(&id.container, Step::Deleted))
        }
        Change::StartProcess(_)
        | Change::DeleteProcess(_)
        | Change::Stop(_)
        | Change::Update(_)
        | Change::UpdatePod { .. }
        | Change::UpdateContainer { .. }
        | Change::CreateExec { .. }
        | Change::Pause(_)
        | Change::Resume(_)
        | Change::Exit(..)
        | Change::OutOfMemory(_) => None,
    }
}

/// Returns the ends of the containers among the processes that a change ended, followed by
/// the end of the pod if the change ended the pod.
pub(super) fn of_ends(processes: &[Ended], of_pod: bool) -> impl Iterator<Item = Seen> {
    let containers = processes.iter().filter(|ended| ended.id.exec.is_none());
    containers
        .map(|ended| Seen::of_container(&ended.id.container, Step::Stopped))
        .chain(of_pod.then(|| Seen::of_pod(Step::Stopped)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::Timestamp;
    use slot::{NewContainer, NewProcess, NewSandbox, ProcessId};

    #[test]
    fn a_pods_end_is_told_after_its_containers_and_an_execs_not_at_all() {
        let mut slot = Slot::new(NewSandbox::default(), Timestamp::default());
        let container = NewContainer {
            id: "c".to_owned(),
            bundle: String::new(),
            info: pod_resources::ResourceInfo::default(),
            process: NewProcess::default(),
            ..NewContainer::default()
        };
        let exec = Change::CreateExec {
            container: "c".to_owned(),
            exec: "e".to_owned(),
            process: NewProcess::default(),
        };
        let mut seen = Vec::new();
        for change in [
            Change::Start,
            Change::CreateContainer(container),
            Change::StartProcess(ProcessId::init("c")),
            exec,
            Change::StartProcess(ProcessId::exec("c", "e")),
            Change::Stop(0),
            Change::DeleteProcess(ProcessId::init("c")),
            Change::Delete,
        ] {
            let step = of_change(&change);
            let is_stop = matches!(change, Change::Stop(_));
            let ended = slot.apply(change, Timestamp::default()).unwrap();
            seen.extend(of_ends(&ended, is_stop).chain(step));
        }
        let told: Vec<_> = seen
            .iter()
            .map(|seen| (seen.container.as_deref(), seen.step))
            .collect();
        let expected = [
            (None, Step::Started),
            (Some("c"), Step::Created),
            (Some("c"), Step::Started),
            (Some("c"), Step::Stopped),
            (None, Step::Stopped),
            (Some("c"), Step::Deleted),
            (None, Step::Deleted),
        ];
        assert_eq!(told, expected);
    }
}
