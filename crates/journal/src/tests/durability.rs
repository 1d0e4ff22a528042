//! Durability: the records that survive a power cut, and appends from several threads.

use std::fs::File;
use std::os::unix::fs::OpenOptionsExt;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::testing::{self, Entry, append_all, create, fold, key, open, script};
use crate::{Journal, JournalError, Options, Sync};
use slot::Timestamp;

fn with(sync: Sync) -> Options {
    Options {
        sync,
        ..Options::default()
    }
}

/// Returns a file that refuses `fdatasync`.
fn unsyncable() -> File {
    let flags = OFlags::PATH.bits().cast_signed();
    let file = std::fs::OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open("/")
        .unwrap();
    file.sync_data().unwrap_err();
    file
}

fn appended_from_threads(sync: Sync) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        compact_min_bytes: 10_000,
        ..with(sync)
    };
    let (journal, _) = Journal::open(dir.path(), options).unwrap();
    let scripts: Vec<Vec<Entry>> = (0..4_u32)
        .map(|thread| {
            let choices: Vec<u32> = (0..300).map(|i| (i * 7919 + thread * 31) % 1009).collect();
            script(&format!("ns{thread}"), &choices)
        })
        .collect();
    std::thread::scope(|scope| {
        for entries in &scripts {
            let journal = &journal;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .build()
                    .unwrap();
                for (key, at, change) in entries {
                    let seq = journal.append(key, *at, change).unwrap();
                    runtime.block_on(journal.durable(seq)).unwrap();
                    if sync == Sync::Always {
                        assert!(journal.shared.progress.borrow().synced >= seq);
                    }
                }
            });
        }
    });
    journal.close().unwrap();
    let (_journal, recovered) = open(dir.path());
    assert_eq!(recovered.report.last_seq, 1200);
    let expected = scripts.iter().flat_map(|entries| fold(entries)).collect();
    assert_eq!(recovered.slots, expected);
}

#[test]
fn threads_without_sync_lose_nothing() {
    appended_from_threads(Sync::None);
}

#[test]
fn threads_with_an_interval_lose_nothing() {
    appended_from_threads(Sync::Interval(Duration::from_millis(1)));
}

#[test]
fn threads_that_always_sync_lose_nothing() {
    appended_from_threads(Sync::Always);
}

#[tokio::test]
async fn an_interval_syncs_by_itself_and_durable_does_not_wait() {
    let dir = tempfile::tempdir().unwrap();
    let interval = Sync::Interval(Duration::from_millis(1));
    let (journal, _) = Journal::open(dir.path(), with(interval)).unwrap();
    append_all(&journal, &testing::creates(3));
    journal.durable(1_000).await.unwrap();
    let mut progress = journal.shared.progress.subscribe();
    progress.wait_for(|p| p.synced == 3).await.unwrap();
}

#[tokio::test]
async fn a_barrier_makes_records_durable_that_no_caller_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), with(Sync::Always)).unwrap();
    journal.barrier().await.unwrap();
    append_all(&journal, &testing::creates(3));
    journal.barrier().await.unwrap();
    assert_eq!(journal.shared.progress.borrow().synced, 3);
    // A second creation is illegal, so no snapshot can be made of the segment.
    append_all(&journal, &testing::creates(2));
    journal.shared.writer.lock().push_unsynced(unsyncable());
    let failed = journal.barrier().await;
    assert!(
        matches!(failed, Err(JournalError::NotDurable { seq: 5 })),
        "{failed:?}"
    );
}

#[test]
fn a_barrier_is_free_unless_every_record_is_synced() {
    for sync in [Sync::None, Sync::Interval(Duration::from_secs(60))] {
        let dir = tempfile::tempdir().unwrap();
        let (journal, _) = Journal::open(dir.path(), with(sync)).unwrap();
        append_all(&journal, &testing::creates(3));
        let barrier = pin!(journal.barrier());
        let polled = barrier.poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(()))), "{sync}: {polled:?}");
        assert_eq!(journal.shared.progress.borrow().synced, 0);
    }
}

#[tokio::test]
async fn segments_of_a_killed_process_are_synced_with_the_first_record() {
    let dir = tempfile::tempdir().unwrap();
    testing::write_journal(dir.path(), Options::default(), &testing::creates(3));
    let (journal, _) = Journal::open(dir.path(), with(Sync::Always)).unwrap();
    let seq = journal
        .append(&key("x"), Timestamp::default(), &create(1))
        .unwrap();
    journal.durable(seq).await.unwrap();
    assert_eq!(journal.shared.progress.borrow().synced, 4);
    journal.durable(2).await.unwrap();
}

#[tokio::test]
async fn a_failed_sync_is_reported_and_a_snapshot_makes_the_records_durable() {
    let dir = tempfile::tempdir().unwrap();
    let entries = testing::creates(6);
    let (journal, _) = Journal::open(dir.path(), with(Sync::Always)).unwrap();
    append_all(&journal, &entries[..3]);
    journal.durable(3).await.unwrap();

    append_all(&journal, &entries[3..5]);
    journal.shared.writer.lock().push_unsynced(unsyncable());
    let failed = journal.durable(5).await;
    assert!(
        matches!(failed, Err(JournalError::NotDurable { seq: 5 })),
        "{failed:?}"
    );

    // Only the snapshot makes the records durable: another sync would succeed although the
    // kernel may have dropped the pages.
    let mut progress = journal.shared.progress.subscribe();
    progress.wait_for(|p| p.synced >= 5).await.unwrap();
    let snapshots = crate::directory::Directory::of(dir.path())
        .list()
        .unwrap()
        .snapshots;
    assert_eq!(snapshots, [5]);
    journal.durable(5).await.unwrap();
    append_all(&journal, &entries[5..]);
    journal.durable(6).await.unwrap();
    journal.close().unwrap();
    assert_eq!(open(dir.path()).1.slots, fold(&entries));
}

#[tokio::test]
async fn without_a_snapshot_nothing_counts_as_durable_after_a_failed_sync() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), with(Sync::Always)).unwrap();
    append_all(&journal, &testing::creates(3));
    // Damage to the segment makes every snapshot impossible.
    let path = crate::directory::Directory::of(dir.path()).segment(1);
    std::fs::write(&path, "gone").unwrap();
    journal.shared.writer.lock().push_unsynced(unsyncable());
    journal.durable(3).await.unwrap_err();
    let seq = journal
        .append(&key("x"), Timestamp::default(), &create(1))
        .unwrap();
    journal.durable(seq).await.unwrap_err();
    assert_eq!(journal.shared.progress.borrow().synced, 0);
    assert!(matches!(
        journal.close(),
        Err(JournalError::NotDurable { seq: 3 })
    ));
}

#[tokio::test]
async fn closing_answers_the_waiting_callers() {
    let dir = tempfile::tempdir().unwrap();
    let (journal, _) = Journal::open(dir.path(), with(Sync::Always)).unwrap();
    append_all(&journal, &testing::creates(3));
    let (durable, closed) = tokio::join!(journal.durable(3), async { journal.close() });
    durable.unwrap();
    closed.unwrap();
    journal.durable(3).await.unwrap();
}
