//! Runs one of the pure paths a number of times, for a counter of instructions.
//!
//! `instructions NAME TIMES` runs a path; without arguments, the names are printed.

use std::collections::HashMap;
use std::hint::black_box;
use std::process::ExitCode;

use benches::inputs::{
    annotations, config, metadata, of_container, of_sandbox, spec_large, spec_v1, spec_v2,
};
use containerd_sandbox::{Key, Spec, check_id};
use cri_api::v1::PodSandboxConfig;
use kube_resources::Quantity;
use pod_resources::SandboxData;
use prost::Message;
use slot::Timestamp;
use slot::{Change, NewContainer, NewProcess, NewSandbox, ProcessId, Slot};

type Path = Box<dyn Fn()>;
type Make = fn() -> Path;

fn oci(bytes: Vec<u8>) -> Path {
    Box::new(move || {
        let spec: Spec = oci_config::from_slice(black_box(&bytes)).expect("sound");
        black_box(of_container(&spec));
    })
}

/// The paths, whose inputs are built only when they run: hash maps are seeded by process, so the
/// set-up of other paths would cost another number of instructions in each process.
const PATHS: [(&str, Make); 10] = [
    ("oci_v1", || oci(spec_v1())),
    ("oci_v2", || oci(spec_v2())),
    ("oci_64k", || oci(spec_large())),
    ("pod_of_all_sources", pod_of_all_sources),
    ("quantities", || Box::new(quantities)),
    ("id", id),
    ("key", key),
    ("slot_life", || Box::new(slot_life)),
    ("change_to_json", || Box::new(change_to_json)),
    ("change_from_json", || Box::new(change_from_json)),
];

fn pod_of_all_sources() -> Path {
    let encoded = config().encode_to_vec();
    let (annotations, metadata) = (annotations(), metadata());
    let none = HashMap::new();
    Box::new(move || {
        let config = PodSandboxConfig::decode(&*encoded).expect("sound");
        black_box(of_sandbox(&SandboxData {
            config: Some(&config),
            annotations: &annotations,
            record_labels: &none,
            record_metadata: Some(&metadata),
        }));
    })
}

fn quantities() {
    for text in ["128974848", "1500m", "2Gi", "0.123456789", "12e6"] {
        let _ = black_box(black_box(text).parse::<Quantity>());
    }
}

fn id() -> Path {
    let id = "0f".repeat(32);
    Box::new(move || check_id("id", black_box(&id)).expect("sound"))
}

fn key() -> Path {
    let id = "0f".repeat(32);
    Box::new(move || {
        black_box(Key::new("k8s.io", black_box(&id)).expect("sound"));
    })
}

fn container() -> Change {
    Change::CreateContainer(NewContainer {
        id: "c".to_owned(),
        bundle: "/run/containerd/c".to_owned(),
        process: NewProcess {
            pid: 4_194_306,
            ..NewProcess::default()
        },
        ..NewContainer::default()
    })
}

/// Takes a sandbox with a container through all states.
fn slot_life() {
    let at = Timestamp::default();
    let mut slot = Slot::new(NewSandbox::default(), at);
    let process = ProcessId::init("c");
    for change in [
        Change::Start,
        container(),
        Change::StartProcess(process.clone()),
        Change::Exit(process.clone(), 137),
        Change::DeleteProcess(process),
        Change::Stop(0),
    ] {
        slot.apply(black_box(change), at).expect("legal");
    }
    black_box(slot);
}

fn change_to_json() {
    black_box(serde_json::to_vec(&container()).expect("it is JSON"));
}

fn change_from_json() {
    const TEXT: &str = r#"{"create_container":{"id":"c","bundle":"/run/containerd/c","info":{"cpu_limit":2.0,"cpu_request":null,"memory_limit":2147483648,"memory_request":null,"pid_limit":1000,"storage_limit":null,"network_bandwidth":null},"process":{"pid":4194306}}}"#;
    black_box(serde_json::from_str::<Change>(black_box(TEXT)).expect("sound"));
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match &args[..] {
        [] => {
            for (name, _) in PATHS {
                println!("{name}");
            }
            ExitCode::SUCCESS
        }
        [name, times] => {
            let path = PATHS.iter().find(|(known, _)| known == name);
            let (Some((_, path)), Ok(times)) = (path, times.parse::<u32>()) else {
                eprintln!("no path is called {name}, or {times} is no number");
                return ExitCode::FAILURE;
            };
            let path = path();
            for _ in 0..times {
                path();
            }
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: instructions [NAME TIMES]");
            ExitCode::FAILURE
        }
    }
}
