//! Random operation sequences against a model that knows the rules as prose:
//! a flat list of facts, no shared code with the state machines.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::resource::ResourceInfo;
use crate::time::Timestamp;

const CONTAINERS: [&str; 3] = ["a", "b", "c"];
const EXECS: [&str; 2] = ["x", "y"];

fn process_id() -> impl Strategy<Value = ProcessId> {
    (
        prop::sample::select(&CONTAINERS[..]),
        prop::option::of(prop::sample::select(&EXECS[..])),
    )
        .prop_map(|(container, exec)| ProcessId {
            container: container.to_owned(),
            exec: exec.map(str::to_owned),
        })
}

fn info() -> impl Strategy<Value = ResourceInfo> {
    prop::option::of(1u64..1000).prop_map(|memory_limit| ResourceInfo {
        memory_limit,
        ..Default::default()
    })
}

fn change() -> impl Strategy<Value = Change> {
    let container = || prop::sample::select(&CONTAINERS[..]).prop_map(str::to_owned);
    prop_oneof![
        1 => Just(Change::Start),
        1 => (0u32..3).prop_map(Change::Stop),
        1 => info().prop_map(Change::Update),
        1 => Just(Change::Delete),
        6 => (container(), info()).prop_map(|(id, info)| Change::CreateContainer(NewContainer {
            id,
            bundle: "/b".to_owned(),
            info,
            process: NewProcess::default(),
        })),
        2 => (container(), info())
            .prop_map(|(container, info)| Change::UpdateContainer { container, info }),
        4 => (container(), prop::sample::select(&EXECS[..])).prop_map(|(container, exec)| {
            Change::CreateExec {
                container,
                exec: exec.to_owned(),
                process: NewProcess::default(),
            }
        }),
        8 => process_id().prop_map(Change::StartProcess),
        2 => container().prop_map(Change::Pause),
        2 => container().prop_map(Change::Resume),
        4 => (process_id(), 0u32..200).prop_map(|(id, code)| Change::Exit(id, code)),
        4 => process_id().prop_map(Change::DeleteProcess),
    ]
}

/// How a change ends.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Outcome {
    Done,
    NotFound,
    Exists,
    Illegal,
}

fn outcome(result: &Result<Vec<ProcessId>, Refusal>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(Refusal::NotFound(_)) => Outcome::NotFound,
        Err(Refusal::AlreadyExists(_)) => Outcome::Exists,
        Err(Refusal::Illegal { .. }) => Outcome::Illegal,
    }
}

/// The model: words for states, by "container" or "container/exec".
#[derive(Default)]
struct Model {
    sandbox: &'static str,
    processes: BTreeMap<String, (&'static str, Option<u32>)>,
    memory: BTreeMap<String, Option<u64>>,
    own_memory: Option<u64>,
}

fn name(id: &ProcessId) -> String {
    match &id.exec {
        None => id.container.clone(),
        Some(exec) => format!("{}/{exec}", id.container),
    }
}

impl Model {
    fn is(&self, name: &str) -> Option<&'static str> {
        self.processes.get(name).map(|p| p.0)
    }

    fn end(&mut self, prefix: &str, code: u32) {
        for (name, process) in &mut self.processes {
            let is_it = name == prefix;
            if (is_it || name.starts_with(&format!("{prefix}/"))) && process.0 != "stopped" {
                *process = ("stopped", Some(if is_it { code } else { 137 }));
            }
        }
    }

    /// Moves a process if it is in one of `from`.
    fn step(&mut self, id: &ProcessId, from: &[&str], to: &'static str) -> Outcome {
        match self.processes.get_mut(&name(id)) {
            None => Outcome::NotFound,
            Some(process) if from.contains(&process.0) => {
                process.0 = to;
                Outcome::Done
            }
            Some(_) => Outcome::Illegal,
        }
    }

    fn apply(&mut self, change: &Change) -> Outcome {
        match change {
            Change::Create(_) => Outcome::Exists,
            Change::Start if self.sandbox == "created" => {
                self.sandbox = "ready";
                Outcome::Done
            }
            Change::Stop(_) if self.sandbox != "not ready" => {
                self.sandbox = "not ready";
                for container in CONTAINERS {
                    self.end(container, 137);
                }
                Outcome::Done
            }
            Change::Delete if self.sandbox == "not ready" => Outcome::Done,
            Change::Start | Change::Stop(_) | Change::Delete => Outcome::Illegal,
            Change::Update(info) => {
                self.own_memory = info.memory_limit;
                Outcome::Done
            }
            Change::CreateContainer(new) => {
                if self.processes.contains_key(&new.id) {
                    return Outcome::Exists;
                }
                if self.sandbox != "ready" {
                    return Outcome::Illegal;
                }
                self.processes.insert(new.id.clone(), ("created", None));
                self.memory.insert(new.id.clone(), new.info.memory_limit);
                Outcome::Done
            }
            Change::UpdateContainer { container, info } => match self.is(container) {
                None => Outcome::NotFound,
                Some("stopped") => Outcome::Illegal,
                Some(_) => {
                    self.memory.insert(container.clone(), info.memory_limit);
                    Outcome::Done
                }
            },
            Change::CreateExec {
                container, exec, ..
            } => {
                let exec = format!("{container}/{exec}");
                match (self.is(container), self.is(&exec)) {
                    (None, _) => Outcome::NotFound,
                    (Some(_), Some(_)) => Outcome::Exists,
                    (Some("running"), None) => {
                        self.processes.insert(exec, ("created", None));
                        Outcome::Done
                    }
                    (Some(_), None) => Outcome::Illegal,
                }
            }
            Change::StartProcess(id) => self.step(id, &["created"], "running"),
            Change::Pause(id) => self.step(&ProcessId::init(id), &["running"], "paused"),
            Change::Resume(id) => self.step(&ProcessId::init(id), &["paused"], "running"),
            Change::Exit(id, code) => match self.is(&name(id)) {
                None => Outcome::NotFound,
                Some("stopped") => Outcome::Illegal,
                Some(_) => {
                    self.end(&name(id), *code);
                    Outcome::Done
                }
            },
            Change::DeleteProcess(id) => match self.is(&name(id)) {
                None => Outcome::NotFound,
                Some("stopped") => {
                    let gone = name(id);
                    self.processes
                        .retain(|n, _| *n != gone && !n.starts_with(&format!("{gone}/")));
                    if id.exec.is_none() {
                        self.memory.remove(&gone);
                    }
                    Outcome::Done
                }
                Some(_) => Outcome::Illegal,
            },
        }
    }

    fn total_memory(&self) -> Option<u64> {
        self.own_memory.or_else(|| {
            let stated: Vec<u64> = self.memory.values().copied().flatten().collect();
            (!stated.is_empty()).then(|| stated.iter().sum())
        })
    }
}

fn facts(slot: &Slot) -> BTreeMap<String, (&'static str, Option<u32>)> {
    let fact = |process: &Process| (process.state.name(), process.exit.map(|exit| exit.code));
    slot.containers
        .iter()
        .flat_map(|container| {
            let execs = container
                .execs
                .iter()
                .map(|(exec, process)| (format!("{}/{exec}", container.id), fact(process)));
            std::iter::once((container.id.clone(), fact(&container.init)))
                .chain(execs)
                .collect::<Vec<_>>()
        })
        .collect()
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

proptest! {
    #[test]
    fn any_sequence_of_changes_goes_as_the_model_says(
        mut changes in prop::collection::vec(change(), 1..80),
    ) {
        // Most sequences should get somewhere.
        changes.insert(0, Change::Start);
        let mut slot = Slot::new(NewSandbox::default(), at(0));
        let mut model = Model { sandbox: "created", ..Model::default() };
        for (now, change) in (1u64..).zip(changes) {
            let before = slot.clone();
            let allowed = slot.check(&change).is_ok();
            prop_assert_eq!(&slot, &before, "check changed the slot");
            let expected = model.apply(&change);
            let result = slot.apply(change.clone(), at(now));
            prop_assert_eq!(outcome(&result), expected, "{:?}", change);
            prop_assert_eq!(allowed, result.is_ok(), "{:?}", change);
            if result.is_err() {
                prop_assert_eq!(&slot, &before, "a refused change changed the slot");
            }
            prop_assert_eq!(slot.state.name(), model.sandbox);
            prop_assert_eq!(facts(&slot), model.processes.clone());
            prop_assert_eq!(slot.resource_info().memory_limit, model.total_memory());
            for ended in result.unwrap_or_default() {
                prop_assert_eq!(slot.process(&ended).unwrap().exit.unwrap().at, at(now));
            }
        }
    }

    #[test]
    fn a_slot_and_a_change_survive_their_text(changes in prop::collection::vec(change(), 1..40)) {
        let mut slot = Slot::new(NewSandbox::default(), at(0));
        let mut replayed = slot.clone();
        for (now, change) in (1u64..).zip(std::iter::once(Change::Start).chain(changes)) {
            let text = serde_json::to_string(&change).unwrap();
            let read: Change = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(&read, &change);
            let _ = slot.apply(change, at(now));
            let _ = replayed.apply(read, at(now));
            let text = serde_json::to_string(&slot).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Slot>(&text).unwrap(), &slot);
        }
        prop_assert_eq!(slot, replayed);
    }
}

#[test]
fn running_time_leaves_pauses_out() {
    let mut slot = Slot::new(NewSandbox::default(), at(0));
    let id = ProcessId::init("a");
    let container = NewContainer {
        id: "a".to_owned(),
        bundle: "/b".to_owned(),
        info: ResourceInfo::default(),
        process: NewProcess::default(),
    };
    for (change, now) in [
        (Change::Start, 0),
        (Change::CreateContainer(container), 0),
        (Change::StartProcess(id.clone()), 100),
        (Change::Pause("a".to_owned()), 150),
        (Change::Resume("a".to_owned()), 900),
        (Change::Exit(id.clone(), 0), 930),
    ] {
        slot.apply(change, at(now)).unwrap();
    }
    assert_eq!(slot.process(&id).unwrap().ran_ns(at(5000)), 80);
}
