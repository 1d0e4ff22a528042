//! Damage: it is noticed and named, and records are given up only on request.

use std::ffi::OsString;
use std::fs::{self, DirEntry};
use std::path::Path;

use proptest::prelude::*;

use crate::directory::Directory;
use crate::fold::Slots;
use crate::parallel_decode::Decoding;
use crate::testing::{self, Entry, creates, fold, key, open, scripts, write_journal};
use crate::{Journal, JournalError, Options, Recovered, checksum, read, record, snapshot};
use slot::Timestamp;
use slot::{Change, Slot};

const RECOVER: Options = Options {
    sync: crate::Sync::None,
    history: false,
    recover: true,
    compact_min_bytes: 1 << 24,
};

fn refused(dir: &Path) -> String {
    match Journal::open(dir, Options::default()) {
        Err(e @ JournalError::Damaged { .. }) => e.to_string(),
        Err(e) => panic!("another error: {e}"),
        Ok((_, recovered)) => panic!("opened: {recovered:?}"),
    }
}

/// Returns every segment and snapshot with its name.
fn files(dir: &Path) -> Vec<(OsString, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let file = |entry: DirEntry| (entry.file_name(), fs::read(entry.path()).unwrap());
    let entries = entries.filter(|e| e.path().extension() == Some("jsonl".as_ref()));
    let mut files: Vec<_> = entries.map(file).collect();
    files.sort();
    files
}

/// Opens with recovery of damage, and checks that the damaged files are kept and that the next
/// start finds the same state without damage.
pub(super) fn recover(dir: &Path) -> Recovered {
    let directory = Directory::of(dir);
    let damaged = files(directory.path());
    let recovered = recover_and_reopen(dir);
    let kept = fs::read_dir(directory.path()).unwrap().map(Result::unwrap);
    let kept = kept.filter(|entry| entry.path().is_dir());
    let kept: Vec<_> = kept.map(|entry| files(&entry.path())).collect();
    if recovered.report.dropped.is_empty() {
        assert_eq!(kept, Vec::<Vec<_>>::new());
    } else {
        assert_eq!(kept, [damaged]);
    }
    recovered
}

fn recover_and_reopen(dir: &Path) -> Recovered {
    let (journal, recovered) = Journal::open(dir, RECOVER).unwrap();
    let probe = key("probe");
    let created = testing::create(1);
    journal
        .append(&probe, Timestamp::default(), &created)
        .unwrap();
    drop(journal);
    let (_journal, mut again) = open(dir);
    assert_eq!(again.report.warnings(), Vec::<String>::new());
    assert!(again.slots.remove(&probe).is_some());
    assert_eq!(again.slots, recovered.slots);
    recovered
}

/// Returns the state after the entries without those that are gone and those that are illegal
/// without them.
pub(super) fn fold_without(entries: &[Entry], gone: impl Fn(usize) -> bool) -> Slots {
    let mut slots = Slots::new();
    for (_, (key, at, change)) in entries.iter().enumerate().filter(|(i, _)| !gone(*i)) {
        match (slots.get_mut(key), change) {
            (None, Change::Create(new)) => {
                slots.insert(key.clone(), Box::new(Slot::new(new.clone(), *at)));
            }
            (Some(slot), Change::Delete) if slot.check(change).is_ok() => {
                slots.remove(key);
            }
            (Some(slot), change) => {
                let _ = slot.apply(change.clone(), *at);
            }
            (None, _) => {}
        }
    }
    slots
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = fs::read(path).unwrap();
    bytes
        .split_inclusive(|b| *b == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

#[test]
fn a_corrupt_line_in_the_middle_stops_the_start_and_says_what_recovery_drops() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(4);
    write_journal(dir.path(), Options::default(), &entries);
    let path = Directory::of(dir.path()).segment(1);
    let mut all = lines(&path);
    all[1][30] ^= 1;
    fs::write(&path, all.concat()).unwrap();

    let message = refused(dir.path());
    let expected = format!(
        "{}, line 2: the checksum is missing or wrong; \
         a power cut can do that to what --sync had not made durable; \
         --recover would drop 1 record of sandbox s1 and keep the damaged files aside",
        path.display()
    );
    assert_eq!(message, expected);
    assert_eq!(read(dir.path()).unwrap().report.dropped.len(), 1);

    let recovered = recover(dir.path());
    assert_eq!(recovered.slots, fold_without(&entries, |i| i == 1));
    assert!(recovered.report.warnings()[0].ends_with("1 records of s1 lost"));
}

#[test]
fn a_missing_line_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(5);
    write_journal(dir.path(), Options::default(), &entries);
    let path = Directory::of(dir.path()).segment(1);
    let mut all = lines(&path);
    all.drain(1..3);
    fs::write(&path, all.concat()).unwrap();
    let message = refused(dir.path());
    assert!(
        message.contains("line 2: records 2 to 3 are missing"),
        "{message}"
    );
    assert!(message.contains("drop 2 records"), "{message}");
    let recovered = recover(dir.path());
    assert_eq!(
        recovered.slots,
        fold_without(&entries, |i| [1, 2].contains(&i))
    );
}

#[test]
fn a_repeated_line_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(3);
    write_journal(dir.path(), Options::default(), &entries);
    let path = Directory::of(dir.path()).segment(1);
    let mut all = lines(&path);
    all.insert(2, all[1].clone());
    fs::write(&path, all.concat()).unwrap();
    let message = refused(dir.path());
    assert!(
        message.contains("line 3: record 2 comes after record 2"),
        "{message}"
    );
    assert_eq!(recover(dir.path()).slots, fold(&entries));
}

#[test]
fn a_record_that_its_slot_refuses_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let mut entries = creates(2);
    write_journal(dir.path(), Options::default(), &entries);
    let at = Timestamp::default();
    let strangers = [
        (key("s0"), at, Change::Pause("c".to_owned())),
        (key("nobody"), at, Change::Start),
        (key("s1"), at, testing::create(5)),
        (key("s1"), at, Change::Start),
    ];
    write_journal(dir.path(), Options::default(), &strangers);
    let message = refused(dir.path());
    assert!(message.contains("record 3 of sandbox s0: container c not found"));
    assert!(
        message.contains("drop 3 records of sandboxes nobody, s0, s1"),
        "{message}"
    );
    entries.push(strangers[3].clone());
    assert_eq!(recover(dir.path()).slots, fold(&entries));
}

#[test]
fn a_missing_segment_is_noticed() {
    let options = Options {
        compact_min_bytes: 1,
        history: true,
        ..Options::default()
    };
    let entries = creates(6);
    // A segment ends when the snapshot before is complete, so their number depends on the speed
    // of the thread that makes snapshots.
    let (dir, directory, segments) = (0..1000)
        .find_map(|_| {
            let dir = tempfile::tempdir().unwrap();
            write_journal(dir.path(), options, &entries);
            let directory = Directory::of(dir.path());
            let segments = directory.list().unwrap().segments;
            (segments.len() > 3).then_some((dir, directory, segments))
        })
        .expect("a journal of four segments");
    for seq in directory.list().unwrap().snapshots {
        fs::remove_file(directory.snapshot(seq)).unwrap();
    }
    assert_eq!(open(dir.path()).1.slots, fold(&entries));
    fs::remove_file(directory.segment(segments[0])).unwrap();
    assert!(refused(dir.path()).contains("line 1: record 1 is missing"));
    fs::remove_file(directory.segment(segments[2])).unwrap();
    let dropped = read(dir.path()).unwrap().report.dropped;
    let missing = format!("record {} is missing", segments[2]);
    assert!(dropped[1].reason.contains(&missing), "{dropped:?}");
    let recovered = recover(dir.path());
    let is_gone = |record: u64| {
        let in_segment = |n: usize| (segments[n]..segments[n + 1]).contains(&record);
        in_segment(0) || in_segment(2)
    };
    assert_eq!(
        recovered.slots,
        fold_without(&entries, |i| is_gone(i as u64 + 1))
    );
}

#[test]
fn a_missing_last_segment_is_noticed() {
    let entries = creates(6);
    for snapshotted in [0, 4] {
        let dir = tempfile::tempdir().unwrap();
        let directory = if snapshotted == 0 {
            write_journal(dir.path(), Options::default(), &entries);
            Directory::of(dir.path())
        } else {
            with_snapshot(dir.path(), false, &entries, snapshotted)
        };
        let last = snapshotted as u64 + 1;
        let listing = directory.list().unwrap();
        assert_eq!((listing.segments, listing.marks), (vec![last], vec![last]));
        fs::remove_file(directory.segment(last)).unwrap();
        let message = refused(dir.path());
        let reason = format!("the last segment is missing, with the records from {last} on");
        assert!(message.contains(&reason), "{message}");
        let loss = "drop an unknown number of records";
        assert!(message.contains(loss), "{message}");
        assert!(read(dir.path()).unwrap().report.dropped[0].open_ended);

        let recovered = recover(dir.path());
        assert_eq!(recovered.slots, fold(&entries[..snapshotted]));
        assert_eq!(recovered.report.last_seq, last - 1);
    }
}

#[test]
fn records_before_a_missing_last_segment_are_needed_as_well() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(4);
    write_journal(dir.path(), Options::default(), &entries);
    let directory = Directory::of(dir.path());
    directory.mark(Some(1), 8).unwrap();
    let message = refused(dir.path());
    assert!(message.contains("records 5 to 7 are missing"), "{message}");
    assert!(message.contains("drop 3 or more records"), "{message}");
    let (journal, recovered) = Journal::open(dir.path(), RECOVER).unwrap();
    assert_eq!(recovered.slots, fold(&entries));
    let (_, at, change) = &entries[0];
    assert_eq!(journal.append(&key("new"), *at, change).unwrap(), 8);
}

#[test]
fn a_journal_without_a_mark_or_with_an_earlier_one_is_whole() {
    for mark in [None, Some(1)] {
        let dir = tempfile::tempdir().unwrap();
        let entries = creates(4);
        let directory = with_snapshot(dir.path(), false, &entries, 2);
        let listing = directory.list().unwrap();
        let last = *listing.segments.last().unwrap();
        assert_eq!(listing.marks, [last]);
        fs::remove_file(directory.mark_of(last)).unwrap();
        if let Some(mark) = mark {
            directory.mark(None, mark).unwrap();
        }
        let (journal, recovered) = open(dir.path());
        assert_eq!(recovered.slots, fold(&entries));
        assert_eq!(recovered.report.warnings(), Vec::<String>::new());
        assert_eq!(directory.list().unwrap().marks, [last]);
        drop(journal);
    }
}

/// Writes a journal with its first entries in a snapshot and the others in a segment.
fn with_snapshot(dir: &Path, history: bool, entries: &[Entry], snapshotted: usize) -> Directory {
    write_journal(dir, Options::default(), &entries[..snapshotted]);
    let directory = Directory::of(dir);
    let through = snapshotted as u64;
    let first = directory.segment(1);
    crate::compaction::compact(&directory, through, history).unwrap();
    assert_eq!(first.exists(), history);
    write_journal(dir, Options::default(), &entries[snapshotted..]);
    directory
}

#[test]
fn a_damaged_snapshot_is_not_needed_while_its_segments_exist() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(6);
    let directory = with_snapshot(dir.path(), true, &entries, 4);
    let path = directory.snapshot(4);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 4;
    fs::write(&path, bytes).unwrap();
    let (_journal, recovered) = open(dir.path());
    assert_eq!(recovered.slots, fold(&entries));
    assert_eq!(recovered.report.damaged_snapshots, [path]);
}

#[test]
fn a_damaged_snapshot_without_its_segments_stops_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(6);
    let directory = with_snapshot(dir.path(), false, &entries, 4);
    let path = directory.snapshot(4);
    let mut all = lines(&path);
    all[2][60] ^= 4;
    fs::write(&path, all.concat()).unwrap();
    let message = refused(dir.path());
    assert!(
        message.contains(&format!("{}, line 3:", path.display())),
        "{message}"
    );
    assert!(message.contains("1 record of sandbox s1"), "{message}");
    assert_eq!(
        recover(dir.path()).slots,
        fold_without(&entries, |i| i == 1)
    );
}

#[test]
fn segments_that_end_before_a_damaged_snapshot_are_no_substitute() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(4);
    write_journal(dir.path(), Options::default(), &entries);
    let directory = Directory::of(dir.path());
    fs::write(directory.snapshot(9), "damaged").unwrap();
    let message = refused(dir.path());
    assert!(message.contains("records 5 to 9 are missing"), "{message}");
    let (journal, recovered) = Journal::open(dir.path(), RECOVER).unwrap();
    assert_eq!(recovered.slots, fold(&entries));
    let (_, at, change) = &entries[0];
    assert_eq!(journal.append(&key("new"), *at, change).unwrap(), 10);
}

#[test]
fn a_snapshot_of_another_format_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::of(dir.path());
    directory.create().unwrap();
    let mut bytes = b"{\"snapshot\":3,\"format\":2,\"new\":true".to_vec();
    checksum::seal(&mut bytes);
    fs::write(directory.snapshot(3), &bytes).unwrap();
    let error = Journal::open(dir.path(), RECOVER).map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            JournalError::Format {
                format: 2,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(fs::read(directory.snapshot(3)).unwrap(), bytes);
}

#[test]
fn a_missing_line_of_a_snapshot_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let directory = Directory::of(dir.path());
    directory.create().unwrap();
    snapshot::write(&directory, 3, snapshot::sorted(&fold(&creates(3)))).unwrap();
    let path = directory.snapshot(3);
    let whole = lines(&path);
    assert_eq!(whole.len(), 5);
    assert_eq!(
        snapshot::read::<Slots>(&path, 3, Decoding::Here)
            .unwrap()
            .dropped,
        []
    );
    for missing in 0..whole.len() {
        let mut some = whole.clone();
        some.remove(missing);
        fs::write(&path, some.concat()).unwrap();
        assert!(
            !snapshot::read::<Slots>(&path, 3, Decoding::Here)
                .unwrap()
                .dropped
                .is_empty(),
            "line {missing}"
        );
    }
    for twice in 0..whole.len() {
        let mut more = whole.clone();
        more.insert(twice, whole[twice].clone());
        fs::write(&path, more.concat()).unwrap();
        assert!(
            !snapshot::read::<Slots>(&path, 3, Decoding::Here)
                .unwrap()
                .dropped
                .is_empty(),
            "line {twice}"
        );
    }
    fs::write(&path, whole.concat()).unwrap();
    assert!(
        !snapshot::read::<Slots>(&path, 4, Decoding::Here)
            .unwrap()
            .dropped
            .is_empty()
    );
}

#[test]
fn a_line_with_a_valid_checksum_that_is_no_record_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let entries = creates(2);
    write_journal(dir.path(), Options::default(), &entries);
    let path = Directory::of(dir.path()).segment(1);
    let mut all = lines(&path);
    let mut odd = b"{\"seq\":2,\"x\":0".to_vec();
    checksum::seal(&mut odd);
    assert!(record::decode::<Change>(&odd).is_err());
    all.insert(1, odd);
    fs::write(&path, all.concat()).unwrap();
    assert!(refused(dir.path()).contains("line 2: not a record"));
    assert_eq!(recover(dir.path()).slots, fold(&entries));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_flipped_bit_is_noticed_wherever_it_is(
        entries in scripts(30), snapshotted in 0..30_usize, at: prop::sample::Index, bit in 0..8_u32,
        in_snapshot: bool,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let snapshotted = snapshotted.min(entries.len() - 1);
        let directory = if snapshotted == 0 {
            write_journal(dir.path(), Options::default(), &entries);
            Directory::of(dir.path())
        } else {
            with_snapshot(dir.path(), false, &entries, snapshotted)
        };
        let flips_snapshot = in_snapshot && snapshotted > 0;
        let path = if flips_snapshot {
            directory.snapshot(snapshotted as u64)
        } else {
            directory.segment(snapshotted as u64 + 1)
        };
        let mut bytes = fs::read(&path).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();

        match Journal::open(dir.path(), Options::default()) {
            Err(JournalError::Damaged { damage }) => {
                prop_assert_eq!(&damage.first.file, &path);
                recover(dir.path());
            }
            // The checksum covers the number of the format, too.
            Err(e) => return Err(TestCaseError::fail(e.to_string())),
            Ok((_, recovered)) => {
                prop_assert!(!flips_snapshot);
                prop_assert!(recovered.report.torn.is_some());
                prop_assert_eq!(recovered.slots, fold(&entries[..entries.len() - 1]));
            }
        }
    }

    #[test]
    fn no_file_causes_a_panic(
        segment in prop::collection::vec(any::<u8>(), 0..300),
        snapshot in prop::collection::vec(any::<u8>(), 0..300),
        seq in 1..5_u64,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let directory = Directory::of(dir.path());
        directory.create().unwrap();
        fs::write(directory.segment(seq), segment).unwrap();
        fs::write(directory.snapshot(3), snapshot).unwrap();
        let _ = read(dir.path());
        let _ = Journal::open(dir.path(), Options::default());
        recover(dir.path());
    }
}
