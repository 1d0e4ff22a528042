//! A disk that is really full: a small tmpfs, if the tests may mount one.

use containerd_sandbox::{Code, Error};

use crate::testing::{
    Entry, append_all, churn, create, creates, fold, key, open, wait_for_snapshot,
};
use crate::{Journal, Options};
use slot::Timestamp;
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
