//! Documents of the shipped program, checked by the schemas that it prints and by a validator of
//! another author.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use jsonschema::Validator;
use serde_json::Value;
use testing::journal::JournalWriter;

/// Objects whose keys are names of resources, nodes, classes or plugins.
const MAPS: [&str; 10] = [
    "allocatable",
    "capacity",
    "limits",
    "memory_requests_from",
    "nodes",
    "packing",
    "qos",
    "requested",
    "requests",
    "scores",
];

/// Returns the path of a file of the example.
fn example(name: &str) -> PathBuf {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/planning");
    examples.join(format!("{name}.yaml"))
}

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        let dir = Self(tempfile::tempdir().unwrap());
        let mut journal = String::new();
        JournalWriter::default().write(&mut journal, 0..20);
        fs::create_dir(dir.path("journal")).unwrap();
        dir.write("journal/00000000000000000001.jsonl", &journal);
        let mut usage = "time,namespace,pod,container,cpu_millicores,memory_bytes\n".to_owned();
        for minute in 0..3_000_i64 {
            let time = 1_767_225_600 + minute * 60;
            let cpu = 300 + minute % 500;
            writeln!(usage, "{time},shop,db-0,db,{cpu},{}", (minute + 64) << 20).unwrap();
            writeln!(usage, "{time},shop,web-00000,web,{cpu},{}", 64 << 20).unwrap();
        }
        dir.write("usage.csv", &usage);
        let example = |name: &str| fs::read_to_string(example(name)).unwrap();
        let before = format!("{}\n---\n{}", example("shop"), example("nodes"));
        dir.write("before.yaml", &before);
        dir.write("after.yaml", &before.replace("cpu: 900m", "cpu: 2"));
        dir
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// Runs `slotplan`; `{shop}`, `{nodes}` and `{policies}` are files of the example.
    fn output(&self, line: &str) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_slotplan"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SLOTPLAN_") {
                command.env_remove(name);
            }
        }
        command.current_dir(self.0.path());
        for word in line.split(' ') {
            let name = word
                .strip_prefix('{')
                .and_then(|word| word.strip_suffix('}'));
            match name {
                Some(name) => command.arg(example(name)),
                None => command.arg(word),
            };
        }
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 3)), "{line}: {code:?} {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.output(line)).unwrap()
    }

    fn validator(&self, name: &str) -> Validator {
        jsonschema::validator_for(&self.json(&format!("schema {name}"))).unwrap()
    }
}

/// Command lines with the name of the schema of their documents.
const LINES: [(&str, &str); 24] = [
    ("inventory", "inventory {shop} {nodes} {policies} --pods"),
    ("inventory", "inventory --history journal --usage usage.csv"),
    ("schedule", "schedule {shop} {nodes}"),
    (
        "schedule",
        "schedule {shop} {nodes} --compare-schedulers --ties seed=7",
    ),
    (
        "schedule-explain",
        "schedule {shop} {nodes} --explain shop/db-2",
    ),
    (
        "schedule-explain",
        "schedule {shop} {nodes} --explain shop/web-00000",
    ),
    (
        "schedule-over-time",
        "schedule --over-time --history journal {nodes}",
    ),
    (
        "capacity",
        "capacity {shop} --node 8c,32Gi,58pods,price=0.40,zone=a:b",
    ),
    (
        "capacity",
        "capacity {shop} --node 8c,32Gi,58pods,price=0.40 --node 4c,16Gi,58pods,price=0.21",
    ),
    (
        "capacity",
        "capacity {shop} {nodes} --node 1c,1Gi --max-nodes 1",
    ),
    ("capacity", "capacity --history journal --node 4c,8Gi"),
    ("fit", "fit {shop} {nodes} --pod-shape 100m,128Mi"),
    ("fit", "fit {shop} {nodes} --pod-shape 100m,128Mi --limit 2"),
    ("profile", "profile {shop} --usage usage.csv"),
    (
        "profile",
        "profile {shop} --usage usage.csv --strategy percentile=95",
    ),
    ("policy", "policy {shop} {policies}"),
    ("policy", "policy {shop} {nodes}"),
    ("policy", "policy {shop} {policies} --usage usage.csv"),
    ("cost", "cost {shop} {nodes} --by label:team --budget 10"),
    (
        "cost",
        "cost {shop} {nodes} --usage usage.csv --node 8c,32Gi,58pods,price=0.40",
    ),
    ("diff", "diff before.yaml after.yaml"),
    ("diff", "diff cost.json cost.json"),
    (
        "export",
        "export {shop} {nodes} --csv csv --parquet parquet --emit-trace traces",
    ),
    (
        "export",
        "export {shop} {nodes} --result cost.json --csv csv2",
    ),
];

/// Returns the places and reasons of the errors of a document.
fn errors(validator: &Validator, document: &Value) -> Vec<String> {
    validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}

/// Calls a function with the place of every field of a document.
fn fields(value: &Value, place: &str, visit: &mut impl FnMut(&str, &str)) {
    match value {
        Value::Object(fields_of) => {
            for (name, field) in fields_of {
                visit(place, name);
                fields(field, &format!("{place}/{name}"), visit);
            }
        }
        // The items of an array are alike.
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate().take(1) {
                fields(item, &format!("{place}/{number}"), visit);
            }
        }
        _ => {}
    }
}

#[test]
fn the_documents_of_every_command_are_valid() {
    let dir = Dir::new();
    dir.write("cost.json", &dir.output("cost {shop} {nodes} --json"));
    let mut seen = std::collections::BTreeSet::new();
    for (name, line) in LINES {
        let document = dir.json(&format!("{line} --json"));
        let found = errors(&dir.validator(name), &document);
        assert!(found.is_empty(), "{line}: {found:?}");
        seen.insert(document["schema"].as_str().unwrap().to_owned());
    }
    let all = dir.output("schema");
    let all = all.lines().map(str::to_owned).collect();
    assert_eq!(seen, all);
}

#[test]
fn a_misspelt_field_is_noticed_wherever_it_is() {
    let dir = Dir::new();
    dir.write("cost.json", &dir.output("cost {shop} {nodes} --json"));
    let mut noticed = 0;
    for (name, line) in LINES {
        // Directories of an export must be new.
        if name == "export" {
            continue;
        }
        let document = dir.json(&format!("{line} --json"));
        let validator = dir.validator(name);
        let mut places = Vec::new();
        fields(&document, "", &mut |place, field| {
            places.push((place.to_owned(), field.to_owned()));
        });
        for (place, field) in places {
            let parent = place.rsplit('/').next().unwrap_or_default();
            if MAPS.contains(&parent) {
                continue;
            }
            let mut changed = document.clone();
            let object = changed.pointer_mut(&place).unwrap();
            let object = object.as_object_mut().unwrap();
            let value = object.remove(&field).unwrap();
            object.insert(format!("{field}_"), value);
            let found = errors(&validator, &changed);
            assert!(!found.is_empty(), "{line}: {place}/{field}");
            noticed += 1;
        }
    }
    assert!(noticed > 300, "{noticed}");
}

#[test]
fn the_document_of_another_command_or_version_is_refused() {
    let dir = Dir::new();
    let mut document = dir.json("fit {shop} {nodes} --pod-shape 1,1Gi --json");
    assert!(!dir.validator("inventory").is_valid(&document));
    document["schema"] = "slotplan/fit/2".into();
    assert!(errors(&dir.validator("fit"), &document)[0].starts_with("/schema: "));
}

#[test]
fn costs_beyond_64_bits_in_billionths_are_null() {
    let dir = Dir::new();
    let line = "cost {shop} {nodes} --node-price n1=1000000000000 --json";
    let document = dir.json(line);
    assert!(
        document["total"]["total"].as_f64().unwrap() > 1e13,
        "{document}"
    );
    assert_eq!(document["total"]["total_nano"], Value::Null);
    let found = errors(&dir.validator("cost"), &document);
    assert!(found.is_empty(), "{found:?}");
}
