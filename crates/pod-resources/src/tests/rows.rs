//! Specs and pod configurations as containerd, kubelet, docker, crictl and other clients write
//! them: one named row each, in `../fixtures`.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    /// `linux.resources` of a container, or all of `linux` of a pod.
    #[serde(default)]
    linux: Option<Value>,
    #[serde(default = "nothing")]
    annotations: Value,
    expected: ResourceInfo,
}

fn nothing() -> Value {
    json!({})
}

fn container_rows() -> Vec<Row> {
    serde_json::from_str(include_str!("../fixtures/containers.json")).unwrap()
}

fn pod_rows() -> Vec<Row> {
    serde_json::from_str(include_str!("../fixtures/pods.json")).unwrap()
}

#[test]
fn containers_state_what_their_specs_say() {
    for row in container_rows() {
        let spec = spec(&row.linux.unwrap_or_else(nothing), &row.annotations);
        for on_invalid in [OnInvalid::Reject, OnInvalid::Warn] {
            let found = extract_container(&spec, on_invalid).unwrap();
            assert_eq!(found.info, row.expected, "{}", row.name);
            assert_eq!(found.warnings, [], "{}", row.name);
        }
    }
}

#[test]
fn pods_state_the_same_in_their_configuration_and_in_containerds_record() {
    for row in pod_rows() {
        let linux = row.linux.unwrap_or(Value::Null);
        let config = Some(pod_config(&linux, &row.annotations));
        let record = Some(record(&linux, &row.annotations));
        let expected = row.expected;
        let only_config = Sandbox {
            config: config.clone(),
            ..Sandbox::default()
        };
        assert_eq!(only_config.info(), expected, "{}, configuration", row.name);
        let only_record = Sandbox {
            record: record.clone(),
            ..Sandbox::default()
        };
        assert_eq!(only_record.info(), expected, "{}, record", row.name);
        let both = Sandbox {
            config,
            record,
            ..Sandbox::default()
        };
        assert_eq!(both.info(), expected, "{}, both", row.name);
    }
}

#[test]
fn every_row_has_a_name_of_its_own() {
    let rows: Vec<_> = container_rows().into_iter().chain(pod_rows()).collect();
    let names: HashSet<_> = rows.iter().map(|row| &row.name).collect();
    assert_eq!(names.len(), rows.len());
    assert!(rows.len() >= 40, "{}", rows.len());
}

#[test]
fn each_source_of_a_sandbox_comes_before_the_next() {
    let limit = |cores: &str| json!({"resources.limits.cpu": cores});
    let mut sandbox = Sandbox {
        config: Some(pod_config(
            &json!({"resources": {"cpu_quota": 100_000}}),
            &limit("2"),
        )),
        annotations: map(limit("3")),
        labels: map(limit("6")),
        record: Some(record(
            &json!({"resources": {"cpu_quota": 400_000}}),
            &limit("5"),
        )),
    };
    let mut seen = vec![sandbox.info().cpu_limit];
    sandbox.config.as_mut().unwrap().linux = None;
    seen.push(sandbox.info().cpu_limit);
    sandbox.config = None;
    seen.push(sandbox.info().cpu_limit);
    sandbox.annotations.clear();
    seen.push(sandbox.info().cpu_limit);
    sandbox.record = Some(record(&Value::Null, &limit("5")));
    seen.push(sandbox.info().cpu_limit);
    sandbox.record = None;
    seen.push(sandbox.info().cpu_limit);
    sandbox.labels.clear();
    seen.push(sandbox.info().cpu_limit);
    let expected = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0].map(Some);
    assert_eq!(seen[..6], expected);
    assert_eq!(seen[6], None);
}
