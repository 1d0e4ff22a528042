//! `slotplan cost` and `slotplan diff`, as a user calls them.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const NODES: &str = "\
apiVersion: v1
kind: Node
metadata: {name: n1}
status: {capacity: {cpu: '4', memory: 16Gi, pods: '110'}}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
status: {capacity: {cpu: '4', memory: 16Gi, pods: '110'}}
";

const LOAD: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {team: a}}
  template:
    metadata: {labels: {team: a}}
    spec:
      containers:
      - name: app
        image: app
        resources: {requests: {cpu: 500m, memory: 1Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: dns, namespace: kube-system}
spec:
  containers:
  - name: dns
    image: dns
    resources: {requests: {cpu: 100m, memory: 128Mi}}
";

/// Files of a test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        files.write("nodes.yaml", NODES);
        files.write("before/load.yaml", LOAD);
        let grown = LOAD
            .replace("replicas: 3", "replicas: 4")
            .replace("500m", "2500m");
        files.write("after/load.yaml", &grown);
        files
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_slotplan"))
            .args(arguments)
            .current_dir(self.path())
            .output()
            .unwrap()
    }

    /// Returns the document of a command with this exit code.
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{told}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Returns the message of a command that fails.
    fn error(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    }
}

fn near(value: &Value, expected: f64) {
    let value = value.as_f64().unwrap();
    assert!((value - expected).abs() < 1e-9, "{value} is not {expected}");
}

#[test]
fn manifests_cost_a_month_before_they_are_deployed() {
    let files = Files::new();
    let document = files.json(&["cost", "before", "nodes.yaml"], 0);
    assert_eq!(document["schema"], "slotplan/cost/1");
    assert_eq!(document["window"]["hours"], 730.0);
    let total = &document["total"];
    near(
        &total["allocated"],
        730.0 * (1.6 * 0.031_611 + 3.125 * 0.004_237),
    );
    near(
        &total["provisioned"],
        730.0 * 8.0 * (0.031_611 + 4.0 * 0.004_237),
    );
    near(&total["per_hour"], 8.0 * (0.031_611 + 4.0 * 0.004_237));
    // The groups sum to the whole, to a billionth.
    let groups = document["groups"].as_array().unwrap();
    let sum: i64 = groups
        .iter()
        .map(|group| group["total_nano"].as_i64().unwrap())
        .sum();
    assert_eq!(Some(sum), total["total_nano"].as_i64());
    let keys: Vec<_> = groups
        .iter()
        .map(|group| group["key"].as_str().unwrap())
        .collect();
    assert_eq!(keys, ["kube-system", "shop", "__idle__"]);
}

#[test]
fn idle_and_shared_costs_are_laid_on_the_groups() {
    let files = Files::new();
    let arguments = [
        "cost",
        "before",
        "nodes.yaml",
        "--share-idle",
        "node",
        "--share",
        "kube-system=even",
        "--overhead",
        "0.1",
        "--by",
        "label:team,owner",
    ];
    let document = files.json(&arguments, 0);
    let groups = document["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0]["key"], "a/deployment:web");
    near(
        &groups[0]["total"],
        730.0 * (8.0 * (0.031_611 + 4.0 * 0.004_237) + 0.1),
    );
}

#[test]
fn the_cheapest_nodes_are_chosen_for_the_pods_that_stay() {
    let files = Files::new();
    let shapes = [
        "--node",
        "2c,4Gi,price=0.1",
        "--node",
        "8c,32Gi,price=0.5,name=large",
    ];
    let document = files.json(&[&["cost", "before"][..], &shapes].concat(), 0);
    let cheapest = &document["cheapest"];
    assert_eq!(
        cheapest["nodes"],
        serde_json::json!({"2c,4Gi,price=0.1": 1})
    );
    near(&cheapest["per_month"], 73.0);
    // A pod of 2,500 millicores needs the large one.
    let document = files.json(&[&["cost", "after"][..], &shapes].concat(), 0);
    assert_eq!(document["cheapest"]["nodes"]["large"], 2);
    near(&document["cheapest"]["per_hour"], 1.0);
    // Without a price, a shape costs its resources.
    let document = files.json(&["cost", "before", "--node", "2c,4Gi"], 0);
    near(
        &document["cheapest"]["per_hour"],
        2.0 * 0.031_611 + 4.0 * 0.004_237,
    );
}

#[test]
fn a_budget_decides_the_exit_code() {
    let files = Files::new();
    let arguments = |budget| ["cost", "before", "nodes.yaml", "--budget", budget];
    assert_eq!(
        files.json(&arguments("283.59"), 0)["budget"]["exceeded"],
        false
    );
    assert_eq!(
        files.json(&arguments("283.58"), 3)["budget"]["exceeded"],
        true
    );
}

#[test]
fn prices_of_machines_go_before_those_by_resource() {
    let files = Files::new();
    files.write(
        "machines.csv",
        "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,\
         MarketPriceHourly,Version\n,n1,,node,metadata.name,,0.5,\n",
    );
    files.write(
        "resources.json",
        r#"{"CPU": "1", "RAM": "0.25", "currencyCode": "EUR"}"#,
    );
    let arguments = [
        "cost",
        "nodes.yaml",
        "--prices",
        "machines.csv",
        "--prices",
        "resources.json",
    ];
    let document = files.json(&arguments, 0);
    assert_eq!(document["currency"], "EUR");
    near(&document["nodes"][0]["capacity"]["total"], 730.0 * 0.5);
    near(&document["nodes"][1]["capacity"]["total"], 730.0 * 8.0);
    assert_eq!(document["inputs"].as_array().unwrap().len(), 3);
}

#[test]
fn a_dump_costs_its_recorded_time_with_a_window() {
    let files = Files::new();
    files.write(
        "pods.json",
        r#"{"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a",
            "creationTimestamp": "2026-01-01T00:00:00Z"}, "spec": {"nodeName": "n1",
            "containers": [{"name": "app", "resources": {"requests": {"cpu": "1"}}}]}}"#,
    );
    for window in [
        &["--window", "2025-12-31T23:00:00Z/2026-01-01T03:00:00Z"][..],
        &[
            "--from",
            "2025-12-31T23:00:00Z",
            "--to",
            "2026-01-01T03:00:00Z",
        ],
    ] {
        let arguments = [&["cost", "pods.json"], window].concat();
        let document = files.json(&arguments, 0);
        assert_eq!(document["window"]["projection"], false);
        near(&document["total"]["total"], 3.0 * 0.031_611);
    }
}

#[test]
fn the_page_and_the_data_set_are_written() {
    let files = Files::new();
    let output = files.run(&[
        "cost",
        "before",
        "nodes.yaml",
        "--html",
        "page.html",
        "--focus",
        "focus.csv",
    ]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("provisioned (2 nodes)"), "{text}");
    let page = fs::read_to_string(files.path().join("page.html")).unwrap();
    assert!(
        page.contains("Cost by namespace") && !page.contains("http"),
        "{page}"
    );
    let focus = fs::read_to_string(files.path().join("focus.csv")).unwrap();
    // The head, CPU and memory of four pods and of the idle part of two nodes.
    assert_eq!(focus.lines().count(), 1 + 2 * 4 + 2 * 2);
}

#[test]
fn wrong_options_and_prices_are_told() {
    let files = Files::new();
    files.write("wrong.json", r#"{"CPU": "-1"}"#);
    for (arguments, message) in [
        (
            &["--prices", "wrong.json"][..],
            "wrong.json: CPU: \"-1\": below zero",
        ),
        (
            &["--node-price", "n9=1"],
            "price for the node n9, which the input does not have",
        ),
        (
            &["--window", "2026-01-01"],
            "--window: \"2026-01-01\" is not FROM/TO",
        ),
        (
            &["--window", "2026-01-02T00:00:00Z/2026-01-01T00:00:00Z"],
            "the window from 2026-01-02T00:00:00Z to 2026-01-01T00:00:00Z is empty",
        ),
        (
            &["--recorded"],
            "the input has no times; its pods stay: choose a month or a window",
        ),
    ] {
        let error = files.error(&[&["cost", "before", "nodes.yaml"], arguments].concat());
        assert_eq!(error, format!("slotplan: {message}\n"));
    }
    for (option, value, message) in [
        ("--by", "colour", "is none of cluster, node, namespace"),
        ("--share", "a=odd", "is none of weighted, even"),
        ("--budget", "lots", "not a decimal number"),
    ] {
        let error = files.error(&["cost", "before", option, value]);
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_change_tells_money_and_pods_that_stop_fitting() {
    let files = Files::new();
    let document = files.json(&["diff", "before", "after", "--nodes", "nodes.yaml"], 3);
    let rise = 730.0 * (8.5 * 0.031_611 + 0.004_237);
    near(&document["change_per_month"], rise);
    let workloads = document["workloads"].as_array().unwrap();
    assert_eq!(workloads.len(), 1);
    assert_eq!(workloads[0]["workload"], "shop/Deployment/web");
    assert_eq!(workloads[0]["change"], "changed");
    assert_eq!(workloads[0]["before"]["pods"], 3);
    assert_eq!(workloads[0]["after"]["cores"], 10.0);
    let stops = &document["stops_fitting"][0];
    assert_eq!(
        stops["message"],
        "0/2 nodes are available: 2 Insufficient cpu."
    );
    assert_eq!(stops["pods_after"], 2);

    let output = files.run(&["diff", "before", "after", "--markdown"]);
    assert!(output.status.success());
    let markdown = String::from_utf8(output.stdout).unwrap();
    let headline = markdown.lines().next().unwrap();
    assert_eq!(
        headline,
        "**+199.24 USD a month (+427.7%): 46.59 to 245.83, +1 pods, +8.5 cores, +1 GiB**"
    );
}

#[test]
fn limits_of_a_change_decide_the_exit_code() {
    let files = Files::new();
    let limited = |option, limit| ["diff", "before", "after", option, limit];
    for (option, limit, code) in [
        ("--budget-increase", "5%", 3),
        ("--budget-increase", "500%", 0),
        ("--budget-increase", "199", 3),
        ("--budget-increase", "200", 0),
        ("--budget", "240", 3),
        ("--budget", "250", 0),
    ] {
        let document = files.json(&limited(option, limit), code);
        let exceeded = document["exceeded"].as_array().unwrap();
        assert_eq!(exceeded.len(), usize::from(code == 3), "{option} {limit}");
    }
    // Less is never too much.
    files.json(&["diff", "after", "before", "--budget-increase", "0%"], 0);
}

#[test]
fn documents_of_costs_are_compared_by_group() {
    let files = Files::new();
    for side in ["before", "after"] {
        let document = files.json(&["cost", side], 0);
        files.write(&format!("{side}.json"), &document.to_string());
    }
    let document = files.json(&["diff", "before.json", "after.json"], 0);
    let workloads = document["workloads"].as_array().unwrap();
    assert_eq!(workloads.len(), 1);
    assert_eq!(workloads[0]["workload"], "shop");
    near(
        &document["change_per_month"],
        730.0 * (8.5 * 0.031_611 + 0.004_237),
    );
    let error = files.error(&["diff", "before.json", "after"]);
    assert_eq!(
        error,
        "slotplan: a document of slotplan cost can only be compared with another\n"
    );
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let files = Files::new();
    for arguments in [
        &[
            "cost",
            "before",
            "nodes.yaml",
            "--by",
            "pod",
            "--share-idle",
            "cluster",
            "--json",
        ][..],
        &[
            "diff",
            "before",
            "after",
            "--nodes",
            "nodes.yaml",
            "--markdown",
        ],
    ] {
        assert_eq!(files.run(arguments).stdout, files.run(arguments).stdout);
    }
}
