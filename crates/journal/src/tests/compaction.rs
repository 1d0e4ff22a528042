//! Compaction: snapshots replace segments, and an interruption at any step loses nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use crate::compaction::compact;
use crate::directory::Directory;
use crate::testing::{
    append_all, churn, create, fold, key, open, script, scripts, wait_for_snapshot, write_journal,
};
use crate::{Journal, Options, read};
use slot::Timestamp;

type Files = BTreeMap<String, Vec<u8>>;

fn files(directory: &Directory) -> Files {
    let entries = fs::read_dir(directory.path()).unwrap();
    let file = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read(path).unwrap())
    };
    entries
        .map(|entry| file(&entry.unwrap().path()))
        .filter(|(name, _)| name.contains(".jsonl"))
        .collect()
}

fn lay_out(dir: &Path, files: &Files) {
    let directory = Directory::of(dir);
    directory.create().unwrap();
    for (name, bytes) in files {
        fs::write(directory.path().join(name), bytes).unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_crash_at_any_point_of_a_compaction_loses_nothing(
        entries in scripts(40), first in 0..40_usize, second in 0..40_usize, history: bool,
    ) {
        let mut cuts = [first.min(entries.len() - 1).max(1), second.min(entries.len()), entries.len()];
        cuts.sort_unstable();
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::of(dir.path());
        write_journal(dir.path(), Options::default(), &entries[..cuts[0]]);
        compact(&directory, cuts[0] as u64, history).unwrap();
        write_journal(dir.path(), Options::default(), &entries[cuts[0]..cuts[1]]);
        let through = cuts[1] as u64;
        // The journal makes the next segment before the compaction.
        fs::write(directory.segment(through + 1), "").unwrap();
        write_journal(dir.path(), Options::default(), &entries[cuts[1]..]);

        let before = files(&directory);
        compact(&directory, through, history).unwrap();
        let after = files(&directory);
        let name = directory.snapshot(through).file_name().unwrap().to_str().unwrap().to_owned();
        let snapshot = &after[&name];
        let removed: Vec<&String> = before.keys().filter(|name| !after.contains_key(*name)).collect();

        let mut points = vec![before.clone()];
        for part in [0, 1, snapshot.len() / 2, snapshot.len()] {
            let mut point = before.clone();
            point.insert(format!("{name}.tmp"), snapshot[..part].to_vec());
            points.push(point);
        }
        // Removals may reach the disk in any order.
        for subset in 0_u32..1 << removed.len() {
            let mut point = before.clone();
            point.insert(name.clone(), snapshot.clone());
            point.retain(|name, _| {
                let at = removed.iter().position(|gone| *gone == name);
                at.is_none_or(|at| subset & 1 << at == 0)
            });
            points.push(point);
        }
        points.push(after);
        for point in points {
            let crashed = tempfile::tempdir().unwrap();
            lay_out(crashed.path(), &point);
            prop_assert_eq!(&read(crashed.path()).unwrap().slots, &fold(&entries));
            let (journal, recovered) = open(crashed.path());
            prop_assert_eq!(recovered.slots, fold(&entries));
            let seq = journal.append(&key("next"), Timestamp::default(), &create(1)).unwrap();
            prop_assert_eq!(seq, entries.len() as u64 + 1);
        }
    }
}

#[test]
fn the_journal_grows_with_the_state_and_not_with_history() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        compact_min_bytes: 20_000,
        ..Options::default()
    };
    let (journal, _) = Journal::open(dir.path(), options).unwrap();
    let directory = Directory::of(dir.path());
    for _ in 0..5 {
        let entries = churn(100);
        append_all(&journal, &entries);
        wait_for_snapshot(&journal);
    }
    drop(journal);
    let (_journal, recovered) = open(dir.path());
    assert!(recovered.slots.is_empty());
    assert_eq!(recovered.report.last_seq, 1500);
    assert!(recovered.report.records < 300, "{}", recovered.report);
    let size: usize = files(&directory).values().map(Vec::len).sum();
    assert!(size < 60_000, "{size} bytes");
}

#[test]
fn history_keeps_every_record() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        compact_min_bytes: 3_000,
        history: true,
        ..Options::default()
    };
    let (journal, _) = Journal::open(dir.path(), options).unwrap();
    append_all(&journal, &churn(50));
    let last_roll = wait_for_snapshot(&journal);
    drop(journal);
    let directory = Directory::of(dir.path());
    let listing = directory.list().unwrap();
    assert!(listing.segments.len() > 3);
    assert_eq!(listing.snapshots, [last_roll]);
    let lines = |first: &u64| {
        fs::read_to_string(directory.segment(*first))
            .unwrap()
            .lines()
            .count()
    };
    assert_eq!(listing.segments.iter().map(lines).sum::<usize>(), 150);
}

#[test]
fn a_compaction_of_a_damaged_segment_removes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write_journal(dir.path(), Options::default(), &churn(3));
    let directory = Directory::of(dir.path());
    let path = directory.segment(1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[40] ^= 1;
    fs::write(&path, &bytes).unwrap();
    compact(&directory, 9, false).unwrap_err();
    assert_eq!(files(&directory).into_values().collect::<Vec<_>>(), [bytes]);
}

#[test]
fn a_compaction_that_cannot_write_its_snapshot_removes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::of(dir.path());
    write_journal(dir.path(), Options::default(), &churn(3));
    compact(&directory, 9, false).unwrap();
    write_journal(dir.path(), Options::default(), &churn(3));
    let before = files(&directory);
    assert_eq!(before.len(), 2, "a snapshot and a segment");
    let in_the_way = directory.temporary(18);
    fs::create_dir(&in_the_way).unwrap();
    compact(&directory, 18, false).unwrap_err();
    fs::remove_dir(in_the_way).unwrap();
    assert_eq!(files(&directory), before);
}

#[test]
fn a_reader_beside_a_compacting_writer_sees_every_acknowledged_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        compact_min_bytes: 2_000,
        ..Options::default()
    };
    let (journal, _) = Journal::open(dir.path(), options).unwrap();
    append_all(&journal, &script("moby", &[0, 0, 0]));
    let kept = read(dir.path()).unwrap().slots;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            append_all(&journal, &churn(1_500));
            done.store(true, Ordering::Release);
        });
        while !done.load(Ordering::Acquire) {
            let seen = read(dir.path()).unwrap();
            assert_eq!(seen.report.dropped, []);
            assert!(
                kept.iter()
                    .all(|(key, slot)| seen.slots.get(key) == Some(slot))
            );
        }
    });
    assert_eq!(read(dir.path()).unwrap().slots, kept);
}
