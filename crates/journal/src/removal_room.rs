//! Room for the records of removals.
//!
//! A disk that is full must not keep a client from removing what fills it. So a segment is
//! allocated beyond its last line by at least the bytes of all records that the removal of every
//! live object may need: the end and the removal of each process, the stop and the removal of
//! each sandbox. A change that adds an object is refused unless the room grows with it.

use containerd_sandbox::Key;
use slot::{Change, Container, ProcessId, Slot};

/// Longest line without ids and change: sequence number, time, skew of the clock, checksum and
/// punctuation.
const LINE: u64 = 148;

/// Longest JSON of the changes `stop` and `delete` together.
const OF_SANDBOX: u64 = 32;

/// Longest JSON of the changes `exit` and `delete_process` together, without the ids.
const OF_PROCESS: u64 = 104;

/// Effect of a record on the room that removals need, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// The record adds an object, whose removal needs this room.
    Adds(u64),
    /// The record belongs to a removal and may use the room. After it, removals need this much
    /// less.
    Removes(u64),
    /// The record does neither.
    None,
}

/// Returns the effect of a change of the sandbox `key`. `before` is the sandbox before the change,
/// if it is known: with it, the removal of an object frees the room of the objects in it, too.
pub(super) fn effect(key: &Key, change: &Change, before: Option<&Slot>) -> Effect {
    match change {
        Change::Create(_) => Effect::Adds(of_sandbox(key)),
        Change::CreateContainer(new) => Effect::Adds(of_process(key, &new.id, None)),
        Change::CreateExec {
            container, exec, ..
        } => Effect::Adds(of_process(key, container, Some(exec))),
        Change::Delete => Effect::Removes(before.map_or(of_sandbox(key), |slot| of(key, slot))),
        Change::DeleteProcess(ProcessId { container, exec }) => {
            let container_before = before.and_then(|slot| slot.container(container).ok());
            Effect::Removes(match (exec, container_before) {
                (None, Some(container)) => of_container(key, container),
                (exec, _) => of_process(key, container, exec.as_deref()),
            })
        }
        Change::Stop(_) | Change::Exit(..) | Change::OutOfMemory(_) => Effect::Removes(0),
        Change::Start
        | Change::Update(_)
        | Change::UpdatePod { .. }
        | Change::UpdateContainer { .. }
        | Change::StartProcess(_)
        | Change::Pause(_)
        | Change::Resume(_) => Effect::None,
    }
}

/// Returns the room that the removal of a sandbox and everything in it needs, in bytes.
pub(super) fn of(key: &Key, slot: &Slot) -> u64 {
    let containers = slot.containers.iter().map(|own| of_container(key, own));
    of_sandbox(key) + containers.sum::<u64>()
}

fn of_container(key: &Key, container: &Container) -> u64 {
    let execs = container.execs.iter();
    let execs = execs.map(|(exec, _)| of_process(key, &container.id, Some(exec)));
    of_process(key, &container.id, None) + execs.sum::<u64>()
}

fn of_sandbox(key: &Key) -> u64 {
    2 * line(key) + OF_SANDBOX
}

fn of_process(key: &Key, container: &str, exec: Option<&str>) -> u64 {
    let ids = container.len() + exec.map_or(0, str::len);
    2 * (line(key) + ids as u64) + OF_PROCESS
}

fn line(key: &Key) -> u64 {
    LINE + (key.namespace().len() + key.id().len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record;
    use slot::{Moment, NewContainer, NewProcess, NewSandbox, Timestamp};

    fn longest() -> (Key, String, String) {
        let key = Key::new(&"n".repeat(76), &"s".repeat(76)).unwrap();
        (key, "c".repeat(76), "e".repeat(76))
    }

    fn line_of(key: &Key, change: &Change) -> u64 {
        let (mut body, mut line) = (Vec::new(), Vec::new());
        let at = Moment::new(Timestamp::from_nanos(u64::MAX), i64::MIN);
        record::encode_body(&mut body, key, at, change).unwrap();
        record::encode(&mut line, record::MAX_SEQ, &body);
        line.len() as u64
    }

    #[test]
    fn the_records_of_a_removal_fit_in_its_room() {
        let (key, container, exec) = longest();
        let short = Key::new("n", "s").unwrap();
        let init = ProcessId::init(&container);
        let own = ProcessId::exec(&container, &exec);
        let pairs = [
            (
                Change::Create(NewSandbox::default()),
                [Change::Stop(u32::MAX), Change::Delete],
            ),
            (
                Change::CreateContainer(NewContainer {
                    id: container.clone(),
                    ..NewContainer::default()
                }),
                [
                    Change::Exit(init.clone(), u32::MAX),
                    Change::DeleteProcess(init),
                ],
            ),
            (
                Change::CreateExec {
                    container,
                    exec,
                    process: NewProcess::default(),
                },
                [
                    Change::Exit(own.clone(), u32::MAX),
                    Change::DeleteProcess(own),
                ],
            ),
        ];
        for key in [key, short] {
            for (creation, removals) in &pairs {
                let Effect::Adds(room) = effect(&key, creation, None) else {
                    panic!("{creation:?} adds an object");
                };
                let needed: u64 = removals.iter().map(|change| line_of(&key, change)).sum();
                assert!((needed..needed + 64).contains(&room), "{room} for {needed}");
                let effects = removals.each_ref().map(|change| effect(&key, change, None));
                assert_eq!(effects, [Effect::Removes(0), Effect::Removes(room)]);
            }
        }
    }

    #[test]
    fn the_removal_of_an_object_frees_the_room_of_those_in_it() {
        let (key, container, exec) = longest();
        let at = Timestamp::default();
        let mut slot = Slot::new(NewSandbox::default(), at);
        let mut room = of(&key, &slot);
        for change in [
            Change::Start,
            Change::CreateContainer(NewContainer {
                id: container.clone(),
                ..NewContainer::default()
            }),
            Change::StartProcess(ProcessId::init(&container)),
            Change::CreateExec {
                container: container.clone(),
                exec,
                process: NewProcess::default(),
            },
        ] {
            if let Effect::Adds(more) = effect(&key, &change, Some(&slot)) {
                room += more;
            }
            slot.apply(change, at).unwrap();
        }
        assert_eq!(of(&key, &slot), room);
        assert_eq!(
            effect(&key, &Change::Delete, Some(&slot)),
            Effect::Removes(room)
        );
        let init = Change::DeleteProcess(ProcessId::init(&container));
        let own = room - of_sandbox(&key);
        assert_eq!(effect(&key, &init, Some(&slot)), Effect::Removes(own));
    }
}
