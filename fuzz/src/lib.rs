//! What is fuzzed: everything that decodes what came from outside, by a function that
//! takes bytes. Each must come to an end without a panic, and with what it asserts.
//!
//! `seeds/TARGET/` holds where to start from, which a test replays, with small changes,
//! too. `make fuzz TARGET=journal` goes on from there.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use containerd_sandbox::Spec;
use containerd_sandbox::server::fuzzed;
use journal::{Journal, JournalError, Options, Sync};
use k8s_cri::v1::{ContainerConfig, PodSandboxConfig};
use loadgen::record::hdr_log::LogReader;
use loadgen::workload::scenario::Scenario;
use oci_spec::runtime::LinuxResources;
use pod_resources::{
    ContainerData, Extraction, InvalidResource, OnInvalid, Quantity, ResourceInfo, SandboxData,
};
use prost::Message;
use toy_userland as userland;

/// Takes bytes, and panics if it finds something.
pub type Target = fn(&[u8]);

/// What is fuzzed, by name.
pub const TARGETS: [(&str, Target); 10] = [
    ("annotations", annotations),
    ("connection", connection),
    ("container_config", container_config),
    ("hdr_log", hdr_log),
    ("journal", journal),
    ("oci_spec", oci_spec),
    ("quantity", quantity),
    ("result", result),
    ("sandbox_config", sandbox_config),
    ("scenario", scenario),
];

/// Both ways of taking what cannot be read agree on what can.
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

/// Lines of `name=value`.
fn annotations(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let annotations: HashMap<String, String> = pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    both(|on_invalid| {
        let data = ContainerData {
            resources: None,
            annotations: &annotations,
        };
        ResourceInfo::from_container_data(&data, on_invalid)
    });
}

/// The first byte says how the rest is cut when it is read; that makes no difference.
fn connection(bytes: &[u8]) {
    let Some((&cut, said)) = bytes.split_first() else {
        return;
    };
    let whole = fuzzed::connection(said, usize::MAX);
    assert_eq!(fuzzed::connection(said, usize::from(cut) + 1), whole);
}

/// An encoded `ContainerConfig` of CRI.
fn container_config(bytes: &[u8]) {
    if let Ok(config) = ContainerConfig::decode(bytes) {
        both(|on_invalid| ResourceInfo::from_container_config(&config, on_invalid));
    }
}

/// A log of histograms.
fn hdr_log(bytes: &[u8]) {
    if let Ok(reader) = LogReader::new(Path::new("log"), bytes) {
        for interval in reader {
            if interval.is_err() {
                return;
            }
        }
    }
}

/// A segment and a snapshot, with a line `---` between them. What `--recover` opens is not
/// damaged any more, and holds the same afterwards.
fn journal(bytes: &[u8]) {
    const BETWEEN: &[u8] = b"\n---\n";
    let at = bytes.windows(BETWEEN.len()).position(|w| w == BETWEEN);
    let (segment, snapshot) = match at {
        Some(at) => (&bytes[..=at], Some(&bytes[at + BETWEEN.len()..])),
        None => (bytes, None),
    };
    // In memory, if there is room: it is synced often.
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
        // Of a version that is not known, nothing is touched.
        Err(JournalError::Format { .. }) => return,
        Err(e) => panic!("it is not opened with --recover: {e}"),
    };
    let seen = seen.expect("what can be opened can be read");
    assert_eq!(seen.slots, slots);
    let (_, again) = Journal::open(dir.path(), options(false)).expect("it was recovered");
    assert_eq!(again.slots, slots);
}

/// The `config.json` of a bundle.
fn oci_spec(bytes: &[u8]) {
    let Ok(spec) = serde_json::from_slice::<Spec>(bytes) else {
        return;
    };
    both(|on_invalid| {
        let data = ContainerData {
            resources: spec.resources(),
            annotations: &spec.annotations,
        };
        ResourceInfo::from_container_data(&data, on_invalid)
    });
    if let Some(process) = &spec.process {
        let _ = userland::idle(&process.args);
    }
    if let Ok(resources) = serde_json::from_slice::<LinuxResources>(bytes) {
        both(|on_invalid| ResourceInfo::default().updated_by(&resources, on_invalid));
    }
}

/// A quantity of Kubernetes.
fn quantity(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match text.parse::<Quantity>() {
        Ok(quantity) => {
            // A whole number is at least the nanos it stands for, and less than one above.
            let (nanos, whole) = (quantity.nanos(), u128::from(quantity.whole()));
            assert!(whole * 1_000_000_000 >= nanos || quantity.whole() == u64::MAX);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// A `result.json`.
fn result(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let _ = loadgen::result::parse(&text);
    let _ = loadgen::result::schema_of(&text);
}

/// An encoded `PodSandboxConfig`, and behind it a record as containerd stores it, in JSON.
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

/// A scenario, which is printed as it was read.
fn scenario(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(scenario) = Scenario::parse(&text, "scenario.toml") {
        let printed = scenario.to_string();
        let again = Scenario::parse(&printed, "printed.toml").expect(&printed);
        assert_eq!(again.to_string(), printed);
    }
}

/// Runs one by its name.
///
/// # Panics
/// If there is none of this name, or it found something.
pub fn run(target: &str, bytes: &[u8]) {
    let found = TARGETS.iter().find(|(name, _)| *name == target);
    found.expect("the name of a target").1(bytes);
}
