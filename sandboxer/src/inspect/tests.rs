//! Tests of the output of `inspect`.

use std::path::Path;

use serde_json::{Value, json};

use super::*;
use journal::Journal;
use pod_resources::ResourceInfo;
use slot::{Change, NewContainer, NewProcess, NewSandbox, Pod, ProcessId, Slot};

const ID: &str = "0123456789abcdef";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_nanos(seconds * 1_000_000_000)
}

/// Writes a journal with a ready sandbox that has a running and an ended container, and
/// with a sandbox that has ended.
fn journal(dir: &Path) {
    let (journal, _) = Journal::open(dir, journal::Options::default()).unwrap();
    let first = containerd_sandbox::Key::new("k8s.io", ID).unwrap();
    let container = |id: &str, mebibytes: u64| {
        Change::CreateContainer(NewContainer {
            id: id.to_owned(),
            bundle: "/b".to_owned(),
            info: ResourceInfo {
                cpu_request: Some(0.25),
                memory_limit: Some(mebibytes << 20),
                pid_limit: Some(100),
                ..ResourceInfo::default()
            },
            process: NewProcess::default(),
            ..NewContainer::default()
        })
    };
    let create = Change::Create(NewSandbox {
        pid: 7,
        pod: Some(Pod {
            name: "web\u{1b}[2J".to_owned(),
            namespace: "shop".to_owned(),
            uid: "u".to_owned(),
            attempt: 0,
        }),
        ..NewSandbox::default()
    });
    for change in [
        create,
        Change::Start,
        container("one", 1024),
        container("two", 512),
        Change::StartProcess(ProcessId::init("one")),
        Change::Exit(ProcessId::init("two"), 3),
    ] {
        journal.append(&first, at(100), &change).unwrap();
    }
    let second = containerd_sandbox::Key::new("moby", "x").unwrap();
    let info = ResourceInfo {
        cpu_limit: Some(1.5),
        network_bandwidth: Some(10_000_000),
        storage_limit: Some(1_500_000_000),
        ..ResourceInfo::default()
    };
    let create = Change::Create(NewSandbox {
        info,
        ..NewSandbox::default()
    });
    for change in [create, Change::Stop(137)] {
        journal.append(&second, at(4_000), &change).unwrap();
    }
}

fn options(dir: &Path) -> Options {
    Options {
        dir: dir.to_owned(),
        json: false,
        containers: false,
        full_ids: false,
    }
}

fn table(options: &Options) -> Vec<String> {
    let mut out = Vec::new();
    table::write(
        &journal::read(&options.dir).unwrap(),
        options,
        at(7_300),
        &mut out,
    )
    .unwrap();
    let text = String::from_utf8(out).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn the_table_has_a_row_a_slot_and_totals() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path());
    let expected = [
        "NAMESPACE  ID             POD            STATE            AGE    CONTAINERS  CPU REQ/LIM  MEMORY REQ/LIM  PIDS  STORAGE  NETWORK",
        "k8s.io     0123456789abc  shop/web?[2J   ready            2h     1/2         0.5/-        -/1.5Gi         200   -        -",
        "moby       x              -              not ready (137)  55m    0/0         -/1.5        -/-             -     1.4Gi    10Mbit/s",
        "TOTAL      0                             created                 0/0         -/-          -/-             -     -        -",
        "TOTAL      1                             ready                   1/2         0.5/-        -/1.5Gi         200   -        -",
        "TOTAL      1                             not ready               0/0         -/1.5        -/-             -     1.4Gi    10Mbit/s",
        "TOTAL      2                             all                     1/2         0.5/1.5      -/1.5Gi         200   1.4Gi    10Mbit/s",
    ];
    let shown = table(&options(dir.path()));
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        shown.iter().map(|line| words(line)).collect::<Vec<_>>(),
        expected.map(words)
    );
    let column = |line: &String, word: &str| line.find(word).unwrap();
    assert_eq!(column(&shown[0], "CPU"), column(&shown[1], "0.5/-"));
    assert_eq!(column(&shown[0], "CPU"), column(&shown[6], "0.5/1.5"));
    assert!(
        shown
            .iter()
            .all(|line| !line.contains('\u{1b}') && !line.ends_with(' '))
    );
}

#[test]
fn containers_have_rows_of_their_own_if_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path());
    let options = Options {
        containers: true,
        full_ids: true,
        ..options(dir.path())
    };
    let shown = table(&options);
    assert!(shown[1].contains(ID));
    let words = |line: &str| {
        line.split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        words(&shown[2]),
        ["+", "one", "running", "0.25/-", "-/1Gi", "100", "-", "-"]
    );
    assert_eq!(
        words(&shown[3]),
        [
            "+", "two", "stopped", "(3)", "0.25/-", "-/512Mi", "100", "-", "-"
        ]
    );
}

#[test]
fn json_holds_everything() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path());
    let mut out = Vec::new();
    let options = Options {
        json: true,
        ..options(dir.path())
    };
    run(&options, &mut out).unwrap();
    let shown: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(shown["schema"], "resource-slot.inspect");
    assert_eq!(shown["schema_version"], 1);
    assert_eq!(
        shown["journal"],
        json!({
            "last_seq": 8, "snapshot": null, "segments": 1, "records": 8,
            "torn_bytes": 0, "damage": [],
        })
    );
    let slot = &shown["slots"][0];
    assert_eq!(
        (&slot["namespace"], &slot["id"]),
        (&json!("k8s.io"), &json!(ID))
    );
    assert_eq!(slot["resource_info"]["memory_limit"], json!(1536_u64 << 20));
    let parsed: Slot = serde_json::from_value(slot["slot"].clone()).unwrap();
    let key = containerd_sandbox::Key::new("k8s.io", ID).unwrap();
    assert_eq!(parsed, *journal::read(dir.path()).unwrap().slots[&key]);
    let totals: TotalsByState = serde_json::from_value(shown["totals"].clone()).unwrap();
    assert_eq!(
        (totals.ready.slots, totals.not_ready.slots, totals.all.slots),
        (1, 1, 2)
    );
    assert_eq!(
        (totals.all.containers, totals.all.containers_running),
        (2, 1)
    );
    assert_eq!(totals.all.resource_info.cpu_limit, Some(1.5));
    assert_eq!(totals.all.resource_info.cpu_request, Some(0.5));
}

#[test]
fn damage_is_shown_and_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    journal(dir.path());
    let segment = dir.path().join("journal/00000000000000000001.jsonl");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let shown = table(&options(dir.path()));
    assert!(
        shown
            .iter()
            .any(|line| line.starts_with("warning: ") && line.contains("line 1"))
    );
}

#[test]
fn a_directory_without_a_journal_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let error = run(&options(dir.path()), &mut Vec::new())
        .unwrap_err()
        .to_string();
    assert!(error.contains(dir.path().to_str().unwrap()), "{error}");
}
