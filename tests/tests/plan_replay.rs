//! From a plan to a run: pods that `slotplan schedule` places are exported as traces, `loadgen
//! replay` plays the trace of each node against a sandboxer of its own, and each sandboxer then
//! holds the pods and the resources that were planned for its node.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use loadgen::workload::plan::Plan;
use loadgen::workload::scenario::Scenario;
use serde_json::Value;
use tests::{Daemon, binary, read_json, run};

/// Pods of every kind of sum: init containers and sidecars, limits, resources of the pod as a
/// whole, overhead, and nothing at all.
const LOAD: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
      - {name: migrate, image: i, resources: {requests: {cpu: "1", memory: 64Mi}}}
      - {name: log, image: i, restartPolicy: Always, resources: {requests: {cpu: 50m, memory: 32Mi}}}
      containers:
      - {name: app, image: i, resources: {requests: {cpu: 250m, memory: 128Mi}}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: shop}
spec:
  replicas: 2
  serviceName: db
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers:
      - name: db
        image: i
        resources: {requests: {cpu: 1500m, memory: 2Gi}, limits: {cpu: "2", memory: 4Gi}}
---
apiVersion: v1
kind: Pod
metadata: {name: whole, namespace: jobs}
spec:
  resources: {requests: {cpu: 700m, memory: 1Gi}}
  containers:
  - {name: a, image: i, resources: {requests: {cpu: 100m}}}
  - {name: b, image: i}
---
apiVersion: v1
kind: Pod
metadata: {name: heavy, namespace: jobs}
spec:
  overhead: {cpu: 120m, memory: 100Mi}
  containers:
  - name: a
    image: i
    resources: {requests: {cpu: 333m, memory: 77Mi}, limits: {cpu: 500m, memory: 150Mi}}
---
apiVersion: v1
kind: Pod
metadata: {name: nothing, namespace: jobs}
spec:
  containers: [{name: a, image: i}]
"#;

const NODES: [&str; 3] = ["a", "b", "c"];
const MIB: u64 = 1 << 20;

/// CPU request and limit in millicores, memory request and limit in bytes.
type Held = [Option<u64>; 4];

/// Returns what each pod has by the rules of Kubernetes, computed by hand.
fn by_hand(pod: &str) -> Held {
    let (_, name) = pod.split_once('/').expect("NAMESPACE/NAME");
    match name.split('-').next() {
        // The init container has the most CPU, the sidecar and the container the most memory.
        Some("web") => [Some(1000), None, Some(160 * MIB), None],
        Some("db") => [Some(1500), Some(2000), Some(2048 * MIB), Some(4096 * MIB)],
        Some("whole") => [Some(700), None, Some(1024 * MIB), None],
        Some("heavy") => [Some(453), Some(620), Some(177 * MIB), Some(250 * MIB)],
        Some("nothing") => [None; 4],
        _ => panic!("{pod} was not planned"),
    }
}

fn write_inputs(root: &Path) {
    let node = |name: &&str| {
        let amounts = "{cpu: \"4\", memory: 8Gi, pods: \"10\"}";
        format!(
            "apiVersion: v1\nkind: Node\nmetadata: {{name: {name}}}\n\
             status: {{capacity: {amounts}, allocatable: {amounts}}}\n"
        )
    };
    let nodes: Vec<_> = NODES.iter().map(node).collect();
    fs::write(root.join("nodes.yaml"), nodes.join("---\n")).unwrap();
    fs::write(root.join("load.yaml"), LOAD).unwrap();
}

/// Runs `slotplan` on the inputs and returns its document.
fn slotplan(root: &Path, command: &str, args: &[&str]) -> Value {
    let path = |name: &str| root.join(name).display().to_string();
    let (load, nodes) = (path("load.yaml"), path("nodes.yaml"));
    let args = [&[command, "--json", &load, &nodes], args].concat();
    let output = run("slotplan", &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    serde_json::from_slice(&output.stdout).expect("a document")
}

/// Returns what the sandboxer of a node holds, by pod.
fn held(daemon: &Daemon) -> BTreeMap<String, Held> {
    let inspect = daemon.home().inspect();
    let slots = inspect["slots"].as_array().expect("slots");
    let pod = |slot: &Value| {
        let pod = &slot["slot"]["sandbox"]["pod"];
        let name = |field: &str| pod[field].as_str().expect("a name").to_owned();
        // The view of the resources is what other programs read.
        let info = read_json(&daemon.view(slot["id"].as_str().expect("an id")));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a few cores"
        )]
        let millicores = |field: &str| {
            let cores = info[field].as_f64();
            cores.map(|cores| (cores * 1000.0).round() as u64)
        };
        let bytes = |field: &str| info[field].as_u64();
        let held = [
            millicores("cpu_request"),
            millicores("cpu_limit"),
            bytes("memory_request"),
            bytes("memory_limit"),
        ];
        (format!("{}/{}", name("namespace"), name("name")), held)
    };
    slots.iter().map(pod).collect()
}

/// A replay under way. Dropping it kills it.
struct Replay(Child);

impl Drop for Replay {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn replay(trace: &Path, daemon: &Daemon, results: &Path) -> Replay {
    let child = Command::new(binary("loadgen"))
        .args(["replay", "--quiet", "--no-progress", "--endpoint"])
        .arg(daemon.home().socket())
        .arg("--results")
        .arg(results)
        .arg(trace)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    Replay(child.expect("loadgen starts"))
}

#[test]
fn sandboxers_hold_what_was_planned_for_their_nodes() {
    let root = tempfile::tempdir().unwrap();
    write_inputs(root.path());
    let plan = slotplan(root.path(), "schedule", &[]);
    let file = root.path().join("plan.json");
    fs::write(&file, plan.to_string()).unwrap();
    let mut planned: BTreeMap<&str, BTreeMap<String, Held>> = BTreeMap::new();
    for placement in plan["placements"].as_array().expect("placements") {
        let field = |name: &str| placement[name].as_str().expect("a text");
        let pods = planned.entry(field("node")).or_default();
        pods.insert(field("pod").to_owned(), by_hand(field("pod")));
    }
    assert_eq!(planned.values().map(BTreeMap::len).sum::<usize>(), 8);
    assert_eq!(
        planned.len(),
        NODES.len(),
        "each node has pods: {planned:?}"
    );

    let traces = root.path().join("traces");
    let (file, directory) = (file.to_str().unwrap(), traces.to_str().unwrap());
    let args = ["--result", file, "--emit-trace", directory, "--stay", "10m"];
    let exported = slotplan(root.path(), "export", &args);
    assert_eq!(exported["pods_without_node"], 0);

    let mut nodes = Vec::new();
    for trace in exported["traces"].as_array().expect("traces") {
        let node = trace["node"].as_str().expect("a node");
        let sum = |place: usize| {
            let amounts = planned[node].values().filter_map(|held| held[place]);
            amounts.sum::<u64>()
        };
        assert_eq!(trace["cpu_millicores"], sum(0));
        assert_eq!(trace["memory_bytes"], sum(2));
        let daemon = Daemon::start(&[]);
        let trace = traces.join(trace["file"].as_str().expect("a file"));
        let replay = replay(&trace, &daemon, &root.path().join(node));
        nodes.push((node, daemon, replay));
    }
    for (node, daemon, replay) in &mut nodes {
        // A container is there a moment after its pod.
        let planned = &planned[*node];
        let mut last = BTreeMap::new();
        let mut agrees = || {
            let ended = replay.0.try_wait().expect("a child can be waited for");
            assert_eq!(ended, None, "the replay for {node} ended");
            last = held(daemon);
            (last == *planned).then_some(())
        };
        let deadline = std::time::Instant::now() + tests::PATIENCE;
        while agrees().is_none() {
            let in_time = std::time::Instant::now() < deadline;
            assert!(in_time, "node {node} holds {last:#?}, not {planned:#?}");
        }
    }
}

#[test]
fn loadgen_draws_pods_like_those_of_a_plan() {
    let root = tempfile::tempdir().unwrap();
    write_inputs(root.path());
    let file = root.path().join("planned.toml");
    let file = file.to_str().unwrap();
    let exported = slotplan(root.path(), "export", &["--emit-scenario", file]);
    assert_eq!(exported["tables"], Value::Array(Vec::new()));
    let text = fs::read_to_string(file).unwrap();
    let scenario = Scenario::parse(&text, file).expect("a scenario");
    let plan = Plan::of(&scenario);
    let (mut containers, mut millicores, mut memory) =
        (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for pod in (0..500).map(|index| plan.pod(index)) {
        containers.insert(pod.containers.len());
        for container in pod.containers {
            let info = container.resources.info();
            millicores.extend(info.cpu_request.map(|cores| format!("{cores}")));
            memory.extend(info.memory_request.map(|bytes| bytes / MIB));
        }
    }
    // Those of the containers, of which the first has what the pod requests beyond them.
    assert_eq!(containers, [1, 2].into());
    let cores = ["0.25", "0.7", "0.75", "0.453", "1.5"].map(str::to_owned);
    assert_eq!(millicores, cores.into());
    assert_eq!(memory, [32, 128, 177, 1024, 2048].into());
}
