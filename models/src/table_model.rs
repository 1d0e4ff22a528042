//! What can go on in the table of live objects at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use containerd_sandbox::Key;
use shuttle::thread;

use crate::table::Table;

/// Creates and deletes one id from so many threads, so often each, while another looks.
///
/// # Panics
/// If two have it at once, or it is found when nobody has it.
pub fn create_and_delete(threads: u32, times: u32) {
    let table = Arc::new(Table::<u32>::default());
    let key = Key::new("k8s.io", "a").expect("an id");
    // Who has the id: 0 is nobody. Not of the scheduler's: looking is no reason to switch.
    let owner = Arc::new(AtomicU32::new(0));
    let creators: Vec<_> = (1..=threads)
        .map(|me| {
            let (table, key, owner) = (Arc::clone(&table), key.clone(), Arc::clone(&owner));
            thread::spawn(move || {
                for _ in 0..times {
                    if !table.reserve(&key) {
                        continue;
                    }
                    assert_eq!(owner.swap(me, Ordering::SeqCst), 0, "two have it");
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

/// Adds ids of their own from so many threads, all of which must be there in the end.
///
/// # Panics
/// If one is missing.
pub fn populate(threads: u32, each: u32) {
    let table = Arc::new(Table::<u32>::default());
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
