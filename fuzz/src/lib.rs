//! Fuzz targets: one function for each decoder of input from outside. A function takes bytes and
//! must return without a panic; its assertions check properties of the decoder.
//!
//! `seeds/TARGET/` holds the seeds of each target. `tests/seeds.rs` replays them in each test run,
//! unchanged and with small changes. `make fuzz TARGET=journal` starts libFuzzer from them, by the
//! package `libfuzzer/`, which is no member of the workspace because it needs a nightly compiler.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use containerd_sandbox::server::fuzzed;
use containerd_sandbox::{LinuxResources, Spec};
use cri_api::v1::{ContainerConfig, PodSandboxConfig};
use inventory::InventoryBuilder;
use journal::{Journal, JournalError, Options, Sync};
use kube_resources::Quantity;
use loadgen::record::hdr_log::LogReader;
use loadgen::workload::scenario::Scenario;
use oci_config::{Details, Field};
use pod_resources::{
    ContainerData, Extraction, InvalidResource, OnInvalid, ResourceInfo, SandboxData,
};
use prost::Message;
use toy_userland as userland;

/// A fuzz target. Panics if it finds an error.
pub type Target = fn(&[u8]);

/// All targets by name.
pub const TARGETS: [(&str, Target); 13] = [
    ("annotations", annotations),
    ("connection", connection),
    ("container_config", container_config),
    ("grpc_connection", grpc_connection),
    ("hdr_log", hdr_log),
    ("inventory", inventory),
    ("journal", journal),
    ("oci_spec", oci_spec),
    ("quantity", quantity),
    ("result", result),
    ("sandbox_config", sandbox_config),
    ("scenario", scenario),
    ("spdy", spdy),
];

/// Extracts resources in both modes for invalid values and compares the results: without invalid
/// values they are equal, and otherwise one mode refuses and the other warns.
fn both(extract: impl Fn(OnInvalid) -> Result<Extraction, InvalidResource>) {
    let lenient = extract(OnInvalid::Warn).expect("nothing is refused with Warn");
    match extract(OnInvalid::Reject) {
        Ok(strict) => {
            assert_eq!(strict.info, lenient.info);
            assert_eq!((strict.warnings.len(), lenient.warnings.len()), (0, 0));
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            assert!(!lenient.warnings.is_empty());
        }
    }
}

/// Reads a manifest, a cluster dump or a trace, and makes the pods of its workloads.
fn inventory(bytes: &[u8]) {
    let mut builder = InventoryBuilder::new();
    builder.limit_pods(10_000);
    builder.keep_raw();
    let read = inventory::read(&mut builder, "input", &mut &bytes[..]);
    let error = read.err().or_else(|| builder.finish().err());
    if let Some(error) = error {
        assert!(!error.to_string().is_empty());
    }
}

/// Decodes annotations, given as lines of `name=value`.
fn annotations(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let annotations: HashMap<String, String> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    both(|on_invalid| {
        let data = ContainerData {
            linux: &Field::Absent,
            annotations: &annotations,
        };
        ResourceInfo::from_container_data(&data, on_invalid)
    });
}

/// Reads the bytes of a connection whole and in pieces, and compares the results. The first byte
/// is the size of the pieces.
fn connection(bytes: &[u8]) {
    let Some((&cut, sent)) = bytes.split_first() else {
        return;
    };
    let whole = fuzzed::connection(sent, usize::MAX);
    assert_eq!(fuzzed::connection(sent, usize::from(cut) + 1), whole);
}

/// Decodes a `ContainerConfig` of CRI.
fn container_config(bytes: &[u8]) {
    if let Ok(config) = ContainerConfig::decode(bytes) {
        both(|on_invalid| ResourceInfo::from_container_config(&config, on_invalid));
    }
}

/// Reads the bytes of a gRPC connection whole and in pieces, and compares the results.
fn grpc_connection(bytes: &[u8]) {
    let whole = fuzzed::grpc_connection(bytes, usize::MAX);
    for cut in [1, 9, 100] {
        assert_eq!(fuzzed::grpc_connection(bytes, cut), whole);
    }
}

/// Decodes a log of histograms.
fn hdr_log(bytes: &[u8]) {
    if let Ok(reader) = LogReader::new(Path::new("log"), bytes) {
        for interval in reader {
            if interval.is_err() {
                return;
            }
        }
    }
}

/// Opens a journal of a segment and, after a line `---`, a snapshot. A journal that `--recover`
/// has opened is no longer damaged, and a second start finds the same slots.
fn journal(bytes: &[u8]) {
    const BETWEEN: &[u8] = b"\n---\n";
    let at = bytes.windows(BETWEEN.len()).position(|w| w == BETWEEN);
    let (segment, snapshot) = match at {
        Some(at) => (&bytes[..=at], Some(&bytes[at + BETWEEN.len()..])),
        None => (bytes, None),
    };
    // In memory if possible, because the journal is synced often.
    let dir = tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .expect("a directory");
    let files = dir.path().join("journal");
    fs::create_dir(&files).expect("there is room");
    let write = |name: &str, bytes: &[u8]| {
        fs::write(files.join(name), bytes).expect("there is room");
    };
    match snapshot {
        Some(snapshot) => {
            write("00000000000000000004.jsonl", segment);
            write("00000000000000000003.snapshot.jsonl", snapshot);
        }
        None => write("00000000000000000001.jsonl", segment),
    }
    let options = |recover| Options {
        sync: Sync::None,
        recover,
        ..Options::default()
    };
    let seen = journal::read(dir.path());
    let slots = match Journal::open(dir.path(), options(true)) {
        Ok((_, recovered)) => recovered.slots,
        // A journal of an unknown version is left unchanged.
        Err(JournalError::Format { .. }) => return,
        Err(e) => panic!("it is not opened with --recover: {e}"),
    };
    let seen = seen.expect("what can be opened can be read");
    assert_eq!(seen.slots, slots);
    let (_, again) = Journal::open(dir.path(), options(false)).expect("it was recovered");
    assert_eq!(again.slots, slots);
}

/// Decodes the `config.json` of a bundle.
fn oci_spec(bytes: &[u8]) {
    let Ok(spec) = oci_config::from_slice::<Spec>(bytes) else {
        return;
    };
    both(|on_invalid| {
        let data = ContainerData {
            linux: &spec.linux,
            annotations: &spec.annotations,
        };
        ResourceInfo::from_container_data(&data, on_invalid)
    });
    let _ = userland::idle(&spec.process.args);
    let _ = oci_config::from_slice::<Details>(bytes);
    if let Ok(resources) = oci_config::from_slice::<LinuxResources>(bytes) {
        both(|on_invalid| ResourceInfo::default().updated_by(None, &resources, on_invalid));
    }
}

/// Parses a Kubernetes quantity.
fn quantity(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Quantity>() {
        Ok(quantity) => {
            // The whole number is the quantity rounded up.
            let (nanos, whole) = (quantity.nanos(), u128::from(quantity.whole()));
            assert!(whole * 1_000_000_000 >= nanos || quantity.whole() == u64::MAX);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Decodes a `result.json`.
fn result(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = loadgen::result::parse(&text);
    let _ = loadgen::result::schema_of(&text);
}

/// Decodes a `PodSandboxConfig` and, from the first brace on, a record of containerd in JSON.
fn sandbox_config(bytes: &[u8]) {
    let at = bytes.iter().position(|byte| *byte == b'{');
    let (config, record) = bytes.split_at(at.unwrap_or(bytes.len()));
    let config = PodSandboxConfig::decode(config).ok();
    let none = HashMap::new();
    both(|on_invalid| {
        let data = SandboxData {
            config: config.as_ref(),
            annotations: &none,
            record_metadata: (!record.is_empty()).then_some(record),
            record_labels: &none,
        };
        ResourceInfo::from_sandbox_data(&data, on_invalid)
    });
}

/// Parses a scenario. Its printed form must parse to the same scenario.
fn scenario(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(scenario) = Scenario::parse(&text, "scenario.toml") {
        let printed = scenario.to_string();
        let again = Scenario::parse(&printed, "printed.toml").expect(&printed);
        assert_eq!(again.to_string(), printed);
    }
}

/// Reads the bytes of a SPDY connection whole and in pieces, and compares the results.
fn spdy(bytes: &[u8]) {
    let whole = spdy::fuzzed::connection(bytes, usize::MAX);
    for cut in [1, 9, 100] {
        assert_eq!(spdy::fuzzed::connection(bytes, cut), whole);
    }
}

/// Runs the target of this name.
///
/// # Panics
/// If no target has this name, or it finds an error.
pub fn run(target: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    found.expect("the name of a target").1(bytes);
}
