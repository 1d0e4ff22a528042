//! Task events that containerd's own shims publish (containerd `api/events/task.proto`,
//! `core/runtime/events.go`).

use containerd_client::events;
use containerd_sandbox::Key;
use prost::{Message, Name};
use prost_types::{Any, Timestamp};

use slot::{Change, Ended, Exit, Slot, Stdio};

/// One event, ready to be published.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Event {
    /// Sandbox of the event; its namespace is the event's.
    pub(crate) sandbox: Key,
    pub(crate) topic: &'static str,
    pub(crate) message: Any,
}

impl Event {
    fn new<M: Message + Name>(sandbox: &Key, topic: &'static str, message: &M) -> Self {
        Self {
            sandbox: sandbox.clone(),
            topic,
            message: Any {
                // containerd's names of types have no URL.
                type_url: M::full_name(),
                value: message.encode_to_vec(),
            },
        }
    }

    /// Returns the event that a container's first process was killed by the OOM killer.
    pub(crate) fn oom(sandbox: &Key, container: &str) -> Self {
        let message = events::TaskOom {
            container_id: container.to_owned(),
        };
        Self::new(sandbox, "/tasks/oom", &message)
    }
}

/// Returns the event for a change that `slot` is about to go through, apart from the ends
/// that the change causes.
pub(crate) fn of_change(sandbox: &Key, slot: &Slot, change: &Change) -> Option<Event> {
    let pid = |id| slot.process(id).map_or(0, |process| process.spec.pid);
    Some(match change {
        Change::CreateContainer(new) => {
            let message = events::TaskCreate {
                container_id: new.id.clone(),
                bundle: new.bundle.clone(),
                io: Some(io(&new.process.stdio)),
                pid: new.process.pid,
                ..Default::default()
            };
            Event::new(sandbox, "/tasks/create", &message)
        }
        Change::CreateExec {
            container, exec, ..
        } => {
            let message = events::TaskExecAdded {
                container_id: container.clone(),
                exec_id: exec.clone(),
            };
            Event::new(sandbox, "/tasks/exec-added", &message)
        }
        Change::StartProcess(id) => match &id.exec {
            None => {
                let message = events::TaskStart {
                    container_id: id.container.clone(),
                    pid: pid(id),
                };
                Event::new(sandbox, "/tasks/start", &message)
            }
            Some(exec) => {
                let message = events::TaskExecStarted {
                    container_id: id.container.clone(),
                    exec_id: exec.clone(),
                    pid: pid(id),
                };
                Event::new(sandbox, "/tasks/exec-started", &message)
            }
        },
        Change::Pause(container) => {
            let message = events::TaskPaused {
                container_id: container.clone(),
            };
            Event::new(sandbox, "/tasks/paused", &message)
        }
        Change::Resume(container) => {
            let message = events::TaskResumed {
                container_id: container.clone(),
            };
            Event::new(sandbox, "/tasks/resumed", &message)
        }
        Change::DeleteProcess(id) => {
            let exit = slot.process(id).ok().and_then(|process| process.exit);
            let message = events::TaskDelete {
                container_id: id.container.clone(),
                pid: pid(id),
                exit_status: exit.map_or(0, |exit| exit.code),
                exited_at: exit.map(at),
                // The first process of a container has the container's id.
                id: id.exec.clone().unwrap_or_else(|| id.container.clone()),
            };
            Event::new(sandbox, "/tasks/delete", &message)
        }
        Change::Create(_)
        | Change::Start
        | Change::Stop(_)
        | Change::Update(_)
        | Change::UpdatePod { .. }
        | Change::Delete
        | Change::UpdateContainer { .. }
        | Change::Exit(..)
        | Change::OutOfMemory(_) => return None,
    })
}

/// Returns the event for the end of a process.
pub(crate) fn of_end(sandbox: &Key, ended: &Ended) -> Event {
    let id = &ended.id;
    let message = events::TaskExit {
        container_id: id.container.clone(),
        id: id.exec.clone().unwrap_or_else(|| id.container.clone()),
        pid: ended.pid,
        exit_status: ended.exit.code,
        exited_at: Some(at(ended.exit)),
    };
    Event::new(sandbox, "/tasks/exit", &message)
}

fn at(exit: Exit) -> Timestamp {
    std::time::SystemTime::from(exit.at).into()
}

fn io(stdio: &Stdio) -> events::TaskIo {
    events::TaskIo {
        stdin: stdio.stdin.clone(),
        stdout: stdio.stdout.clone(),
        stderr: stdio.stderr.clone(),
        terminal: stdio.terminal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::Timestamp as Time;
    use slot::{NewContainer, NewProcess, NewSandbox, ProcessId};

    #[test]
    fn each_change_of_a_container_has_its_topic() {
        let key = Key::new("k8s.io", "s").unwrap();
        let init = ProcessId::init("c");
        let mut slot = Slot::new(NewSandbox::default(), Time::default());
        let container = NewContainer {
            id: "c".to_owned(),
            bundle: "/b".to_owned(),
            info: pod_resources::ResourceInfo::default(),
            process: NewProcess {
                pid: 7,
                ..NewProcess::default()
            },
            ..NewContainer::default()
        };
        let mut topics = Vec::new();
        for change in [
            Change::Start,
            Change::CreateContainer(container),
            Change::StartProcess(init.clone()),
            Change::Pause("c".to_owned()),
            Change::Resume("c".to_owned()),
            Change::Exit(init.clone(), 137),
            Change::DeleteProcess(init),
            Change::Delete,
        ] {
            let event = of_change(&key, &slot, &change);
            let ended = slot.apply(change, Time::default()).unwrap();
            let ends = ended.iter().map(|ended| of_end(&key, ended));
            topics.extend(ends.chain(event).map(|event| event.topic));
        }
        assert_eq!(
            topics,
            [
                "/tasks/create",
                "/tasks/start",
                "/tasks/paused",
                "/tasks/resumed",
                "/tasks/exit",
                "/tasks/delete"
            ]
        );
    }

    #[test]
    fn an_end_names_its_process_and_code() {
        let key = Key::new("k8s.io", "s").unwrap();
        let ended = Ended {
            id: ProcessId::exec("c", "e"),
            pid: 7,
            exit: Exit {
                code: 3,
                at: Time::default(),
                oom: false,
            },
        };
        let event = of_end(&key, &ended);
        assert_eq!(event.message.type_url, "containerd.events.TaskExit");
        let exit = events::TaskExit::decode(&*event.message.value).unwrap();
        assert_eq!((&*exit.container_id, &*exit.id), ("c", "e"));
        assert_eq!((exit.pid, exit.exit_status), (7, 3));
    }
}
