//! The cost of the table of slots: look-ups by 1, 8 and 64 concurrent tasks, beside a map behind
//! one lock; and the life of a sandbox, beside writing the lines of its records.

mod beside;

use std::collections::HashMap;
use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use benches::settings;
use containerd_sandbox::{Key, SandboxOptions, Sandboxer};
use criterion::{Bencher, Criterion, Throughput, criterion_group, criterion_main};
use journal::{Journal, Options};
use parking_lot::RwLock;
use sandboxer::live::ResourceSlotSandboxer;
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use views::{ViewMode, Views};

use beside::beside;

/// Number of sandboxes in the table.
const SANDBOXES: u64 = 10_000;
/// Look-ups of each task.
const LOOK_UPS: u64 = 1_000;

fn key(number: u64) -> Key {
    Key::new("k8s.io", &format!("{number:064x}")).expect("a number in hex is an id")
}

fn open(dir: &Path) -> ResourceSlotSandboxer {
    let (journal, recovered) = Journal::open(dir, Options::default()).expect("it opens");
    let settings = settings();
    let views = Views::start(dir, ViewMode::Off).expect("views start");
    ResourceSlotSandboxer::new(journal, views, recovered.slots, settings, None).expect("it starts")
}

/// Measures rounds of concurrent tasks, each of which does [`LOOK_UPS`] look-ups.
fn tasks<F>(b: &mut Bencher, runtime: &Runtime, tasks: u64, look_up: F)
where
    F: Fn(&Key) + Clone + Send + 'static,
{
    let keys: Arc<Vec<Key>> = Arc::new((0..SANDBOXES).map(key).collect());
    b.iter_custom(|rounds| {
        runtime.block_on(async {
            let begun = Instant::now();
            for _ in 0..rounds {
                let mut all = JoinSet::new();
                for task in 0..tasks {
                    let (keys, look_up) = (Arc::clone(&keys), look_up.clone());
                    all.spawn(async move {
                        let from = usize::try_from(task * 151).unwrap_or(0);
                        let some = keys.iter().cycle().skip(from);
                        for key in some.take(usize::try_from(LOOK_UPS).unwrap_or(0)) {
                            look_up(black_box(key));
                        }
                    });
                }
                all.join_all().await;
            }
            begun.elapsed()
        })
    });
}

fn look_up(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let sandboxer = runtime.block_on(async {
        let sandboxer = Arc::new(open(dir.path()));
        for n in 0..SANDBOXES {
            let key = key(n);
            let create = sandboxer.create(&key, SandboxOptions::default());
            create.await.expect("there is room");
        }
        sandboxer
    });
    let map: HashMap<Key, Arc<u64>> = (0..SANDBOXES).map(|n| (key(n), Arc::new(n))).collect();
    let map = Arc::new(RwLock::new(map));
    for count in [1, 8, 64] {
        let mut group = c.benchmark_group(format!("slots/look_up_by_{count}_tasks"));
        group.throughput(Throughput::Elements(count * LOOK_UPS));
        let sandboxer = Arc::clone(&sandboxer);
        let map = Arc::clone(&map);
        beside(
            group,
            |b| {
                let sandboxer = Arc::clone(&sandboxer);
                tasks(b, &runtime, count, move |key| {
                    drop(black_box(sandboxer.sandbox(key).expect("it is there")));
                });
            },
            |b| {
                let map = Arc::clone(&map);
                tasks(b, &runtime, count, move |key| {
                    drop(black_box(
                        map.read().get(key).cloned().expect("it is there"),
                    ));
                });
            },
        );
    }
}

/// Measures creating, starting, stopping and deleting a sandbox, which is four records, beside
/// writing as many bytes.
fn whole(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let dir = tempfile::tempdir().expect("a directory");
    let sandboxer = runtime.block_on(async { open(dir.path()) });
    let key = key(1);
    let mut floor = File::create(dir.path().join("floor")).expect("there is room");
    let line = [b'x'; 160];
    beside(
        c.benchmark_group("slots/whole_sandbox"),
        |b| {
            b.iter(|| {
                runtime.block_on(async {
                    let create = sandboxer.create(&key, SandboxOptions::default());
                    create.await.expect("there is room");
                    sandboxer.start(&key).await.expect("there is room");
                    sandboxer.stop(&key, false).await.expect("there is room");
                    sandboxer.delete(&key).await.expect("there is room");
                });
            });
        },
        |b| {
            b.iter(|| {
                for _ in 0..4 {
                    floor.write_all(black_box(&line)).expect("there is room");
                }
            });
        },
    );
}

criterion_group!(benches, look_up, whole);
criterion_main!(benches);
