//! Counts of the journal.

use crate::testing::{append_all, creates, wait_for_snapshot};
use crate::{Journal, Options, Sync};

#[test]
fn appends_syncs_and_snapshots_are_counted_from_the_opening_on() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        sync: Sync::Always,
        compact_min_bytes: 1,
        ..Options::default()
    };
    let (journal, _) = Journal::open(dir.path(), options).unwrap();
    let before = journal.stats();
    assert_eq!(
        (before.records, before.bytes, before.last_sync),
        (0, 0, None)
    );
    let entries = creates(4);
    append_all(&journal, &entries[..3]);
    wait_for_snapshot(&journal);
    append_all(&journal, &entries[3..]);
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(journal.barrier()).unwrap();
    let stats = journal.stats();
    assert_eq!(stats.records, 4);
    assert!(stats.bytes > 4 * 50 && stats.segments >= 1, "{stats:?}");
    assert!(stats.syncs >= 1 && stats.last_sync.is_some(), "{stats:?}");
    assert!(
        stats.snapshots >= 1 && stats.snapshot_bytes > Some(0),
        "{stats:?}"
    );
    assert_eq!(stats.failed_syncs, 0);
    journal.close().unwrap();
    let (again, _) = Journal::open(dir.path(), options).unwrap();
    assert_eq!(again.stats().records, 0);
}
