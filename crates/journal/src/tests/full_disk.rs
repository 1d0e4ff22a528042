//! A disk that is really full: a small tmpfs, if the tests may mount one.

use containerd_sandbox::{Code, Error};

use crate::fold::Slots;
use crate::testing::{
    Entry, append_all, churn, create, creates, fold, key, open, wait_for_snapshot,
};
use crate::{Journal, Options};
use containerd_sandbox::Key;
use slot::{Change, NewContainer, ProcessId, Slot, Timestamp};
use testing::SmallDisk;

/// Appends until the disk is full, and counts the acknowledged entries.
fn append_until_full(journal: &Journal, entries: &[Entry]) -> usize {
    for (i, (key, at, change)) in entries.iter().enumerate() {
        if let Err(e) = journal.append(key, *at, change) {
            assert!(e.is_out_of_space(), "{e}");
            assert_eq!(Error::from(e).code(), Code::ResourceExhausted);
            return i;
        }
    }
    panic!("the disk did not get full");
}

fn survives_a_full_disk(compact_min_bytes: u64) {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let options = Options {
        compact_min_bytes,
        ..Options::default()
    };
    let entries = creates(8_000);
    let (journal, _) = Journal::open(disk.path(), options).unwrap();
    let (first, rest) = entries.split_at(500);
    append_all(&journal, first);
    disk.fill();
    let mut acknowledged = first.to_vec();
    let more = append_until_full(&journal, rest);
    acknowledged.extend_from_slice(&rest[..more]);
    // Except for the space that a snapshot frees, the disk stays full; that harms no record.
    for entry in &rest[more..more + 50] {
        if journal.append(&entry.0, entry.1, &entry.2).is_ok() {
            acknowledged.push(entry.clone());
        }
    }
    assert_eq!(crate::read(disk.path()).unwrap().slots, fold(&acknowledged));

    disk.free();
    let last = (key("last"), Timestamp::default(), create(1));
    let seq = journal.append(&last.0, last.1, &last.2).unwrap();
    acknowledged.push(last);
    assert_eq!(seq, acknowledged.len() as u64);
    journal.close().unwrap();
    let (_journal, recovered) = open(disk.path());
    assert_eq!(recovered.slots, fold(&acknowledged));
    assert_eq!(recovered.report.warnings(), Vec::<String>::new());
}

#[test]
fn a_full_disk_refuses_appends_until_there_is_space() {
    survives_a_full_disk(1 << 24);
}

#[test]
fn a_full_disk_refuses_snapshots_until_there_is_space() {
    survives_a_full_disk(20_000);
}

/// Appends three times as much as the disk can hold.
#[test]
fn a_journal_makes_room_for_itself() {
    let Some(disk) = SmallDisk::mount() else {
        return;
    };
    let (journal, _) = open(disk.path());
    for _ in 0..40 {
        append_all(&journal, &churn(80));
        wait_for_snapshot(&journal);
    }
    drop(journal);
    let (_journal, recovered) = open(disk.path());
    assert_eq!(recovered.report.last_seq, 40 * 80 * 3);
    assert!(recovered.slots.is_empty());
}

/// A journal with the state of its slots, like that of a daemon.
struct Live {
    journal: Journal,
    slots: Slots,
}

impl Live {
    fn open(disk: &SmallDisk) -> Self {
        let (journal, recovered) = open(disk.path());
        Self {
            journal,
            slots: recovered.slots,
        }
    }

    /// Makes a change as a daemon does; returns `false` if the disk is full.
    fn change(&mut self, key: &Key, change: Change) -> bool {
        let at = Timestamp::from_nanos(1);
        let before = self.slots.get(key).map(|slot| &**slot);
        if let Err(e) = self.journal.append_to(before, key, at, &change) {
            assert!(e.is_out_of_space(), "{e}");
            return false;
        }
        match (self.slots.get_mut(key), change) {
            (None, Change::Create(new)) => {
                let slot = Box::new(Slot::new(new, at));
                self.slots.insert(key.clone(), slot);
            }
            (Some(_), Change::Delete) => drop(self.slots.remove(key)),
            (Some(slot), change) => drop(slot.apply(change, at).unwrap()),
            (None, change) => panic!("{key} is needed for {change:?}"),
        }
        true
    }

    /// Waits until a compaction has freed its space. An append begins one if none is under way:
    /// the journal may have been closed before its last one.
    fn wait_for_room(&mut self) {
        let directory = self.journal.shared.directory.clone();
        let size = |path: std::path::PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
        let mut nudge = std::time::Instant::now() + std::time::Duration::from_secs(5);
        loop {
            let listing = directory.list().unwrap();
            let bytes: u64 = directory.files(&listing).map(size).sum();
            if bytes < 128 << 10 {
                return;
            }
            assert!(
                std::time::Instant::now() < patience,
                "{bytes} bytes are left"
            );
            if std::time::Instant::now() > nudge {
                nudge += std::time::Duration::from_secs(5);
                let key = key("nudge");
                if self.change(&key, create(1)) {
                    assert!(self.change(&key, Change::Delete));
                }
            }
            std::thread::yield_now();
        }
    }

    /// Adds pods with a running container and a process in it, until the disk is full.
    fn fill(&mut self) {
        for n in 0.. {
            let key = key(&format!("pod-{n}"));
            let exec = Change::CreateExec {
                container: "web".to_owned(),
                exec: "probe".to_owned(),
                process: slot::NewProcess::default(),
            };
            let web = Change::CreateContainer(NewContainer {
                id: "web".to_owned(),
                ..NewContainer::default()
            });
            let steps = [
                create(n),
                Change::Start,
                web,
                Change::StartProcess(ProcessId::init("web")),
                exec,
                Change::StartProcess(ProcessId::exec("web", "probe")),
            ];
            if !steps.into_iter().all(|step| self.change(&key, step)) {
                assert!(n > 50, "{n} pods have room");
                return;
            }
        }
    }

    /// Ends and removes everything in the way that takes the most records.
    fn remove_all(&mut self) {
        let mut keys: Vec<Key> = self.slots.keys().cloned().collect();
        keys.sort();
        for key in keys {
            let slot = self.slots[&key].clone();
            for container in &slot.containers {
                let execs = container.execs.iter();
                let execs = execs.map(|(exec, _)| ProcessId::exec(&container.id, exec));
                for id in execs.chain([ProcessId::init(&container.id)]) {
                    let exit = Change::Exit(id.clone(), 137);
                    if slot.check(&exit).is_ok() {
                        assert!(self.change(&key, exit), "{id} of {key} ends");
                    }
                    assert!(self.change(&key, Change::DeleteProcess(id)), "{key}");
                }
            }
            if slot.check(&Change::Stop(0)).is_ok() {
                assert!(self.change(&key, Change::Stop(0)), "{key} stops");
            }
            assert!(self.change(&key, Change::Delete), "{key} is removed");
        }
    }

    /// Waits until a sandbox can be created, and creates it.
    fn create_again(&mut self) {
        let patience = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while !self.change(&key("after"), create(1)) {
            assert!(std::time::Instant::now() < patience, "creations fail");
            std::thread::yield_now();
        }
    }
}

/// Fills the disk by `fill`, removes everything, and starts again at each point.
fn everything_can_be_removed(disk: &SmallDisk, exhaust: impl Fn(), relieve: impl Fn()) {
    for restarts in [false, true] {
        let mut live = Live::open(disk);
        live.wait_for_room();
        live.fill();
        exhaust();
        if restarts {
            live.journal.close().unwrap();
            let slots = live.slots;
            live = Live::open(disk);
            assert_eq!(live.slots, slots);
        }
        live.remove_all();
        assert!(live.slots.is_empty());
        relieve();
        live.create_again();
        assert!(live.change(&key("after"), Change::Delete));
        live.journal.close().unwrap();
        let (journal, recovered) = open(disk.path());
        assert!(recovered.slots.is_empty());
        assert_eq!(recovered.report.warnings(), Vec::<String>::new());
        drop(journal);
    }
}

#[test]
fn everything_can_be_removed_from_a_disk_that_the_journal_filled() {
    if let Some(disk) = SmallDisk::mount() {
        everything_can_be_removed(&disk, || {}, || {});
    }
}

#[test]
fn everything_can_be_removed_from_a_disk_that_a_foreign_file_filled() {
    if let Some(disk) = SmallDisk::mount() {
        everything_can_be_removed(&disk, || disk.fill(), || disk.free());
    }
}

#[test]
fn everything_can_be_removed_without_a_free_inode() {
    if let Some(disk) = SmallDisk::mount_with("size=1m,nr_inodes=100") {
        everything_can_be_removed(&disk, || disk.use_up_inodes(), || disk.free_inodes());
    }
}
