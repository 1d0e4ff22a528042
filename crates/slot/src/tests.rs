//! Random sequences of changes, compared with a model that states the rules as prose: a flat
//! list of facts that shares no code with the state machines.

use std::collections::BTreeMap;

use cri_api::v1::LinuxPodSandboxConfig;
use proptest::prelude::*;

use super::*;
use crate::time::{Moment, Timestamp};
use pod_resources::ResourceInfo;

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
    let amount = || prop::option::of(1u64..1000);
    (amount(), amount()).prop_map(|(memory_limit, pid_limit)| ResourceInfo {
        memory_limit,
        pid_limit,
        ..Default::default()
    })
}

fn change() -> impl Strategy<Value = Change> {
    let container = || prop::sample::select(&CONTAINERS[..]).prop_map(str::to_owned);
    prop_oneof![
        1 => Just(Change::Start),
        1 => (0u32..3).prop_map(Change::Stop),
        1 => info().prop_map(Change::Update),
        1 => info().prop_map(|info| Change::UpdatePod {
            info,
            linux: LinuxPodSandboxConfig::default().into(),
        }),
        1 => Just(Change::Delete),
        6 => (container(), info()).prop_map(|(id, info)| Change::CreateContainer(NewContainer {
            id,
            bundle: "/b".to_owned(),
            info,
            process: NewProcess::default(),
            ..NewContainer::default()
        })),
        2 => (container(), info())
            .prop_map(|(container, info)| Change::UpdateContainer {
                container,
                info,
                linux: None,
                cpu_quota: None,
            }),
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
        1 => process_id().prop_map(Change::OutOfMemory),
        4 => process_id().prop_map(Change::DeleteProcess),
    ]
}

/// Outcome of a change.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
enum Outcome {
    Done,
    NotFound,
    Exists,
    Illegal,
}

fn outcome(result: &Result<Vec<Ended>, Refusal>) -> Outcome {
    match result {
        Ok(_) => Outcome::Done,
        Err(Refusal::NotFound(_)) => Outcome::NotFound,
        Err(Refusal::AlreadyExists(_)) => Outcome::Exists,
        Err(Refusal::Illegal { .. }) => Outcome::Illegal,
    }
}

/// A memory limit and a limit of processes; `None` if unstated.
type Amounts = [Option<u64>; 2];

fn amounts(info: &ResourceInfo) -> Amounts {
    [info.memory_limit, info.pid_limit]
}

/// Model of a slot: states in words, by `container` or `container/exec`.
#[derive(Default)]
struct Model {
    sandbox: &'static str,
    processes: BTreeMap<String, (&'static str, Option<u32>)>,
    stated: BTreeMap<String, Amounts>,
    own: Amounts,
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

    /// Moves a process if its state is one of `from`.
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
            Change::Delete => {
                self.sandbox = "not ready";
                for container in CONTAINERS {
                    self.end(container, 137);
                }
                Outcome::Done
            }
            Change::Start | Change::Stop(_) => Outcome::Illegal,
            Change::Update(info) | Change::UpdatePod { info, .. } => {
                self.own = amounts(info);
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
                self.stated.insert(new.id.clone(), amounts(&new.info));
                Outcome::Done
            }
            Change::UpdateContainer {
                container, info, ..
            } => match self.is(container) {
                None => Outcome::NotFound,
                Some("stopped") => Outcome::Illegal,
                Some(_) => {
                    self.stated.insert(container.clone(), amounts(info));
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
            Change::OutOfMemory(id) => self.apply(&Change::Exit(id.clone(), 137)),
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
                Some("stopped" | "created") => {
                    let gone = name(id);
                    self.processes
                        .retain(|n, _| *n != gone && !n.starts_with(&format!("{gone}/")));
                    if id.exec.is_none() {
                        self.stated.remove(&gone);
                    }
                    Outcome::Done
                }
                Some(_) => Outcome::Illegal,
            },
        }
    }

    fn totals(&self) -> Amounts {
        std::array::from_fn(|field| {
            self.own[field].or_else(|| {
                // A limit is the pod's only if every container has one.
                let limits = self.stated.values().map(|a| a[field]);
                limits.reduce(|a, b| Some(a? + b?)).flatten()
            })
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

/// Counts the processes that ended between two states, including removed ones that had not
/// ended before.
fn newly_ended(before: &Slot, after: &Slot) -> usize {
    let after = facts(after);
    let ended = |name: &String| after.get(name).is_none_or(|fact| fact.1.is_some());
    facts(before)
        .iter()
        .filter(|(name, fact)| fact.1.is_none() && ended(name))
        .count()
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(nanos)
}

proptest! {
    #[test]
    fn any_sequence_of_changes_agrees_with_the_model(
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
            prop_assert_eq!(amounts(&slot.resource_info()), model.totals());
            let ended = result.unwrap_or_default();
            prop_assert_eq!(ended.len(), newly_ended(&before, &slot));
            prop_assert!(ended.iter().all(|ended| ended.exit.at == at(now)));
        }
    }

    #[test]
    fn a_slot_and_a_change_come_back_from_their_json(changes in prop::collection::vec(change(), 1..40)) {
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
fn renamed_fields_keep_their_names_in_the_journal() {
    let container = NewContainer {
        behaviour: Some(Box::default()),
        process: NewProcess {
            planned_exit: PlannedExit {
                exit_code: 3,
                ..PlannedExit::default()
            },
            ..NewProcess::default()
        },
        ..NewContainer::default()
    };
    let text = serde_json::to_string(&container).unwrap();
    assert!(text.contains(r#""conduct":{}"#), "{text}");
    assert!(
        text.contains(r#""life":{"ends_after":null,"exit_code":3}"#),
        "{text}"
    );
}

#[test]
fn a_prepared_change_is_made_only_by_apply() {
    let mut slot = Slot::new(NewSandbox::default(), at(0));
    let before = slot.clone();
    let transition = slot.prepare(Change::Start).unwrap();
    assert_eq!(
        (transition.slot(), transition.change()),
        (&before, &Change::Start)
    );
    drop(transition);
    assert_eq!(slot, before);
    assert_eq!(slot.prepare(Change::Start).unwrap().apply(at(1)).0, []);
    assert_eq!(slot.state, SandboxState::Ready);
}

#[test]
fn running_time_excludes_pauses() {
    let mut slot = Slot::new(NewSandbox::default(), at(0));
    let id = ProcessId::init("a");
    let container = NewContainer {
        id: "a".to_owned(),
        bundle: "/b".to_owned(),
        info: ResourceInfo::default(),
        process: NewProcess::default(),
        ..NewContainer::default()
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

#[test]
fn running_time_does_not_depend_on_the_wall_clock() {
    let mut slot = Slot::new(NewSandbox::default(), at(0));
    let id = ProcessId::init("a");
    let container = NewContainer {
        id: "a".to_owned(),
        ..NewContainer::default()
    };
    // The wall clock is set back by 900 at the steady time 1100.
    for (change, moment) in [
        (Change::Start, Moment::from(at(1000))),
        (Change::CreateContainer(container), at(1000).into()),
        (Change::StartProcess(id.clone()), at(1000).into()),
        (Change::Pause("a".to_owned()), Moment::new(at(250), 900)),
        (Change::Resume("a".to_owned()), Moment::new(at(300), 900)),
    ] {
        slot.apply(change, moment).unwrap();
    }
    let ran = |slot: &Slot, now: Moment| slot.process(&id).unwrap().ran_ns(now);
    assert_eq!(ran(&slot, Moment::new(at(310), 900)), 160);
    // Somebody sets it forward by far.
    let now = Moment::new(at(1_000_000), 1240 - 1_000_000);
    assert_eq!(ran(&slot, now), 190);
    slot.apply(Change::Exit(id.clone(), 0), now).unwrap();
    assert_eq!(ran(&slot, at(5000).into()), 190);
    assert_eq!(slot.process(&id).unwrap().exit.unwrap().at, at(1_000_000));
}

/// Walks pods as clients create them: two containers that state everything but storage and
/// bandwidth.
#[test]
fn a_field_that_a_sandbox_does_not_state_is_that_of_its_containers_together() {
    let container = ResourceInfo {
        cpu_limit: Some(0.1),
        cpu_request: Some(0.2),
        memory_limit: Some(1 << 30),
        memory_request: Some(1 << 20),
        pid_limit: Some(100),
        storage_limit: None,
        network_bandwidth: None,
    };
    let sum = ResourceInfo {
        cpu_limit: Some(0.2),
        cpu_request: Some(0.4),
        memory_limit: Some(2 << 30),
        memory_request: Some(2 << 20),
        pid_limit: Some(200),
        storage_limit: None,
        network_bandwidth: None,
    };
    let nothing = ResourceInfo::default();
    let bandwidth = ResourceInfo {
        network_bandwidth: Some(10_000_000),
        ..nothing
    };
    let kubelet = ResourceInfo {
        cpu_limit: Some(2.0),
        cpu_request: Some(1.0),
        memory_limit: Some(3 << 30),
        ..nothing
    };
    let zero = ResourceInfo {
        memory_request: Some(0),
        ..nothing
    };
    for (stated, shown) in [
        (nothing, sum),
        (
            bandwidth,
            ResourceInfo {
                network_bandwidth: Some(10_000_000),
                ..sum
            },
        ),
        (
            kubelet,
            ResourceInfo {
                cpu_limit: Some(2.0),
                cpu_request: Some(1.0),
                memory_limit: Some(3 << 30),
                ..sum
            },
        ),
        (
            zero,
            ResourceInfo {
                memory_request: Some(0),
                ..sum
            },
        ),
        (container, container),
    ] {
        let sandbox = NewSandbox {
            info: stated,
            ..NewSandbox::default()
        };
        let mut slot = Slot::new(sandbox, at(0));
        assert_eq!(slot.resource_info(), stated, "without containers");
        slot.apply(Change::Start, at(1)).unwrap();
        for id in ["a", "b"] {
            let new = NewContainer {
                id: id.to_owned(),
                bundle: "/b".to_owned(),
                info: container,
                process: NewProcess::default(),
                ..NewContainer::default()
            };
            slot.apply(Change::CreateContainer(new), at(2)).unwrap();
        }
        assert_eq!(slot.resource_info(), shown, "{stated:?}");
    }
}
