//! Reopening: acknowledged records are found, no others, and appending continues.

use proptest::prelude::*;
use std::fs;

use crate::directory::Directory;
use crate::testing::{
    append_all, churn, create, creates, fold, key, open, scripts, wait_for_snapshot, write_journal,
};
use crate::{Journal, JournalError, Options, read};
use slot::{Change, Moment, NewContainer, NewSandbox, ProcessId, Slot, Timestamp};

#[test]
fn a_new_directory_is_an_empty_journal() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, recovered) = open(&dir.path().join("new"));
    assert!(recovered.slots.is_empty());
    assert_eq!(recovered.report.last_seq, 0);
    assert_eq!(
        journal
            .append(&key("a"), Timestamp::default(), &create(1))
            .unwrap(),
        1
    );
}

#[test]
fn a_closed_journal_refuses_and_may_be_closed_again() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = open(dir.path());
    journal.close().unwrap();
    journal.close().unwrap();
    let refused = journal.append(&key("a"), Timestamp::default(), &create(1));
    assert!(matches!(refused, Err(JournalError::Closed)));
}

#[test]
fn running_times_are_the_same_after_a_restart_if_the_clock_was_set() {
    let dir = tempfile::tempdir().unwrap();
    let key = key("a");
    let id = ProcessId::init("c");
    let container = NewContainer {
        id: "c".to_owned(),
        ..NewContainer::default()
    };
    let at = Timestamp::from_nanos;
    let mut live = Slot::new(NewSandbox::default(), at(0));
    let (journal, _) = open(dir.path());
    let create = Change::Create(NewSandbox::default());
    journal.append(&key, at(0), &create).unwrap();
    for (change, moment) in [
        (Change::Start, Moment::from(at(1_000))),
        (Change::CreateContainer(container), at(1_000).into()),
        (Change::StartProcess(id.clone()), at(1_000).into()),
        (Change::Pause("c".to_owned()), Moment::new(at(200), 900)),
        (Change::Resume("c".to_owned()), Moment::new(at(300), 900)),
    ] {
        journal.append(&key, moment, &change).unwrap();
        live.apply(change, moment).unwrap();
    }
    journal.close().unwrap();
    let (_journal, recovered) = open(dir.path());
    let found = &recovered.slots[&key];
    assert_eq!(**found, live);
    let now = Moment::new(at(400), 900);
    assert_eq!(found.process(&id).unwrap().ran_ns(now), 200);
}

#[test]
fn foreign_files_are_named_and_left_and_unfinished_snapshots_removed() {
    let dir = tempfile::tempdir().unwrap();
    write_journal(dir.path(), Options::default(), &creates(2));
    let directory = Directory::of(dir.path());
    let (notes, unfinished) = (directory.path().join("notes"), directory.temporary(7));
    fs::write(&notes, "x").unwrap();
    fs::write(&unfinished, "x").unwrap();
    let (_journal, recovered) = open(dir.path());
    assert_eq!(&recovered.report.foreign[..], std::slice::from_ref(&notes));
    assert!(recovered.report.warnings()[0].contains("notes"));
    assert!(notes.exists());
    assert!(!unfinished.exists());
}

#[test]
fn a_start_that_reads_many_records_takes_a_snapshot() {
    let dir = tempfile::tempdir().unwrap();
    write_journal(dir.path(), Options::default(), &churn(300));
    let (journal, recovered) = open(dir.path());
    assert_eq!(recovered.report.records, 900);
    assert_eq!(wait_for_snapshot(&journal), 900);
    drop(journal);
    let (_journal, recovered) = open(dir.path());
    assert_eq!(recovered.report.records, 0);
    assert_eq!(recovered.report.snapshot, Some(900));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_start_finds_what_was_appended(
        entries in scripts(80),
        cuts in prop::collection::vec(0..80_usize, 0..3),
        compact_min_bytes in prop::sample::select(vec![1_u64, 700, 5_000, 1 << 24]),
        history: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = Options { history, compact_min_bytes, ..Options::default() };
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(entries.len())).collect();
        cuts.extend([0, entries.len()]);
        cuts.sort_unstable();
        for pair in cuts.windows(2) {
            let (journal, recovered) = Journal::open(dir.path(), options).unwrap();
            prop_assert_eq!(recovered.slots, fold(&entries[..pair[0]]));
            prop_assert_eq!(recovered.report.last_seq, pair[0] as u64);
            append_all(&journal, &entries[pair[0]..pair[1]]);
            prop_assert_eq!(read(dir.path()).unwrap().slots, fold(&entries[..pair[1]]));
        }
        let (_journal, recovered) = Journal::open(dir.path(), options).unwrap();
        prop_assert_eq!(recovered.slots, fold(&entries));
        prop_assert_eq!(recovered.report.warnings(), Vec::<String>::new());
    }
}
