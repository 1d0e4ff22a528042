//! `loadgen` with a sandboxer or a whole node of its own: the files and processes that it leaves.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::place::{Place, entries, plan_hash};
use tests::{binary, eventually, read_json, run};

const PODS: &str = "30";

#[test]
fn a_run_is_good_and_leaves_nothing_but_its_result() {
    let place = Place::new();
    let result = place.good(&mut place.command(&["--pods", PODS]));
    assert_eq!(result["complete"], true);
    assert_eq!(result["valid"], true, "{}", result["reasons"]);
    assert_eq!(result["totals"]["pods"], 30);
    assert_eq!(result["totals"]["errors"], 0);
    assert_eq!(result["totals"]["pods_left_behind"], 0);
    assert_eq!(result["errors"], serde_json::json!([]));
    assert!(result["totals"]["rpcs"].as_u64() > Some(30 * 10));

    place.assert_empty();
}

/// Returns a containerd; or `None`, and prints that the test is skipped.
fn containerd() -> Option<PathBuf> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/containerd");
    let output = Command::new(script).output().expect("the script runs");
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        eprintln!("SKIPPED: there is no containerd to test with: {why}");
        return None;
    }
    let path = String::from_utf8(output.stdout).expect("a path is text");
    Some(path.trim_end().into())
}

fn operations(result: &Value) -> Vec<&str> {
    let operations = result["operations"].as_array().expect("a list");
    operations
        .iter()
        .map(|operation| operation["operation"].as_str().expect("a name"))
        .collect()
}

fn roles(processes: &Value) -> Vec<&str> {
    let processes = processes.as_array().expect("a list");
    processes
        .iter()
        .map(|process| process["role"].as_str().expect("a name"))
        .collect()
}

/// Asserts that each call but the Wait of a task has a time on the wire.
fn assert_wire(result: &Value) {
    let counts = |field: &str| -> Vec<(String, u64)> {
        let all = result[field].as_array().expect("a list").iter();
        let some = all.filter(|one| one["operation"] != "task_wait");
        some.map(|one| {
            (
                one["operation"].to_string(),
                one["count"].as_u64().expect("a count"),
            )
        })
        .collect()
    };
    assert_eq!(counts("wire"), counts("operations"));
}

#[test]
fn the_same_plan_runs_as_containerd_calls_a_sandboxer() {
    let place = Place::new();
    let result = place.good(&mut place.command(&["--pods", PODS, "--target", "controller"]));
    assert_eq!(result["totals"]["pods"], 30);
    assert_eq!(result["scenario"]["target"], "controller");
    assert_eq!(result["plan_hash"], plan_hash(&["--pods", PODS]));
    assert!(operations(&result).contains(&"sandbox_create"));
    assert_wire(&result);
    place.assert_empty();
}

#[test]
fn the_same_plan_runs_over_cri_through_containerd() {
    let Some(containerd) = containerd() else {
        return;
    };
    let place = Place::new();
    let mut command = place.command(&["--pods", "20", "--concurrency", "8", "--target", "cri"]);
    let result = place.good(command.arg("--containerd").arg(containerd));
    assert_eq!(result["valid"], true, "{}", result["reasons"]);
    assert_eq!(result["totals"]["pods"], 20);
    assert_eq!(result["totals"]["errors"], 0);
    assert_wire(&result);
    assert_eq!(
        result["notes"],
        serde_json::json!([]),
        "everything is compared"
    );
    assert_eq!(result["plan_hash"], plan_hash(&["--pods", "20"]));
    let shown = operations(&result);
    assert!(
        shown.contains(&"run_pod_sandbox") && !shown.contains(&"sandbox_create"),
        "{shown:?}"
    );
    assert_eq!(
        roles(&result["processes"]),
        ["sandboxer", "containerd", "loadgen"]
    );
    let runs = entries(place.results.path());
    assert!(runs[0].join("containerd.log").exists());
    place.assert_empty();
}

#[test]
fn overhead_shares_a_pods_time_out_to_the_last_percent() {
    let Some(containerd) = containerd() else {
        return;
    };
    let place = Place::new();
    let mut command = place.loadgen("overhead", &["--pods", "3", "--rounds", "2"]);
    command.arg("--no-progress").arg("--containerd");
    let output = command.arg(containerd).output().expect("loadgen runs");
    // The order of the layers depends on the machine. Without --bar no bar is missed, although a
    // debug build needs more CPU time than the bars allow.
    let code = output.status.code();
    let shown = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(code, Some(0 | 4)), "{code:?}: {shown}");

    let saved = place.saved();
    let result = read_json(&saved.join("result.json"));
    assert_eq!(result["schema"], "resource-slot.loadgen.overhead");
    assert_eq!(result["complete"], true);
    assert_eq!(result["errors"], serde_json::json!([]));
    assert_eq!(result["bars"], serde_json::json!([]));
    let shares = result["shares"].as_array().expect("a list");
    let sum: f64 = shares
        .iter()
        .map(|share| share["share"].as_f64().expect("a number"))
        .sum();
    assert!(shares.len() == 3 && (sum - 1.0).abs() < 1e-9, "{shares:?}");
    for layer in result["layers"].as_array().expect("a list") {
        let pods = &layer["operations"].as_array().expect("a list");
        assert_eq!(pods.last().expect("pods")["count"], 6, "{layer}");
    }
    assert_eq!(
        roles(&result["layers"][2]["processes"]),
        ["sandboxer", "loadgen"]
    );
    assert_eq!(
        roles(&result["layers"][3]["processes"]),
        ["sandboxer", "containerd", "shims", "loadgen"]
    );
    let cost = &result["containerd_cost"];
    assert!(cost["ms"].as_f64() > Some(0.0), "{cost}");
    let table = fs::read_to_string(saved.join("overhead.txt")).expect("a table");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(printed.starts_with(&table), "{printed}");
    place.assert_empty();
}

#[test]
fn overhead_checks_its_bars_on_request() {
    let Some(containerd) = containerd() else {
        return;
    };
    let place = Place::new();
    let args = ["--bar", "--pods", "1", "--rounds", "1", "--no-progress"];
    let mut command = place.loadgen("overhead", &args);
    let output = command.arg("--containerd").arg(containerd).output();
    let output = output.expect("loadgen runs");
    let shown = String::from_utf8_lossy(&output.stderr);
    let result = read_json(&place.saved().join("result.json"));
    let bars = result["bars"].as_array().expect("a list");
    assert_eq!(bars.len(), 2, "{shown}");
    let is_met = bars.iter().all(|bar| bar["met"] == true);
    // A single round may not be valid, which comes before a missed bar.
    let code = output.status.code();
    let expected = if is_met { 0 } else { 3 };
    assert!(
        code == Some(expected) || code == Some(4),
        "{code:?}: {shown}"
    );
    place.assert_empty();
}

#[test]
fn overhead_measures_without_containerd() {
    let place = Place::new();
    let args = ["--pods", "3", "--rounds", "2", "--no-containerd"];
    let mut command = place.loadgen("overhead", &args);
    let output = command.arg("--no-progress").output().expect("loadgen runs");
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{shown}");
    let result = read_json(&place.saved().join("result.json"));
    assert_eq!(result["complete"], true);
    assert_eq!(result["scenario"]["containerd"], Value::Null);
    let layers = result["layers"].as_array().expect("a list");
    let names: Vec<_> = layers.iter().map(|layer| &layer["layer"]).collect();
    assert_eq!(names, ["floor", "direct", "cri"]);
    for layer in layers {
        let pods = layer["operations"].as_array().expect("a list").last();
        assert_eq!(pods.expect("pods")["count"], 6, "{layer}");
    }
    assert_eq!(result["shares"], serde_json::json!([]));
    assert_eq!(result["containerd_cost"], Value::Null);
    assert_eq!(result["bars"], serde_json::json!([]));
    place.assert_empty();
}

#[test]
fn an_interrupted_measurement_leaves_nothing_but_a_partial_result() {
    let Some(containerd) = containerd() else {
        return;
    };
    let place = Place::new();
    let mut loadgen = place
        .loadgen("overhead", &["--pods", "1000", "--rounds", "1000"])
        .arg("--containerd")
        .arg(containerd)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("loadgen starts");
    let said = loadgen.stderr.take().expect("a pipe");
    let mut lines = BufReader::new(said).lines();
    let begun = |line: &String| line.starts_with("Round 1 of 1000");
    assert!(
        lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| begun(&line))
    );
    kill_process(Pid::from_child(&loadgen), Signal::INT).expect("it runs");
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let status = loadgen.wait().expect("a child can be waited for");
    assert_eq!(status.code(), Some(4), "{rest:?}");
    let result = read_json(&place.saved().join("result.json"));
    assert_eq!(result["complete"], false);
    assert_eq!(result["errors"], serde_json::json!([]));
    place.assert_empty();
}

#[test]
fn equal_seeds_give_equal_plans() {
    let hash = |seed| {
        let place = Place::new();
        let result = place.good(&mut place.command(&["--pods", PODS, "--seed", seed]));
        let hash = result["plan_hash"].as_str().expect("a hash").to_owned();
        assert_eq!(hash, plan_hash(&["--pods", PODS, "--seed", seed]));
        hash
    };
    let seven = hash("7");
    assert_eq!(seven, hash("7"));
    assert_ne!(seven, hash("8"));
}

#[test]
fn a_load_begins_at_its_time_or_not_at_all() {
    let place = Place::new();
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(4);
    let at = humantime::format_rfc3339_millis(soon).to_string();
    let result = place.good(&mut place.command(&["--pods", PODS, "--start-at", &at]));
    let begun = result["started_at"].as_str().expect("a time");
    assert!(*begun >= at[..19], "{begun} {at}");

    let output = place
        .command(&["--start-at", "2020-01-01T00:00:00Z"])
        .output();
    let output = output.expect("loadgen runs");
    let shown = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(shown.contains("2020-01-01T00:00:00Z has passed"), "{shown}");
}

#[test]
fn the_environment_does_not_reach_the_sandboxer() {
    const VARIABLE: (&str, &str) = ("RESOURCE_SLOT_SYNC", "nonsense");
    let place = Place::new();
    let output = Command::new(binary("resource-slot-sandboxer"))
        .args(["--listen", "/dev/null/socket", "--dir", "/dev/null/dir"])
        .env(VARIABLE.0, VARIABLE.1)
        .output()
        .expect("the sandboxer runs");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && complaint.contains(VARIABLE.1),
        "{complaint}"
    );

    let mut command = place.command(&["--pods", PODS]);
    place.good(command.env(VARIABLE.0, VARIABLE.1));
}

#[test]
fn a_killed_loadgen_leaves_no_process_and_its_files_go_with_the_next_run() {
    let place = Place::new();
    // No container ends by itself during this test.
    let mut loadgen = place
        .command(&[
            "--pods",
            PODS,
            "--timeout",
            "1h",
            "--sandboxer-arg=--exit-delay=1h",
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("loadgen starts");
    let bundle = place.bundle();

    assert_eq!(loadgen.try_wait().expect("a child"), None, "it still runs");
    loadgen.kill().expect("a child can be killed");
    loadgen.wait().expect("a child can be waited for");
    eventually("the sandboxer to end, too", || {
        place.sandboxers().is_empty().then_some(())
    });
    // After SIGKILL no file is removed, and the bundles may be in memory.
    let bundles = bundle.parent().expect("a bundle lies in a directory");
    assert!(bundles.exists() && !entries(place.temporary.path()).is_empty());
    place.good(&mut place.command(&["--pods", PODS]));
    assert!(!bundles.exists(), "{}", bundles.display());
    place.assert_empty();
}

#[test]
fn a_killed_loadgen_leaves_no_containerd_and_its_files_go_with_the_next_run() {
    let Some(containerd) = containerd() else {
        return;
    };
    let place = Place::new();
    let args = ["--target", "cri", "--pods", "3000", "--concurrency", "4"];
    let mut loadgen = place
        .command(&args)
        .env("CONTAINERD_BIN", &containerd)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("loadgen starts");
    place.first_view();
    loadgen.kill().expect("a child can be killed");
    loadgen.wait().expect("a child can be waited for");
    eventually("both programs to end, too", || {
        place.processes().is_empty().then_some(())
    });
    assert!(!entries(place.temporary.path()).is_empty());
    place.good(&mut place.command(&["--pods", PODS]));
    place.assert_empty();
}

#[test]
fn a_directory_that_is_too_deep_for_sockets_is_told_with_the_limit() {
    let place = Place::new();
    let deep = place.temporary.path().join("d".repeat(100));
    fs::create_dir(&deep).expect("a directory");
    let mut command = place.command(&["--pods", PODS]);
    let output = command
        .env("LOADGEN_FILES", &deep)
        .output()
        .expect("loadgen runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for words in ["sandboxer.sock", "Linux allows 107", "set --files to"] {
        assert!(said.contains(words), "{said}");
    }
    assert!(entries(&deep).is_empty());

    let endpoint = deep.join("s.sock").display().to_string();
    let output = run("loadgen", &["run", "--endpoint", &endpoint]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Linux allows 107"), "{said}");
}

#[test]
fn files_without_end_are_refused_by_every_command() {
    let place = Place::new();
    let zero = "/dev/zero";
    let commands: [&[&str]; 8] = [
        &["report", zero],
        &["report", "--format", "text", zero],
        &["compare", zero, zero],
        &["level", zero],
        &["trend", zero],
        &["replay", zero],
        &["run", zero],
        &["pod", "--endpoint", "/nowhere.sock", zero],
    ];
    for args in commands {
        let mut command = Command::new(binary("loadgen"));
        let output = command
            .args(args)
            .current_dir(place.results.path())
            .output()
            .expect("loadgen runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("it is a device"), "{args:?}: {said}");
        assert_eq!(said.matches("error: ").count(), 1, "{args:?}: {said}");
    }
}
