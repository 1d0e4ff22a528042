//! `loadgen run --spans` with a real containerd: its spans, those of the sandboxer, and the times of
//! CNI plugins, in one tree for each call.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tests::node::containerd;
use tests::{binary, read_json};

/// Plugin that takes 20 ms to add a pod to a network of no interface.
const PLUGIN: &str = r#"#!/bin/sh
case "$CNI_COMMAND" in
ADD)
    sleep 0.02
    printf '{"cniVersion":"1.0.0","interfaces":[{"name":"eth0","sandbox":"%s"}],' "$CNI_NETNS"
    printf '"ips":[{"address":"198.18.0.1/32","interface":0}]}'
    ;;
VERSION) printf '{"cniVersion":"1.0.0","supportedVersions":["1.0.0"]}' ;;
esac
"#;

const CONFIGURATION: &str =
    r#"{"cniVersion": "1.0.0", "name": "slow", "plugins": [{"type": "slow"}]}"#;

/// Behaviour of pods whose start takes 10 ms in the sandboxer.
const BEHAVIOUR: &str = "[defaults]\npod-start-delay = \"10ms\"\n";

fn loadgen(results: &Path, args: &[&str]) -> Output {
    Command::new(binary("loadgen"))
        .args(args)
        .arg("--results")
        .arg(results)
        .stdin(Stdio::null())
        .output()
        .expect("loadgen runs")
}

/// Returns the self time of a component in milliseconds per pod; 0 without one.
fn self_ms(components: &Value, name: &str) -> f64 {
    let components = components.as_array().expect("a list");
    let found = components.iter().find(|one| one["component"] == name);
    found.map_or(0.0, |one| one["self_ms_per_pod"].as_f64().expect("a time"))
}

fn call<'a>(spans: &'a Value, name: &str) -> &'a Value {
    let calls = spans["calls"].as_array().expect("a list");
    let found = calls.iter().find(|call| call["operation"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {calls:?}"))
}

#[test]
fn each_call_is_divided_among_the_components_of_the_node() {
    let Some(containerd) = containerd() else {
        return;
    };
    let work = tempfile::tempdir().unwrap();
    let [conf, bin, results] = ["conf", "bin", "results"].map(|name| {
        let dir = work.path().join(name);
        fs::create_dir(&dir).unwrap();
        dir
    });
    fs::write(conf.join("10-slow.conflist"), CONFIGURATION).unwrap();
    let plugin = bin.join("slow");
    fs::write(&plugin, PLUGIN).unwrap();
    fs::set_permissions(&plugin, fs::Permissions::from_mode(0o755)).unwrap();
    let behaviour = work.path().join("behaviour.toml");
    fs::write(&behaviour, BEHAVIOUR).unwrap();
    let files = work.path().join("files");
    fs::create_dir(&files).unwrap();

    let output = loadgen(
        &results,
        &[
            "run",
            "--spans",
            "--subject",
            &format!("containerd:{}", containerd.display()),
            "--network",
            "pod",
            "--cni-conf",
            conf.to_str().unwrap(),
            "--cni-bin",
            bin.to_str().unwrap(),
            &format!("--sandboxer-arg=--behaviour={}", behaviour.display()),
            "--files",
            files.to_str().unwrap(),
            "--pods",
            "12",
            "--containers",
            "1",
            "--concurrency",
            "2",
        ],
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    assert!(
        text.contains("where the time of a pod's calls goes, over 12 pods"),
        "{text}"
    );

    let saved = fs::read_dir(&results)
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let result = read_json(&saved.join("result.json"));
    let spans = &result["spans"];
    assert_eq!(
        (&spans["pods"], &spans["calls_without_spans"]),
        (&12.into(), &0.into()),
        "{shown}"
    );

    // What is told under each call adds up to its latency.
    for call in spans["calls"].as_array().unwrap() {
        let components = call["components"].as_array().unwrap().iter();
        let sum: f64 = components
            .map(|one| one["self_ms_per_pod"].as_f64().unwrap())
            .sum();
        let calls_per_pod = call["count"].as_f64().unwrap() / 12.0;
        let latency = call["mean_ms"].as_f64().unwrap() * calls_per_pod;
        assert!((sum / latency - 1.0).abs() < 0.01, "{sum} {latency} {call}");
    }

    // Sleeps are where they were put: no shorter, and in no other call.
    let run = &call(spans, "run_pod_sandbox")["components"];
    assert!(self_ms(run, "cni") >= 20.0, "{run}");
    assert!(self_ms(run, "sandboxer") >= 10.0, "{run}");
    for component in ["grpc", "cri", "metadata"] {
        assert!(self_ms(run, component) > 0.0, "{component} {run}");
    }
    for other in spans["calls"].as_array().unwrap() {
        let is_of_network = ["run_pod_sandbox", "stop_pod_sandbox", "remove_pod_sandbox"]
            .iter()
            .any(|name| other["operation"] == *name);
        assert!(
            is_of_network || self_ms(&other["components"], "cni") == 0.0,
            "{other}"
        );
    }
    // The calls of tasks carry containerd's trace context.
    let start = &call(spans, "start_container")["components"];
    assert!(self_ms(start, "sandboxer") > 0.0, "{start}");

    let waterfalls = spans["waterfalls"].as_array().unwrap();
    let of: Vec<_> = waterfalls
        .iter()
        .map(|one| one["of"].as_str().unwrap())
        .collect();
    assert_eq!(of, ["median", "slowest"]);
    let page = fs::read_to_string(saved.join("report.html")).unwrap();
    assert!(page.contains("Where the time goes"), "no section");
}

#[test]
fn spans_of_a_server_that_sends_none_are_refused() {
    let results = tempfile::tempdir().unwrap();
    let output = loadgen(results.path(), &["run", "--spans"]);
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(
        shown.contains("use --target cri without --endpoint"),
        "{shown}"
    );
}
