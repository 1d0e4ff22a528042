//! `slotplan schedule` and `slotplan fit`, by the program.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const NODES: &str = r#"
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {kubernetes.io/hostname: n1}}
status: {allocatable: {cpu: "4", memory: 8Gi, pods: "20"}}
---
apiVersion: v1
kind: Node
metadata: {name: n2, labels: {kubernetes.io/hostname: n2}}
status: {allocatable: {cpu: "4", memory: 16Gi, pods: "20"}}
---
apiVersion: v1
kind: Node
metadata: {name: n3, labels: {kubernetes.io/hostname: n3}}
spec: {taints: [{key: dedicated, value: batch, effect: NoSchedule}]}
status: {allocatable: {cpu: "8", memory: 16Gi, pods: "20"}}
"#;

const LOAD: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 4
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: c, resources: {requests: {cpu: 750m, memory: 1Gi}}}]
---
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
metadata: {name: old, labels: {app: old}, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  nodeName: n1
  containers: [{name: c, resources: {requests: {cpu: "3"}}}]
"#;

const VIP: &str = r#"
apiVersion: v1
kind: Pod
metadata: {name: vip}
spec:
  priority: 100
  containers: [{name: c, resources: {requests: {cpu: "3500m"}}}]
"#;

const BUDGET: &str = r"
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: old}
spec: {minAvailable: 1, selector: {matchLabels: {app: old}}}
";

struct Inputs(TempDir);

impl Inputs {
    fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        Self(directory)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_slotplan"))
            .current_dir(self.0.path())
            .args(arguments)
            .output()
            .unwrap()
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        let output = self.run(&arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn error(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).unwrap()
    }
}

fn node_of<'a>(document: &'a Value, pod: &str) -> Option<&'a str> {
    let placements = document["placements"].as_array().unwrap();
    let placed = placements.iter().find(|placed| placed["pod"] == pod)?;
    placed["node"].as_str()
}

/// Returns the first pod whose name begins so.
fn pod_of(document: &Value, beginning: &str) -> String {
    let placements = document["placements"].as_array().unwrap();
    let mut pods = placements
        .iter()
        .filter_map(|placed| placed["pod"].as_str());
    pods.find(|pod| pod.starts_with(beginning))
        .unwrap()
        .to_owned()
}

#[test]
fn pods_are_placed_and_daemons_go_to_their_nodes() {
    let inputs = Inputs::new(&[("nodes.yaml", NODES), ("load.yaml", LOAD)]);
    let document = inputs.json(&["schedule", "nodes.yaml", "load.yaml"], 0);
    assert_eq!(document["schema"], "slotplan/schedule/1");
    // The DaemonSet tolerates no taint, so it has two pods.
    let pods = serde_json::json!({
        "running": 1, "waiting": 6, "placed": 6, "unschedulable": 0, "gated": 0, "evicted": 0,
    });
    assert_eq!(document["pods"], pods);
    assert_eq!(node_of(&document, "default/agent-00000"), Some("n1"));
    assert_eq!(node_of(&document, "default/agent-00001"), Some("n2"));
    assert_eq!(
        document["nodes"][1]["requested"]["cpu_millicores"],
        100 + 3 * 750
    );
    let again = inputs.run(&["schedule", "nodes.yaml", "load.yaml", "--json"]);
    let other = inputs.run(&["schedule", "nodes.yaml", "load.yaml", "--json"]);
    assert_eq!(again.stdout, other.stdout);
}

#[test]
fn the_message_is_that_of_the_events_of_a_cluster() {
    let large = VIP.replace("3500m", "5");
    let inputs = Inputs::new(&[("nodes.yaml", NODES), ("vip.yaml", &large)]);
    let document = inputs.json(&["schedule", "nodes.yaml", "vip.yaml"], 3);
    let message = "0/3 nodes are available: 1 node(s) had untolerated taint(s), \
        2 Insufficient cpu. no new claims to deallocate, preemption: 0/3 nodes are available: \
        3 Preemption is not helpful for scheduling.";
    assert_eq!(document["unschedulable"][0]["message"], message);
    let off = &["schedule", "nodes.yaml", "vip.yaml", "--preemption", "off"];
    let document = inputs.json(off, 3);
    let (alone, _) = message.split_once(" no new claims").unwrap();
    assert_eq!(document["unschedulable"][0]["message"], alone);
    let text = String::from_utf8(inputs.run(off).stdout).unwrap();
    assert!(
        text.contains(&format!("default/vip fits nowhere:\n  {alone}\n")),
        "{text}"
    );
}

#[test]
fn a_pod_of_higher_priority_takes_the_place_that_no_budget_protects() {
    let files = [
        ("nodes.yaml", NODES),
        ("load.yaml", LOAD),
        ("vip.yaml", VIP),
    ];
    let inputs = Inputs::new(&files);
    let with_all = ["schedule", "nodes.yaml", "load.yaml", "vip.yaml"];
    // The pod comes first in the queue, so nothing has to go.
    let document = inputs.json(&with_all, 3);
    assert_eq!(node_of(&document, "default/vip"), Some("n2"));
    assert_eq!(document["evictions"].as_array().unwrap().len(), 0);
    // With n2 taken, too, the older pod goes from n1, unless a budget protects it.
    let taken = LOAD
        .replace("name: old,", "name: older,")
        .replace("nodeName: n1", "nodeName: n2");
    let pod = taken
        .split("---")
        .last()
        .unwrap()
        .replace("app: old", "app: older");
    let inputs = Inputs::new(&[
        ("nodes.yaml", NODES),
        ("load.yaml", LOAD.split("---").last().unwrap()),
        ("other.yaml", &pod),
        ("vip.yaml", VIP),
        ("budget.yaml", BUDGET),
    ]);
    let without = [
        "schedule",
        "nodes.yaml",
        "load.yaml",
        "other.yaml",
        "vip.yaml",
    ];
    let document = inputs.json(&without, 3);
    assert_eq!(document["evictions"][0]["pod"], "default/old");
    assert_eq!(document["evictions"][0]["for_pod"], "default/vip");
    let document = inputs.json(&[&without[..], &["budget.yaml"]].concat(), 3);
    assert_eq!(document["evictions"][0]["pod"], "default/older");
}

#[test]
fn a_pod_is_explained_node_by_node() {
    let inputs = Inputs::new(&[("nodes.yaml", NODES), ("load.yaml", LOAD)]);
    let explain = |pod| ["schedule", "nodes.yaml", "load.yaml", "--explain", pod];
    let placed = inputs.json(&["schedule", "nodes.yaml", "load.yaml"], 0);
    let web = pod_of(&placed, "default/web-");
    let document = inputs.json(&explain(&web), 0);
    assert_eq!(document["node"], "n2");
    let nodes = document["nodes"].as_array().unwrap();
    assert_eq!(nodes[0]["feasible"], true);
    assert_eq!(nodes[0]["scores"]["TaintToleration"], 300);
    assert_eq!(nodes[2]["refusals"][0]["plugin"], "TaintToleration");
    let text = String::from_utf8(
        inputs
            .run(&explain(web.trim_start_matches("default/")))
            .stdout,
    )
    .unwrap();
    assert!(
        text.contains("n3: node(s) had untolerated taint(s) (TaintToleration)"),
        "{text}"
    );
    let document = inputs.json(&explain("old"), 0);
    assert_eq!(document["node"], "n1");
    let error = inputs.error(&explain("default/new"));
    assert!(
        error.contains("the input has no pod default/new"),
        "{error}"
    );
}

#[test]
fn versions_are_compared() {
    let inputs = Inputs::new(&[("nodes.yaml", NODES), ("load.yaml", LOAD)]);
    let compare = [
        "schedule",
        "nodes.yaml",
        "load.yaml",
        "--compare-schedulers",
    ];
    let document = inputs.json(&compare, 0);
    assert_eq!(document["comparison"]["with"], "1.34");
    assert!(document["comparison"]["moved"].is_array());
}

#[test]
fn a_page_shows_the_nodes() {
    let inputs = Inputs::new(&[("nodes.yaml", NODES), ("load.yaml", LOAD)]);
    let document = inputs.json(
        &["schedule", "nodes.yaml", "load.yaml", "--html", "page.html"],
        0,
    );
    let page = fs::read_to_string(inputs.0.path().join("page.html")).unwrap();
    let title = format!("<title>{}</title>", pod_of(&document, "default/web-"));
    assert!(page.contains(&title));
    assert!(page.contains("6 of 6 waiting pods placed"));
}

#[test]
fn pods_of_a_shape_are_counted() {
    let inputs = Inputs::new(&[("nodes.yaml", NODES), ("vip.yaml", VIP)]);
    let document = inputs.json(&["fit", "nodes.yaml", "--pod-shape", "500m,1Gi"], 0);
    assert_eq!(document["replicas"], 16);
    assert_eq!(
        document["stop"],
        "0/3 nodes are available: 1 Insufficient memory, 1 node(s) had untolerated taint(s), \
         2 Insufficient cpu."
    );
    let document = inputs.json(&["fit", "nodes.yaml", "--pod", "vip.yaml"], 0);
    assert_eq!(document["replicas"], 2);
    let document = inputs.json(&["fit", "nodes.yaml", "--pod-shape", "9,1Gi"], 3);
    assert_eq!(document["replicas"], 0);
    let limited = [
        "fit",
        "nodes.yaml",
        "--pod-shape",
        "500m,1Gi",
        "--limit",
        "3",
    ];
    let document = inputs.json(&limited, 0);
    assert_eq!(
        (&document["replicas"], &document["stop"]),
        (&3.into(), &Value::Null)
    );
}

#[test]
fn wrong_input_is_one_clear_error() {
    let wrong = BUDGET.replace("minAvailable: 1", "minAvailable: many");
    let both = BUDGET.replace("minAvailable: 1", "minAvailable: 1, maxUnavailable: 1");
    let selector = VIP.replace(
        "priority: 100",
        "affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: \
         zone, labelSelector: {matchExpressions: [{key: a, operator: Near}]}}]}}",
    );
    let inputs = Inputs::new(&[
        ("nodes.yaml", NODES),
        ("wrong.yaml", &wrong),
        ("both.yaml", &both),
        ("selector.yaml", &selector),
    ]);
    for (arguments, expected) in [
        (
            &["schedule", "nodes.yaml", "wrong.yaml"][..],
            "wrong.yaml:2: spec.minAvailable: \"many\" is neither a number of pods nor a share",
        ),
        (
            &["schedule", "nodes.yaml", "both.yaml"],
            "both.yaml:2: spec: minAvailable and maxUnavailable exclude each other",
        ),
        (
            &["schedule", "nodes.yaml", "selector.yaml"],
            "\"Near\" is none of In, NotIn, Exists, DoesNotExist",
        ),
        (&["fit", "nodes.yaml", "--pod-shape", "1"], "not CPU,MEMORY"),
        (&["fit", "nodes.yaml", "--pod-shape", "x,1Gi"], "\"x\""),
        (
            &["fit", "nodes.yaml", "--pod", "nodes.yaml"],
            "there is no pod",
        ),
        (&["fit", "nodes.yaml"], "--pod"),
        (
            &["schedule", "nodes.yaml", "--scheduler", "1.20"],
            "1.34 or 1.36",
        ),
        (
            &["schedule", "nodes.yaml", "--strategy", "best"],
            "not least",
        ),
    ] {
        let error = inputs.error(arguments);
        assert!(error.contains(expected), "{arguments:?}: {error}");
    }
}
