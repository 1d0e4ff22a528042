//! `slotplan capacity` and `slotplan schedule --over-time`, by the program.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const LOAD: &str = r#"
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  template:
    metadata: {labels: {app: agent}}
    spec:
      containers: [{name: c, resources: {requests: {cpu: 100m, memory: 64Mi}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: a}
spec:
  containers: [{name: c, resources: {requests: {cpu: "2", memory: 1Gi}}}]
---
apiVersion: v1
kind: Pod
metadata: {name: b}
spec:
  containers: [{name: c, resources: {requests: {cpu: "3", memory: 1Gi}}}]
"#;

const TRACE: &str = "\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
p0,3000,1024,0,0,,LS,Running,0,100,0
p1,3000,1024,0,0,,LS,Running,50,150,50
p2,3000,1024,0,0,,LS,Running,120,200,120
";

const NODE: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {kubernetes.io/hostname: n1}}
status: {allocatable: {cpu: "4", memory: 8Gi, pods: "20"}}
"#;

fn run(files: &[(&str, &str)], args: &[&str]) -> Output {
    let dir = TempDir::new().expect("a directory");
    for (name, contents) in files {
        fs::write(dir.path().join(name), contents).expect("a file");
    }
    Command::new(env!("CARGO_BIN_EXE_slotplan"))
        .args(args)
        .current_dir(dir.path())
        .output()
        .expect("the program")
}

fn json(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"))
}

#[test]
fn each_node_runs_the_daemons() {
    // Without the daemon, 2 and 3 cores would go on one node of 5.
    let args = ["capacity", "load.yaml", "--node", "5c,8Gi,20pods", "--json"];
    let output = run(&[("load.yaml", LOAD)], &args);
    assert_eq!(output.status.code(), Some(0));
    let document = json(&output);
    let shape = &document["shapes"][0];
    assert_eq!((&document["pods"], &shape["nodes"]), (&2.into(), &2.into()));
    assert_eq!(shape["daemons"], serde_json::json!(["agent"]));
    assert_eq!(shape["bounds"]["optimum"], 2);
    assert_eq!(shape["placed"]["loss_of_nodes"]["broken"], 2);
}

#[test]
fn a_pod_that_fits_on_no_node_is_told_in_the_schedulers_words() {
    let args = [
        "capacity",
        "load.yaml",
        "--node",
        "2500mc,8Gi,20pods",
        "--json",
    ];
    let output = run(&[("load.yaml", LOAD)], &args);
    assert_eq!(output.status.code(), Some(3));
    let document = json(&output);
    assert_eq!(document["nowhere"][0]["pod"], "default/b");
    let message = "0/1 nodes are available: 1 Insufficient cpu.";
    assert_eq!(document["nowhere"][0]["message"], message);
    // The others are planned all the same.
    assert_eq!(document["shapes"][0]["nodes"], 1);
}

#[test]
fn more_nodes_than_allowed_are_a_plan_that_does_not_hold() {
    let shape = ["--node", "4c,8Gi,20pods"];
    let args = |most| {
        [
            "capacity",
            "load.yaml",
            shape[0],
            shape[1],
            "--max-nodes",
            most,
        ]
    };
    let load = [("load.yaml", LOAD)];
    assert_eq!(run(&load, &args("2")).status.code(), Some(0));
    let output = run(&load, &args("1"));
    assert_eq!(output.status.code(), Some(3));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        text.starts_with("2 nodes of 4c,8Gi,20pods are needed, but only 1 allowed"),
        "{text}"
    );
}

#[test]
fn the_cheapest_mixture_has_a_bound() {
    let shapes = [
        "--node",
        "3c,4Gi,20pods,price=1,name=s",
        "--node",
        "4c,8Gi,20pods,price=3,name=l",
    ];
    let args = [
        "capacity",
        "load.yaml",
        shapes[0],
        shapes[1],
        shapes[2],
        shapes[3],
        "--json",
    ];
    let document = json(&run(&[("load.yaml", LOAD)], &args));
    let mixture = &document["mixture"]["scheduled"];
    assert_eq!(mixture["nodes"], serde_json::json!({"s": 1, "l": 1}));
    assert_eq!(mixture["cost_per_hour"], "4.00");
}

#[test]
fn the_peak_needs_fewer_nodes_than_all_at_once() {
    let args = [
        "capacity",
        "openb_pod_list.csv",
        "--node",
        "4c,8Gi,20pods",
        "--json",
    ];
    let document = json(&run(&[("openb_pod_list.csv", TRACE)], &args));
    let ways = document["shapes"][0]["ways"].as_array().expect("ways");
    let nodes = |order: &str| {
        let way = ways.iter().find(|way| way["order"] == order);
        way.and_then(|way| way["nodes"].as_u64())
    };
    assert_eq!((nodes("over time"), nodes("as listed")), (Some(2), Some(3)));
}

/// Pods that run at the peak may be where only an earlier pod that has left made them go.
#[test]
fn nodes_that_hold_the_load_over_time_hold_it_at_the_peak() {
    let head = TRACE.lines().next().unwrap();
    let trace = format!(
        "{head}\n\
         x,1000,14336,0,0,,LS,Running,0,20,0\n\
         y,1000,512,0,0,,LS,Running,1,100,1\n\
         z,1000,512,0,0,,LS,Running,10,100,10\n\
         w,4000,1024,0,0,,LS,Running,30,100,30\n"
    );
    let output = run(
        &[("pods.csv", &trace)],
        &["capacity", "pods.csv", "--node", "4c,16Gi,20pods", "--json"],
    );
    let document = json(&output);
    assert_eq!(output.status.code(), Some(0), "{document}");
    let shape = &document["shapes"][0];
    assert_eq!(shape["nodes"], 2);
    assert_eq!(shape["placed"]["left_over"], 0);
    assert_eq!(shape["placed"]["requested_share"]["cpu"], 0.75);
}

#[test]
fn pods_wait_for_departures() {
    let files = [("openb_pod_list.csv", TRACE), ("node.yaml", NODE)];
    let args = [
        "schedule",
        "--over-time",
        "--load",
        "openb_pod_list.csv",
        "--nodes",
        "node.yaml",
        "--json",
    ];
    let output = run(&files, &args);
    assert_eq!(output.status.code(), Some(0));
    let document = json(&output);
    let stays = document["stays"].as_array().expect("stays");
    let waits: Vec<_> = stays
        .iter()
        .map(|stay| stay["waited_seconds"].as_f64())
        .collect();
    assert_eq!(waits, [Some(0.0), Some(50.0), Some(80.0)]);
    assert_eq!(document["high_water_nodes"], 1);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let args = ["capacity", "load.yaml", "--node", "4c,8Gi,20pods", "--json"];
    let once = run(&[("load.yaml", LOAD)], &args);
    assert_eq!(once.stdout, run(&[("load.yaml", LOAD)], &args).stdout);
}
