//! `slotplan inventory`, by the program.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

const WEB: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 2
  template:
    spec:
      containers: [{name: app, resources: {requests: {cpu: 750m, memory: 1Gi}}}]
";

const NODE: &str = r#"{"apiVersion": "v1", "kind": "NodeList", "items": [{
  "metadata": {"name": "n1"}, "spec": {"unschedulable": true},
  "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110", "nvidia.com/gpu": "2"}}}]}"#;

const REST: &str = "
apiVersion: v1
kind: Service
metadata: {name: web}
---
apiVersion: v1
kind: LimitRange
metadata: {name: limits}
---
apiVersion: v1
kind: Pod
metadata: {name: old, creationTimestamp: 2026-01-01T00:00:00Z}
spec: {containers: [{name: a}], priorityClassName: gone}
status:
  phase: Succeeded
  containerStatuses: [{state: {terminated: {finishedAt: 2026-01-01T01:00:00Z}}}]
";

fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    let within = directory.path().join("b/c");
    fs::create_dir_all(&within).unwrap();
    fs::write(directory.path().join("b/web.yml"), WEB).unwrap();
    fs::write(within.join("nodes.json"), NODE).unwrap();
    fs::write(directory.path().join("a.yaml"), REST).unwrap();
    fs::write(directory.path().join("notes.txt"), "not read").unwrap();
    directory
}

fn slotplan(directory: &Path, args: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_slotplan"))
        .current_dir(directory)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn document(directory: &Path, args: &[&str]) -> Value {
    let all = [&["inventory", "--json"], args].concat();
    let output = slotplan(directory, &all, "");
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_directory_is_read_with_the_directories_within_it_in_order() {
    let directory = directory();
    let document = document(directory.path(), &["."]);
    let paths: Vec<_> = document["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|input| &input["path"])
        .collect();
    assert_eq!(paths, ["./a.yaml", "./b/c/nodes.json", "./b/web.yml"]);
    assert_eq!(document["pods"], 3);
    assert_eq!(document["nodes"], 1);
    assert_eq!(document["unschedulable_nodes"], 1);
    assert_eq!(
        document["requests"],
        json!({"cpu": 1500, "memory": 2_147_483_648_u64})
    );
    assert_eq!(document["peak"]["pods"], 3);
    assert_eq!(
        document["qos"],
        json!({"BestEffort": 1, "Burstable": 2, "Guaranteed": 0})
    );
    assert_eq!(document["shapes"][0]["allocatable"]["nvidia.com/gpu"], 2);
    assert_eq!(document["times"]["last_departure"], "2026-01-01T01:00:00Z");
    assert_eq!(
        document["assumptions"],
        json!(["priority class gone, which the input does not have, has the priority 0"])
    );
    assert_eq!(document["by_namespace_and_kind"][1]["kind"], "Deployment");
}

#[test]
fn the_table_has_the_sums_and_what_was_left_out() {
    let directory = directory();
    let output = slotplan(directory.path(), &["inventory", "--pods", "."], "");
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "pods                    3  1.5  2.00 GiB",
        "nodes                   1    4  8.00 GiB",
        "Classes of pods: 1 BestEffort, 2 Burstable",
        "shop       Deployment          1     2  1.5  2.00 GiB",
        "1        4  8.00 GiB   110  2 nvidia.com/gpu",
        "Departures: 1 pods, the last at 2026-01-01T01:00:00Z",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert!(text.contains("1 LimitRange"), "{text}");
    assert!(
        text.lines().any(|line| line.starts_with("default/old ")),
        "{text}"
    );
}

#[test]
fn options_take_a_part_of_their_inputs() {
    let directory = directory();
    let load = document(directory.path(), &["--load", "."]);
    assert_eq!((&load["pods"], &load["nodes"]), (&json!(3), &json!(0)));
    let nodes = document(directory.path(), &["--nodes", "."]);
    assert_eq!((&nodes["pods"], &nodes["nodes"]), (&json!(0), &json!(1)));
}

#[test]
fn standard_input_is_read_and_a_wrong_value_is_one_line() {
    let directory = TempDir::new().unwrap();
    let output = slotplan(directory.path(), &["inventory", "-", "--json"], WEB);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["pods"], 2);
    let wrong = WEB.replace("750m", "much");
    let output = slotplan(directory.path(), &["inventory", "-"], &wrong);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "slotplan: -:9: spec.template.spec.containers[0].resources.requests.cpu: \"much\": \
         not a quantity such as 500m, 1.5, 2Gi or 1e3\n"
    );
    let output = slotplan(directory.path(), &["inventory", "."], "");
    assert_eq!(output.status.code(), Some(1));
    let output = slotplan(directory.path(), &["inventory", "gone.yaml"], "");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let directory = directory();
    let run = || {
        slotplan(
            directory.path(),
            &["inventory", "--pods", "--json", "."],
            "",
        )
        .stdout
    };
    assert_eq!(run(), run());
}
