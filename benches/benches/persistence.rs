//! The cost of persistence: appends in each sync mode, views, recovery and snapshots. The floors
//! are the plain file operations that these need.

mod beside;

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use containerd_sandbox::Key;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use journal::{Journal, Options, Sync, read};
use pod_resources::ResourceInfo;
use serde::de::IgnoredAny;
use slot::Timestamp;
use slot::{Change, NewContainer, NewProcess, NewSandbox, ProcessId};
use views::{ViewMode, ViewOp, Views};

use beside::beside;

const INFO: ResourceInfo = ResourceInfo {
    cpu_limit: Some(2.0),
    cpu_request: Some(1.0),
    memory_limit: Some(2 << 30),
    memory_request: Some(1 << 30),
    pid_limit: Some(1000),
    storage_limit: None,
    network_bandwidth: None,
};

fn key(number: u64) -> Key {
    Key::new("k8s.io", &format!("{number:064x}")).expect("a number in hex is an id")
}

fn create() -> Change {
    Change::Create(NewSandbox {
        pid: 4_194_305,
        info: INFO,
        ..NewSandbox::default()
    })
}

fn container() -> Change {
    Change::CreateContainer(NewContainer {
        id: "f".repeat(64),
        bundle: "/run/containerd/io.containerd.runtime.v2.task/k8s.io/f".to_owned(),
        info: INFO,
        process: NewProcess {
            pid: 4_194_306,
            ..NewProcess::default()
        },
        ..NewContainer::default()
    })
}

fn open(dir: &Path, sync: Sync) -> Journal {
    let options = Options {
        sync,
        ..Options::default()
    };
    Journal::open(dir, options)
        .expect("a fresh journal opens")
        .0
}

/// Length at which the file of a floor starts over, in bytes: about the size of a compacted
/// journal.
const FLOOR_FILE: usize = 16 << 20;

/// A file that lines are appended to, and that starts over at a length.
struct Lines {
    file: File,
    written: usize,
}

impl Lines {
    fn new(path: &Path) -> Self {
        Self {
            file: File::create(path).expect("there is room"),
            written: 0,
        }
    }

    fn write(&mut self, line: &[u8]) {
        if self.written > FLOOR_FILE {
            self.file.set_len(0).expect("a file can be cut off");
            self.file.rewind().expect("a file has a beginning");
            self.written = 0;
        }
        self.file.write_all(line).expect("there is room");
        self.written += line.len();
    }
}

/// Returns the line of `change` in a journal, after the changes `before`.
fn line(before: &[Change], change: &Change) -> Vec<u8> {
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path(), Sync::None);
    for change in before.iter().chain([change]) {
        journal
            .append(&key(1), Timestamp::now(), change)
            .expect("there is room");
    }
    let text = fs::read_to_string(segment(dir.path())).expect("a segment");
    let last = text.lines().last().expect("a line");
    format!("{last}\n").into_bytes()
}

fn segment(dir: &Path) -> PathBuf {
    dir.join(format!("journal/{:020}.jsonl", 1))
}

fn append(c: &mut Criterion) {
    let runtime = runtime();
    let update = Change::UpdateContainer {
        container: "f".repeat(64),
        info: INFO,
        linux: None,
        cpu_quota: None,
    };
    let before = [create(), Change::Start, container()];
    let line = line(&before, &update);
    for (name, sync) in [
        ("none", Sync::None),
        ("interval", Sync::Interval(Duration::from_millis(10))),
        ("always", Sync::Always),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let key = key(1);
        let journal = open(dir.path(), sync);
        let append = |change: &Change| {
            let seq = journal
                .append(&key, Timestamp::now(), change)
                .expect("there is room");
            runtime
                .block_on(journal.durable(seq))
                .expect("the disk is well");
        };
        before.iter().for_each(append);
        let mut floor = Lines::new(&dir.path().join("floor"));
        beside(
            c.benchmark_group(format!("persistence/append_{name}")),
            |b| b.iter(|| append(black_box(&update))),
            |b| {
                b.iter(|| {
                    floor.write(black_box(&line));
                    if sync == Sync::Always {
                        floor.file.sync_data().expect("the disk is well");
                    }
                });
            },
        );
        // A journal with an illegal change could not be compacted and would not open.
        drop(journal);
        drop(open(dir.path(), sync));
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
}

/// Returns the operations that write a sandbox's view and remove it.
fn put_and_remove(key: &Key) -> [ViewOp; 2] {
    let put = ViewOp::Put {
        key: key.clone(),
        container: None,
        info: black_box(INFO),
    };
    let remove = ViewOp::Remove {
        key: key.clone(),
        container: None,
    };
    [put, remove]
}

/// Writes a sandbox's view and removes it, and waits for each operation.
fn show(views: &Views, runtime: &tokio::runtime::Runtime, key: &Key) {
    for op in put_and_remove(key) {
        runtime
            .block_on(views.submit(op).done())
            .expect("there is room");
    }
}

fn views(c: &mut Criterion) {
    let runtime = runtime();
    let key = key(1);
    let dir = tempfile::tempdir().expect("a directory");
    let start = |mode| Views::start(dir.path(), mode).expect("views start");

    let views = start(ViewMode::WriteThrough);
    let sandbox = dir.path().join("floor");
    let text = serde_json::to_vec_pretty(&INFO).expect("numbers are JSON");
    beside(
        c.benchmark_group("persistence/view_write_through"),
        |b| b.iter(|| show(&views, &runtime, &key)),
        |b| {
            b.iter(|| {
                fs::create_dir(&sandbox).expect("there is room");
                let file = sandbox.join("resource_info.json");
                fs::write(&file, black_box(&text)).expect("there is room");
                fs::remove_file(&file).expect("it is there");
                fs::remove_dir(&sandbox).expect("it is there");
            });
        },
    );
    drop(views);

    // Another thread writes the view later; the floor is a push to a shared queue.
    let views = start(ViewMode::WriteBehind);
    let place = Mutex::new(Vec::with_capacity(1 << 16));
    beside(
        c.benchmark_group("persistence/view_write_behind"),
        |b| b.iter(|| show(&views, &runtime, &key)),
        |b| {
            b.iter(|| {
                for op in put_and_remove(&key) {
                    let mut left = place.lock().expect("nothing panics in it");
                    if left.len() == left.capacity() {
                        left.clear();
                    }
                    left.push(op);
                }
            });
        },
    );
    drop(views);

    let views = start(ViewMode::Off);
    beside(
        c.benchmark_group("persistence/view_off"),
        |b| b.iter(|| show(&views, &runtime, &key)),
        |b| b.iter(|| put_and_remove(&key)),
    );
}

/// Writes a journal of this many pods, each with a running container.
fn journal_with(dir: &Path, pods: u64, options: Options) {
    let journal = Journal::open(dir, options)
        .expect("a fresh journal opens")
        .0;
    for pod in 0..pods {
        let start = Change::StartProcess(ProcessId::init(&"f".repeat(64)));
        for change in [create(), Change::Start, container(), start] {
            journal
                .append(&key(pod), Timestamp::now(), &change)
                .expect("there is room");
        }
    }
}

/// Options that never take a snapshot.
const UNCOMPACTED: Options = Options {
    sync: Sync::None,
    history: false,
    recover: false,
    compact_min_bytes: u64::MAX,
};

fn recovery(c: &mut Criterion) {
    for pods in [1_000, 10_000, 100_000] {
        let dir = tempfile::tempdir().expect("a directory");
        journal_with(dir.path(), pods, UNCOMPACTED);
        let segment = segment(dir.path());
        let mut group = c.benchmark_group(format!("persistence/recovery_{pods}_pods"));
        group.throughput(Throughput::Elements(pods));
        if pods > 1_000 {
            group.sample_size(10);
        }
        beside(
            group,
            |b| {
                b.iter_batched(
                    || (),
                    // As at a start, at the end of which a snapshot may follow.
                    |()| read(dir.path()).expect("it can be read"),
                    BatchSize::PerIteration,
                );
            },
            |b| {
                b.iter(|| {
                    let text = fs::read_to_string(&segment).expect("a segment");
                    for line in text.lines() {
                        let _: IgnoredAny = serde_json::from_str(line).expect("a record");
                    }
                });
            },
        );
    }
}

/// Measures a snapshot of ten thousand pods, from the start that requests it to its completion,
/// beside reading the same bytes and writing and syncing the bytes of the snapshot.
fn snapshot(c: &mut Criterion) {
    const PODS: u64 = 10_000;
    let made = tempfile::tempdir().expect("a directory");
    journal_with(made.path(), PODS, UNCOMPACTED);
    let whole = fs::read(segment(made.path())).expect("a segment");
    let fresh = || {
        let dir = tempfile::tempdir().expect("a directory");
        drop(Journal::open(dir.path(), UNCOMPACTED).expect("it opens"));
        fs::write(segment(dir.path()), &whole).expect("there is room");
        dir
    };
    let snapshotted = |dir: &Path| {
        let eager = Options {
            compact_min_bytes: 1,
            ..UNCOMPACTED
        };
        let (journal, recovered) = Journal::open(dir, eager).expect("it opens");
        while journal.stats().snapshots == 0 {
            std::thread::yield_now();
        }
        (
            journal.stats().snapshot_bytes.unwrap_or_default(),
            recovered,
        )
    };
    let (bytes, _) = snapshotted(fresh().path());
    let length = usize::try_from(bytes).expect("a snapshot fits into memory");
    let as_long = vec![b'x'; length];
    let mut group = c.benchmark_group(format!("persistence/snapshot_{PODS}_pods"));
    group.sample_size(10);
    beside(
        group,
        |b| {
            b.iter_batched(
                fresh,
                |dir| (snapshotted(dir.path()), dir),
                BatchSize::PerIteration,
            );
        },
        |b| {
            b.iter_batched(
                fresh,
                |dir| {
                    // The journal is read once at the start and twice for the snapshot.
                    for _ in 0..3 {
                        let text = fs::read_to_string(segment(dir.path())).expect("a segment");
                        for line in text.lines() {
                            let _: IgnoredAny = serde_json::from_str(line).expect("a record");
                        }
                    }
                    let mut file = File::create(dir.path().join("floor")).expect("there is room");
                    file.write_all(&as_long).expect("there is room");
                    file.sync_all().expect("the disk is well");
                    dir
                },
                BatchSize::PerIteration,
            );
        },
    );
}

// Appends come last, because the disk is still busy with their bytes afterwards.
criterion_group!(benches, views, recovery, snapshot, append);
criterion_main!(benches);
