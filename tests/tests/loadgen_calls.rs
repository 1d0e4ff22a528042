//! `loadgen` counts every request that it makes: its figures equal the counters of the
//! sandboxer under load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tests::metrics::{address, scrape};
use tests::{Daemon, binary, eventually, read_json, ready_sandbox, running_container};

/// Method of each operation: the API and the name in the sandboxer's metrics.
const METHODS: [(&str, [&str; 3]); 29] = [
    ("sandbox_create", ["CreateSandbox", "Create", ""]),
    ("sandbox_start", ["StartSandbox", "Start", ""]),
    ("sandbox_status", ["SandboxStatus", "Status", ""]),
    ("sandbox_gone", ["SandboxStatus", "Status", ""]),
    ("sandbox_stop", ["StopSandbox", "Stop", ""]),
    ("sandbox_shutdown", ["ShutdownSandbox", "Shutdown", ""]),
    ("task_create", ["", "", "Create"]),
    ("task_start", ["", "", "Start"]),
    ("task_state", ["", "", "State"]),
    ("task_kill", ["", "", "Kill"]),
    ("task_wait", ["", "", "Wait"]),
    ("task_exit", ["", "", "Wait"]),
    ("task_delete", ["", "", "Delete"]),
    ("run_pod_sandbox", ["RunPodSandbox", "", ""]),
    ("create_container", ["CreateContainer", "", ""]),
    ("start_container", ["StartContainer", "", ""]),
    ("container_status", ["ContainerStatus", "", ""]),
    ("container_gone", ["ContainerStatus", "", ""]),
    ("list_containers", ["ListContainers", "", ""]),
    ("get_container_events", ["GetContainerEvents", "", ""]),
    ("pod_sandbox_status", ["PodSandboxStatus", "", ""]),
    ("pod_sandbox_gone", ["PodSandboxStatus", "", ""]),
    ("stop_container", ["StopContainer", "", ""]),
    ("remove_container", ["RemoveContainer", "", ""]),
    ("stop_pod_sandbox", ["StopPodSandbox", "", ""]),
    ("remove_pod_sandbox", ["RemovePodSandbox", "", ""]),
    // Not RPCs.
    ("pod_start", ["", "", ""]),
    ("pod", ["", "", ""]),
    ("probe", ["", "", ""]),
];

/// Requests by API and method.
type Calls = BTreeMap<(String, String), u64>;

fn watched() -> (Daemon, SocketAddr) {
    let daemon = Daemon::start(&["--metrics-listen", "127.0.0.1:0"]);
    let address = eventually("the address", || address(&daemon.home().log()));
    (daemon, address)
}

/// Runs a load on the daemon and returns the exit code and the result.
fn load(daemon: &Daemon, target: &str, args: &[&str]) -> (Option<i32>, Value) {
    let results = tempfile::tempdir().expect("a temporary directory");
    let output = Command::new(binary("loadgen"))
        .args(["run", "--no-progress", "--target", target, "--endpoint"])
        .arg(daemon.home().socket())
        .arg("--results")
        .arg(results.path())
        .args(args)
        .stdin(Stdio::null())
        .output()
        .expect("loadgen runs");
    let mut runs = std::fs::read_dir(results.path()).expect("results");
    let shown = String::from_utf8_lossy(&output.stderr);
    let run = runs.next().unwrap_or_else(|| panic!("{shown}"));
    let result = read_json(&run.expect("a directory").path().join("result.json"));
    (output.status.code(), result)
}

/// Returns the answered RPCs of the services that run pods, as the sandboxer counts them.
fn answered(address: SocketAddr) -> Calls {
    let scrape = scrape(address);
    let mut calls = Calls::new();
    for ((_, labels), value) in &scrape.0["resource_slot_rpcs"].samples {
        let label = |name: &str| labels[name].clone();
        if *value > 0.0 && label("api") != "cri_image" {
            let key = (label("api"), label("method"));
            *calls.entry(key).or_default() += format!("{value}").parse::<u64>().expect("a count");
        }
    }
    calls
}

/// Waits until the sandboxer has counted this many RPCs: it counts one after its reply. Returns
/// what it has counted.
fn answered_in_all(address: SocketAddr, number: u64) -> Calls {
    eventually("the counters", || {
        let calls = answered(address);
        (calls.values().sum::<u64>() >= number).then_some(calls)
    })
}

fn figure(operation: &Value, name: &str) -> u64 {
    operation[name].as_u64().expect("a count")
}

/// Returns the requests that loadgen counts, by API and method; `apis` are those of the
/// sandboxes and of the tasks. `before` is the method with which loadgen asks before the load
/// whether the server replies.
fn counted(result: &Value, place: usize, apis: [&str; 2], before: &str) -> Calls {
    let mut calls = Calls::from([((apis[0].to_owned(), before.to_owned()), 1)]);
    for operation in result["operations"].as_array().expect("a list") {
        let name = operation["operation"].as_str().expect("a name");
        let (_, methods) = METHODS
            .iter()
            .find(|(known, _)| *known == name)
            .unwrap_or_else(|| panic!("{name} has a method"));
        let number = figure(operation, "count") + figure(operation, "errors");
        for (api, method) in [(apis[0], methods[place]), (apis[1], methods[2])] {
            if !method.is_empty() && number > 0 {
                let key = (api.to_owned(), method.to_owned());
                *calls.entry(key).or_default() += number;
            }
        }
    }
    calls
}

/// Returns the sum of all requests that a result states.
fn sum(result: &Value) -> u64 {
    let no_rpc = ["pod", "pod_start", "pod_service", "pod_start_service"];
    let operations = result["operations"].as_array().expect("a list");
    let rpcs = operations.iter().filter(|operation| {
        let name = operation["operation"].as_str().expect("a name");
        !no_rpc.contains(&name)
    });
    let rpcs: u64 = rpcs
        .map(|operation| figure(operation, "count") + figure(operation, "errors"))
        .sum();
    rpcs + figure(&result["totals"], "warm_up_rpcs") + figure(&result["totals"], "abandoned")
}

const TTRPC: [&str; 2] = ["ttrpc_sandbox", "ttrpc_task"];
const CONTROLLER: [&str; 2] = ["grpc_controller", "ttrpc_task"];
const CRI: [&str; 2] = ["cri_runtime", ""];

#[test]
fn every_request_of_a_pod_is_counted_by_method() {
    for (target, place, apis, before) in [
        ("ttrpc", 0, TTRPC, "PingSandbox"),
        ("controller", 1, CONTROLLER, "Status"),
        ("cri", 0, CRI, "Version"),
    ] {
        // Containers that wait for a signal, and some that end by themselves.
        for scenario in [
            &["smoke", "--pods", "20"][..],
            &["crashloop", "--pods", "3"][..],
        ] {
            let (daemon, address) = watched();
            let (code, result) = load(&daemon, target, scenario);
            assert_eq!(code, Some(0), "{target} {scenario:?}: {result}");
            let counted = counted(&result, place, apis, before);
            let number = counted.values().sum();
            let answered = answered_in_all(address, number);
            assert_eq!(counted, answered, "{target} {scenario:?}");
            let rpcs = figure(&result["totals"], "rpcs");
            assert_eq!(rpcs, sum(&result), "{target} {scenario:?}");
        }
    }
}

#[test]
fn the_requests_of_a_warm_up_are_counted_apart() {
    let (daemon, address) = watched();
    let args = ["churn", "--pods", "20", "--warm-up-pods", "10"];
    let (code, result) = load(&daemon, "controller", &args);
    assert_eq!(code, Some(0), "{result}");
    assert!(figure(&result["totals"], "warm_up_rpcs") > 0);
    let counted = sum(&result) + 1;
    let answered = answered_in_all(address, counted);
    assert_eq!(counted, answered.values().sum::<u64>());
}

/// Returns the ids of the containers of the first pod of a plan.
fn planned(args: &[&str]) -> Vec<String> {
    let output = Command::new(binary("loadgen"))
        .arg("plan")
        .args(args)
        .args(["--show", "0"])
        .output()
        .expect("loadgen runs");
    let pod: Value = serde_json::from_slice(&output.stdout).expect("a pod");
    let containers = pod["containers"].as_array().expect("a list");
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    containers.iter().map(id).collect()
}

/// The second container of a pod has the id of one that exists, so that the first one and the
/// sandbox are removed while a Wait for the first one is pending.
#[tokio::test]
async fn the_requests_that_clean_up_after_a_failure_are_counted() {
    let plan = ["churn", "--pods", "1", "--containers", "2"];
    let containers = planned(&plan);
    let (daemon, address) = watched();
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "other").await;
    running_container(&daemon, &client, "other", &containers[1]).await;
    let (code, result, before, after) = tokio::task::spawn_blocking(move || {
        let before: u64 = answered(address).values().sum();
        let (code, result) = load(&daemon, "ttrpc", &plan);
        let after = answered_in_all(address, before + sum(&result) + 1);
        let after: u64 = after.values().sum();
        (code, result, before, after)
    })
    .await
    .expect("no panic");
    assert_eq!(code, Some(2), "{result}");
    let totals = &result["totals"];
    assert_eq!(figure(totals, "abandoned"), 1, "{totals}");
    let operations = result["operations"].as_array().expect("a list");
    let clean_up = operations.iter().find(|o| o["operation"] == "clean_up");
    // Kill, Wait and Delete of the first container, Stop and Shutdown of the sandbox.
    assert_eq!(figure(clean_up.expect("a row"), "count"), 5);
    assert_eq!(sum(&result) + 1, after - before);
}

#[test]
fn every_operation_of_the_schema_has_a_method() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let schema = read_json(&root.join("results/schema/run-2.schema.json"));
    let names = &schema["$defs"]["Operation"]["enum"];
    // The calls of `loadgen overhead`, the latencies without lag, and calls of any method.
    let others = [
        "task_kill_all",
        "task_wait_stopped",
        "task_connect",
        "sandbox_wait",
        "sandbox_platform",
        "pod_start_service",
        "pod_service",
        "clean_up",
    ];
    for name in names.as_array().expect("a list") {
        let name = name.as_str().expect("a name");
        let known = METHODS.iter().any(|(known, _)| *known == name);
        assert!(known || others.contains(&name), "{name}");
    }
}
