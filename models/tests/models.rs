//! Each test runs some hundred times, with other switches between threads each time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime};

use containerd_sandbox::{Exit, ExitSignal, Key};
use journal::{Journal, Options, Sync};
use pod_resources::ResourceInfo;
use shuttle::future;
use shuttle::thread;
use slot::{Change, NewSandbox, Table, Timestamp};
use views::{ViewMode, ViewOp, Views};

fn key(id: u32) -> Key {
    Key::new("k8s.io", &format!("s{id}")).expect("an id")
}

/// Creates and deletes one id from several threads, each `times` times, while one more thread
/// looks it up.
fn create_and_delete(threads: u32, times: u32) {
    let table = Arc::new(Table::<Key, u32>::default());
    let key = Key::new("k8s.io", "a").expect("an id");
    // The number of the thread that has reserved the id; 0 for none. This atomic is the standard
    // library's, because a look at it is no reason for the scheduler to switch.
    let owner = Arc::new(AtomicU32::new(0));
    let creators: Vec<_> = (1..=threads)
        .map(|me| {
            let (table, key, owner) = (Arc::clone(&table), key.clone(), Arc::clone(&owner));
            thread::spawn(move || {
                for _ in 0..times {
                    if !table.reserve(&key) {
                        continue;
                    }
                    assert_eq!(
                        owner.swap(me, Ordering::SeqCst),
                        0,
                        "two threads have reserved it"
                    );
                    assert!(table.get(&key).is_none(), "it is not there yet");
                    table.publish(&key, Arc::new(me));
                    assert_eq!(table.get(&key).as_deref(), Some(&me));
                    owner.store(0, Ordering::SeqCst);
                    table.remove(&key);
                }
            })
        })
        .collect();
    for _ in 0..times {
        if let Some(found) = table.get(&key) {
            assert!((1..=threads).contains(&*found));
        }
        assert!(table.all().len() <= 1);
    }
    for creator in creators {
        creator.join().expect("it did not panic");
    }
    assert_eq!(table.len(), 0);
    assert!(table.reserve(&key));
}

/// Adds distinct ids from several threads, and finds them all at the end.
fn populate(threads: u32, each: u32) {
    let table = Arc::new(Table::<Key, u32>::default());
    let key = |n: u32| Key::new("k8s.io", &n.to_string()).expect("an id");
    let adders: Vec<_> = (0..threads)
        .map(|me| {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                for n in me * each..(me + 1) * each {
                    assert!(table.reserve(&key(n)));
                    table.publish(&key(n), Arc::new(n));
                }
            })
        })
        .collect();
    for adder in adders {
        adder.join().expect("it did not panic");
    }
    for n in 0..threads * each {
        assert_eq!(table.get(&key(n)).as_deref(), Some(&n));
    }
}

#[test]
fn an_id_is_reserved_by_one_thread_at_a_time() {
    shuttle::check_random(|| create_and_delete(3, 2), 2_000);
}

#[test]
fn ids_added_by_several_threads_are_all_kept() {
    shuttle::check_random(|| populate(3, 3), 500);
}

fn exit(code: u32) -> Exit {
    Exit {
        code,
        at: SystemTime::UNIX_EPOCH,
    }
}

/// Waits for the signal before, during and after two threads fire it. All waiters see the first
/// end.
fn wait_and_fire(waiters: u32) {
    let signal = Arc::new(ExitSignal::default());
    let mut all = Vec::new();
    for n in 0..waiters {
        let signal = Arc::clone(&signal);
        all.push(future::spawn(async move { signal.wait().await.code }));
        if n == waiters / 2 {
            thread::yield_now();
        }
    }
    let firing: Vec<_> = [137, 143]
        .into_iter()
        .map(|code| {
            let signal = Arc::clone(&signal);
            thread::spawn(move || signal.fire(exit(code)))
        })
        .collect();
    let codes: Vec<u32> = all
        .into_iter()
        .map(|waiter| future::block_on(waiter).expect("it ended"))
        .collect();
    for thread in firing {
        thread.join().expect("it did not panic");
    }
    let first = signal.exit().expect("it was fired").code;
    assert!(codes.iter().all(|code| *code == first), "{codes:?}");
}

#[test]
fn everybody_who_waits_hears_of_the_one_end() {
    shuttle::check_random(|| wait_and_fire(5), 2_000);
}

#[test]
fn thousands_of_waiters_hear_of_the_one_end() {
    shuttle::check_random(|| wait_and_fire(2_000), 5);
}

/// Appends from several threads, each of which waits until its records are durable; closes the
/// journal at the end, and opens it again.
fn append_from(threads: u32, sync: Sync, compact_min_bytes: u64) {
    let dir = tempfile::tempdir().expect("a directory");
    let options = Options {
        sync,
        compact_min_bytes,
        ..Options::default()
    };
    let (journal, _) = Journal::open(dir.path(), options).expect("it opens");
    let journal = Arc::new(journal);
    let appenders: Vec<_> = (0..threads)
        .map(|n| {
            let journal = Arc::clone(&journal);
            thread::spawn(move || {
                let create = Change::Create(NewSandbox::default());
                for change in [create, Change::Start] {
                    let at = Timestamp::from_nanos(u64::from(n));
                    let seq = journal.append(&key(n), at, &change).expect("there is room");
                    future::block_on(journal.durable(seq)).expect("the disk is well");
                }
            })
        })
        .collect();
    for appender in appenders {
        appender.join().expect("it did not panic");
    }
    journal.close().expect("the disk is well");
    let (_journal, recovered) = Journal::open(dir.path(), options).expect("it opens");
    assert_eq!(recovered.slots.len(), threads as usize);
    assert_eq!(recovered.report.last_seq, u64::from(2 * threads));
}

#[test]
fn a_group_commit_wakes_all_waiters() {
    shuttle::check_random(|| append_from(3, Sync::Always, 1 << 20), 500);
}

#[test]
fn a_group_commit_beside_snapshots_wakes_all_waiters() {
    shuttle::check_random(|| append_from(2, Sync::Always, 1), 200);
    shuttle::check_random(|| append_from(2, Sync::None, 1), 200);
}

#[test]
fn syncs_at_an_interval_wake_all_waiters() {
    let interval = Sync::Interval(Duration::from_millis(1));
    shuttle::check_random(move || append_from(2, interval, 1 << 20), 200);
}

/// A thread that waits for durability while the journal is closed gets an answer.
#[test]
fn closing_the_journal_answers_waiters() {
    let closing = || {
        let dir = tempfile::tempdir().expect("a directory");
        let options = Options {
            sync: Sync::Always,
            ..Options::default()
        };
        let (journal, _) = Journal::open(dir.path(), options).expect("it opens");
        let journal = Arc::new(journal);
        let create = Change::Create(NewSandbox::default());
        let seq = journal
            .append(&key(1), Timestamp::default(), &create)
            .expect("there is room");
        let waiting = {
            let journal = Arc::clone(&journal);
            thread::spawn(move || future::block_on(journal.durable(seq)).is_ok())
        };
        journal.close().expect("the disk is well");
        assert!(waiting.join().expect("it did not panic"));
    };
    shuttle::check_random(closing, 500);
}

/// Each of two threads puts, removes and puts the views of its own id. The last put remains.
#[test]
fn views_come_to_what_was_submitted_last() {
    let views = |mode| {
        move || {
            let dir = tempfile::tempdir().expect("a directory");
            let views = Arc::new(Views::start(dir.path(), mode).expect("they start"));
            let threads: Vec<_> = (0..2)
                .map(|n| {
                    let views = Arc::clone(&views);
                    thread::spawn(move || {
                        let put = |views: &Views| {
                            views.submit(ViewOp::Put {
                                key: key(n),
                                container: None,
                                info: ResourceInfo::default(),
                            })
                        };
                        let remove = ViewOp::Remove {
                            key: key(n),
                            container: None,
                        };
                        future::block_on(put(&views).done()).expect("there is room");
                        views.submit_lazily(remove);
                        future::block_on(put(&views).done()).expect("there is room");
                    })
                })
                .collect();
            for thread in threads {
                thread.join().expect("it did not panic");
            }
            views.flush_and_stop();
            for n in 0..2 {
                let view = dir.path().join(format!("s{n}/resource_info.json"));
                assert!(view.exists(), "{}", view.display());
            }
        }
    };
    shuttle::check_random(views(ViewMode::WriteThrough), 200);
    shuttle::check_random(views(ViewMode::WriteBehind), 200);
}
