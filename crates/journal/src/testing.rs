//! Changes and states for the tests of the journal.

use std::path::Path;

use containerd_sandbox::Key;
use cri_api::v1::{
    ContainerConfig, LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig,
};
use proptest::prelude::*;

use super::fold::Slots;
use super::journal::Journal;
use super::options::Options;
use super::report::Recovered;
use pod_resources::{CpuQuota, ResourceInfo};
use slot::Timestamp;
use slot::{
    Change, CriContainer, CriPod, NewContainer, NewProcess, NewSandbox, Pod, ProcessId, Slot, Stdio,
};

/// A change of a sandbox with its time, as appended.
pub(super) type Entry = (Key, Timestamp, Change);

pub(super) fn key(id: &str) -> Key {
    Key::new("k8s.io", id).unwrap()
}

pub(super) fn info(pids: u64) -> ResourceInfo {
    ResourceInfo {
        cpu_limit: Some(0.25),
        pid_limit: Some(pids),
        ..ResourceInfo::default()
    }
}

pub(super) fn create(pid: u32) -> Change {
    Change::Create(NewSandbox {
        pid,
        pod: Some(Pod {
            name: "näme \"quoted\"\n".to_owned(),
            namespace: "default".to_owned(),
            uid: "u".to_owned(),
            attempt: 0,
        }),
        // Every other sandbox is one of the CRI API.
        cri: (pid % 2 == 1).then(|| {
            Box::new(CriPod {
                config: PodSandboxConfig::default().into(),
                updated: None,
                handler: String::new(),
                ip: "198.18.0.1".to_owned(),
                additional_ips: vec!["fd00::1".to_owned()],
            })
        }),
        ..NewSandbox::default()
    })
}

fn cri_container() -> CriContainer {
    let config = ContainerConfig {
        working_dir: "/srv".to_owned(),
        ..Default::default()
    };
    CriContainer {
        config: config.into(),
        updated: None,
        image_id: "sha256:1".to_owned(),
        image_ref: "busybox@sha256:2".to_owned(),
        image: None,
        mounted_images: Vec::new(),
        created_at: Timestamp::from_nanos(3),
        started_at: None,
    }
}

/// Returns the creation of `count` sandboxes, each at its own time.
pub(super) fn creates(count: u32) -> Vec<Entry> {
    let one = |i| {
        let at = Timestamp::from_nanos(u64::from(i));
        (key(&format!("s{i}")), at, create(i))
    };
    (0..count).map(one).collect()
}

/// Returns the creation, end and removal of `rounds` sandboxes, one after the other.
pub(super) fn churn(rounds: u32) -> Vec<Entry> {
    let at = Timestamp::from_nanos(1);
    let life = |i| {
        let key = key(&format!("s{i}"));
        [create(i), Change::Stop(0), Change::Delete].map(|change| (key.clone(), at, change))
    };
    (0..rounds).flat_map(life).collect()
}

/// Waits for the last requested snapshot and returns its record; 0 if none was requested.
pub(super) fn wait_for_snapshot(journal: &Journal) -> u64 {
    let listing = journal.shared.directory.list().unwrap();
    let last_roll = listing.segments.last().unwrap() - 1;
    let mut progress = journal.shared.progress.subscribe();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async { progress.wait_for(|p| p.synced >= last_roll).await.map(drop) })
        .unwrap();
    last_roll
}

/// Returns every change that a script may make to one of a few sandboxes.
fn candidates(namespace: &str) -> Vec<(Key, Change)> {
    let mut all = Vec::new();
    for id in ["a", "b", "c"] {
        let key = Key::new(namespace, id).unwrap();
        let mut changes = vec![
            create(1),
            Change::Start,
            Change::Stop(3),
            Change::Update(info(7)),
            Change::UpdatePod {
                info: info(8),
                linux: LinuxPodSandboxConfig::default().into(),
            },
            Change::Delete,
        ];
        for container in ["x", "y"] {
            let named = || container.to_owned();
            let (init, exec) = (ProcessId::init(container), ProcessId::exec(container, "e"));
            changes.extend([
                Change::CreateContainer(NewContainer {
                    id: named(),
                    bundle: "/run/b".to_owned(),
                    info: info(5),
                    process: NewProcess::default(),
                    cri: (container == "y").then(|| cri_container().into()),
                    ..NewContainer::default()
                }),
                Change::UpdateContainer {
                    container: named(),
                    info: info(6),
                    linux: Some(LinuxContainerResources::default().into()),
                    cpu_quota: (container == "x").then_some(CpuQuota {
                        quota: 7,
                        period: 9,
                    }),
                },
                Change::CreateExec {
                    container: named(),
                    exec: "e".to_owned(),
                    process: NewProcess {
                        pid: 9,
                        stdio: Stdio {
                            stdout: "/fifo".to_owned(),
                            terminal: true,
                            ..Stdio::default()
                        },
                        ..NewProcess::default()
                    },
                },
                Change::Pause(named()),
                Change::Resume(named()),
                Change::StartProcess(init.clone()),
                Change::Exit(init.clone(), 137),
                Change::OutOfMemory(init.clone()),
                Change::DeleteProcess(init),
                Change::StartProcess(exec.clone()),
                Change::Exit(exec.clone(), 0),
                Change::DeleteProcess(exec),
            ]);
        }
        all.extend(changes.into_iter().map(|change| (key.clone(), change)));
    }
    all
}

/// Returns the state that legal entries lead to, computed without the replay under test.
pub(super) fn fold(entries: &[Entry]) -> Slots {
    let mut slots = Slots::new();
    for (key, at, change) in entries {
        match change {
            Change::Create(new) => {
                assert!(
                    slots
                        .insert(key.clone(), Box::new(Slot::new(new.clone(), *at)))
                        .is_none()
                );
            }
            Change::Delete => {
                slots.remove(key).unwrap();
            }
            change => {
                slots
                    .get_mut(key)
                    .unwrap()
                    .apply(change.clone(), *at)
                    .unwrap();
            }
        }
    }
    slots
}

/// Returns a sequence of legal changes, chosen by numbers.
pub(super) fn script(namespace: &str, choices: &[u32]) -> Vec<Entry> {
    let candidates = candidates(namespace);
    let mut slots = Slots::new();
    let mut entries = Vec::new();
    for (i, choice) in choices.iter().enumerate() {
        let legal: Vec<_> = candidates
            .iter()
            .filter(|(key, change)| match slots.get(key) {
                None => matches!(change, Change::Create(_)),
                Some(slot) => slot.check(change).is_ok(),
            })
            .collect();
        let (key, change) = legal[*choice as usize % legal.len()];
        let at = Timestamp::from_nanos(i as u64 * 1_000);
        match change {
            Change::Create(new) => {
                slots.insert(key.clone(), Box::new(Slot::new(new.clone(), at)));
            }
            Change::Delete => {
                slots.remove(key);
            }
            change => {
                slots
                    .get_mut(key)
                    .unwrap()
                    .apply(change.clone(), at)
                    .unwrap();
            }
        }
        entries.push((key.clone(), at, change.clone()));
    }
    entries
}

/// Generates scripts of up to `max` changes.
pub(super) fn scripts(max: usize) -> impl Strategy<Value = Vec<Entry>> {
    prop::collection::vec(any::<u32>(), 1..=max).prop_map(|choices| script("k8s.io", &choices))
}

/// Generates changes, legal or not.
pub(super) fn any_change() -> impl Strategy<Value = (Key, Change)> {
    prop::sample::select(candidates("moby"))
}

pub(super) fn open(dir: &Path) -> (Journal, Recovered) {
    Journal::open(dir, Options::default()).unwrap()
}

pub(super) fn append_all(journal: &Journal, entries: &[Entry]) {
    for (key, at, change) in entries {
        journal.append(key, *at, change).unwrap();
    }
}

/// Writes a journal of these entries and closes it.
pub(super) fn write_journal(dir: &Path, options: Options, entries: &[Entry]) {
    let (journal, _) = Journal::open(dir, options).unwrap();
    append_all(&journal, entries);
    journal.close().unwrap();
}
