//! What it costs to keep state: appends in every sync mode, views, recovery;
//! each beside the plain file operations it cannot do without.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use containerd_sandbox::Key;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sandboxer::resource::ResourceInfo;
use sandboxer::slot::{Change, NewContainer, NewProcess, NewSandbox, ProcessId};
use sandboxer::store::{Journal, Options, Sync, ViewMode, ViewOp, Views};
use sandboxer::time::Timestamp;

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

fn append(c: &mut Criterion) {
    let mut group = c.benchmark_group("persistence/append");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    let change = container();
    let modes = [
        Sync::None,
        Sync::Interval(Duration::from_millis(10)),
        Sync::Always,
    ];
    for sync in modes {
        let dir = tempfile::tempdir().expect("a directory");
        let journal = open(dir.path(), sync);
        let key = key(1);
        group.bench_function(BenchmarkId::from_parameter(sync), |b| {
            b.iter(|| {
                let seq = journal
                    .append(&key, Timestamp::now(), black_box(&change))
                    .expect("there is room");
                runtime
                    .block_on(journal.durable(seq))
                    .expect("the disk is well");
            });
        });
    }

    let line = {
        let dir = tempfile::tempdir().expect("a directory");
        open(dir.path(), Sync::None)
            .append(&key(1), Timestamp::now(), &change)
            .expect("there is room");
        fs::read(dir.path().join(format!("journal/{:020}.jsonl", 1))).expect("a segment")
    };
    let dir = tempfile::tempdir().expect("a directory");
    let mut file = File::create(dir.path().join("f")).expect("a file");
    group.bench_function("floor_write", |b| {
        b.iter(|| file.write_all(black_box(&line)).expect("there is room"));
    });
    group.bench_function("floor_write_fdatasync", |b| {
        b.iter(|| {
            file.write_all(black_box(&line)).expect("there is room");
            file.sync_data().expect("the disk is well");
        });
    });
    group.finish();
}

fn views(c: &mut Criterion) {
    let mut group = c.benchmark_group("persistence/view");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    for (name, mode) in [
        ("write_through", ViewMode::WriteThrough),
        ("write_behind", ViewMode::WriteBehind),
        ("off", ViewMode::Off),
    ] {
        let dir = tempfile::tempdir().expect("a directory");
        let views = Views::start(dir.path(), mode).expect("views start");
        let key = key(1);
        group.bench_function(format!("{name}/create_and_remove"), |b| {
            b.iter(|| {
                let put = views.submit(ViewOp::Put {
                    key: key.clone(),
                    container: None,
                    info: black_box(INFO),
                });
                runtime.block_on(put.done()).expect("there is room");
                let remove = views.submit(ViewOp::Remove {
                    key: key.clone(),
                    container: None,
                });
                runtime.block_on(remove.done()).expect("it is there");
            });
        });
    }
    let dir = tempfile::tempdir().expect("a directory");
    let sandbox = dir.path().join("f".repeat(64));
    let text = serde_json::to_vec_pretty(&INFO).expect("numbers are JSON");
    group.bench_function("floor_mkdir_write_unlink_rmdir", |b| {
        b.iter(|| {
            fs::create_dir(&sandbox).expect("there is room");
            let file = sandbox.join("resource_info.json");
            fs::write(&file, black_box(&text)).expect("there is room");
            fs::remove_file(&file).expect("it is there");
            fs::remove_dir(&sandbox).expect("it is there");
        });
    });
    group.finish();
}

fn recovery(c: &mut Criterion) {
    const PODS: u64 = 1000;
    let mut group = c.benchmark_group("persistence/recovery");
    let dir = tempfile::tempdir().expect("a directory");
    let journal = open(dir.path(), Sync::None);
    for pod in 0..PODS {
        let start = Change::StartProcess(ProcessId::init(&"f".repeat(64)));
        for change in [create(), Change::Start, container(), start] {
            journal
                .append(&key(pod), Timestamp::now(), &change)
                .expect("there is room");
        }
    }
    drop(journal);
    group.throughput(Throughput::Elements(PODS));
    group.bench_function(format!("{PODS}_pods"), |b| {
        b.iter_batched(
            || (),
            |()| Journal::open(dir.path(), Options::default()).expect("it opens"),
            BatchSize::PerIteration,
        );
    });
    let segment = dir.path().join(format!("journal/{:020}.jsonl", 1));
    group.bench_function(format!("floor_read_and_parse_{PODS}_pods"), |b| {
        b.iter(|| {
            let text = fs::read_to_string(&segment).expect("a segment");
            text.lines()
                .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("a record"))
                .collect::<Vec<_>>()
        });
    });
    group.finish();
}

criterion_group!(benches, append, views, recovery);
criterion_main!(benches);
