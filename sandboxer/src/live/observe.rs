//! What becomes of the pods of CRI's door, for whoever watches them.

use containerd_sandbox::Key;

use slot::{Change, Ended, Slot};

/// Is told of every step of a pod or container, with its slot as it is then. The
/// slot is locked: it must neither wait nor reach for another slot.
pub(crate) type Observer = Box<dyn Fn(&Key, &Slot, &Seen) + Send + Sync>;

/// One step of a pod or container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// The container's id; `None`: it is the pod itself.
    pub(crate) container: Option<String>,
    /// What became of it.
    pub(crate) step: Step,
}

impl Seen {
    /// A step of the pod itself.
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

/// What became of a pod or container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It has come to be.
    Created,
    /// It has started.
    Started,
    /// It has ended.
    Stopped,
    /// It is forgotten.
    Deleted,
}

/// The step that a change is. Ends are told by [`of_ends`].
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
        | Change::Exit(..) => None,
    }
}

/// The containers among the processes that a change ended, and then the pod, if it
/// ended that.
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
