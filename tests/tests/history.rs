//! What the journal tells of pods that ran, by both ways in, and how a plan reads it.

use std::fs;
use std::path::Path;
use std::process::Command;

use containerd_shim_protos::protobuf::MessageField;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use cri_api::v1::{self, PodSandboxConfig};
use prost::Message;
use serde_json::{Value, json};
use slotplan::history::HistoryArgs;
use slotplan::input::InputArgs;
use tests::cri::{container_config, labels, pod_config, run_pod, started, stop_pod};
use tests::{Daemon, binary, bundle, request, spec};

/// OOM score adjustment of a container that requests 1 GiB on a node of 16 GiB.
const ADJUSTMENT: i64 = 938;
const NODE: u64 = 16 << 30;

/// A manifest as `kubectl apply` keeps it.
const MANIFEST: &str = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"solo"},"spec":{"nodeSelector":{"disk":"ssd"},"containers":[{"name":"app","image":"nginx:1","resources":{"requests":{"cpu":"100m","memory":"96Mi"}}}]}}"#;

fn config(name: &str) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: Some(v1::PodSandboxMetadata {
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            namespace: "shop".to_owned(),
            attempt: 0,
        }),
        labels: labels(&[
            ("app", "web"),
            ("pod-template-hash", "6d4cf56db6"),
            ("io.kubernetes.pod.name", name),
        ]),
        annotations: labels(&[("example.com/owner", "team-a")]),
        ..Default::default()
    }
}

/// Runs a pod by the sandbox API, with one container of 100 millicores.
async fn run_by_task(daemon: &Daemon, config: &PodSandboxConfig, id: &str) {
    let client = daemon.ttrpc().await;
    let mut create = request::create_sandbox(id);
    create.options = MessageField::some(Any {
        type_url: "runtime.v1.PodSandboxConfig".to_owned(),
        value: config.encode_to_vec(),
        ..Default::default()
    });
    client.create_sandbox(&create).await.unwrap();
    client
        .start_sandbox(&request::start_sandbox(id))
        .await
        .unwrap();
    let mut spec = spec(id, &json!({ "cpu": { "shares": 102 } }));
    spec["process"]["oomScoreAdj"] = ADJUSTMENT.into();
    spec["annotations"]["io.kubernetes.cri.container-name"] = "app".into();
    spec["annotations"]["io.kubernetes.cri.image-name"] = "nginx:1".into();
    spec["annotations"]["example.com/hash"] = "abc".into();
    let container = format!("{id}-c");
    let bundle = bundle(daemon.home().root(), &container, &spec);
    client
        .create(&request::create(&container, &bundle))
        .await
        .unwrap();
    client.start(&request::start(&container, "")).await.unwrap();
}

/// Runs the same pod by CRI.
async fn run_by_cri(daemon: &Daemon, config: &PodSandboxConfig) -> String {
    let cri = daemon.cri().await;
    let pod = run_pod(&cri, config).await;
    let container = v1::ContainerConfig {
        linux: Some(v1::LinuxContainerConfig {
            resources: Some(v1::LinuxContainerResources {
                cpu_shares: 102,
                oom_score_adj: ADJUSTMENT,
                ..Default::default()
            }),
            security_context: None,
        }),
        ..container_config("app")
    };
    tests::cri::pull(&cri, tests::cri::IMAGE).await;
    started(&cri, &pod, &container).await;
    pod
}

fn read(dir: &Path, history: HistoryArgs) -> slotplan::input::Input {
    let args = InputArgs {
        inputs: vec![dir.to_owned()],
        history,
        ..InputArgs::default()
    };
    args.read().unwrap()
}

fn on_the_node() -> HistoryArgs {
    HistoryArgs {
        node_memory: Some(NODE),
        ..HistoryArgs::default()
    }
}

fn records(dir: &Path, change: &str) -> Vec<Value> {
    let mut records = Vec::new();
    for entry in fs::read_dir(dir.join("journal")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            let text = fs::read_to_string(path).unwrap();
            let lines = text
                .lines()
                .map(|line| serde_json::from_str::<Value>(line).unwrap());
            records.extend(lines.filter_map(|line| Some(line["do"].get(change)?.clone())));
        }
    }
    records
}

#[tokio::test]
async fn both_ways_in_leave_the_facts_of_a_plan_in_the_journal() {
    let daemon = Daemon::start(&[]);
    run_by_task(&daemon, &config("web-6d4cf56db6-aaaaa"), "p1").await;
    let pod = run_by_cri(&daemon, &config("web-6d4cf56db6-bbbbb")).await;
    stop_pod(&daemon.cri().await, &pod).await.unwrap();

    let creates = records(&daemon.home().dir(), "create");
    let by_task = creates.iter().find(|create| create.get("cri").is_none());
    let expected = json!({
        "labels": { "app": "web", "pod-template-hash": "6d4cf56db6" },
        "annotations": { "example.com/owner": "team-a" },
    });
    assert_eq!(by_task.unwrap()["meta"], expected);
    let containers = records(&daemon.home().dir(), "create_container");
    let by_task = containers.iter().find(|create| create.get("cri").is_none());
    assert_eq!(by_task.unwrap()["oom_score_adj"], ADJUSTMENT);
    let expected = json!({
        "example.com/hash": "abc", "io.kubernetes.cri.image-name": "nginx:1",
    });
    assert_eq!(by_task.unwrap()["annotations"], expected);

    // A plan sees two equal pods, from the journal that is being written.
    let input = read(&daemon.home().dir(), on_the_node());
    let pods = &input.inventory.pods;
    assert_eq!(pods.len(), 2);
    for pod in pods {
        assert_eq!(&*pod.namespace, "shop");
        let owner = pod.owner.as_ref().unwrap();
        assert_eq!((&*owner.kind, &*owner.name), ("Deployment", "web"));
        assert_eq!(pod.template.labels["pod-template-hash"], "6d4cf56db6");
        assert_eq!(pod.template.labels.len(), 2, "{:?}", pod.template.labels);
        let requests = &pod.template.effective.requests;
        assert_eq!(requests.cpu(), 100);
        let off = requests.memory().abs_diff(1 << 30);
        assert!(off <= NODE / 2000, "{off} bytes off");
        assert!(pod.arrival.is_some());
    }
    let ended: Vec<bool> = pods.iter().map(|pod| pod.departure.is_some()).collect();
    assert_eq!(ended, [false, true]);
    let assumptions = &input.inventory.assumptions;
    assert_eq!(assumptions.len(), 1, "{assumptions:?}");
    assert!(
        assumptions[0]
            .0
            .contains("2 pods: the memory request is estimated")
    );

    // Without the memory of the node, the request is unknown, and that is said.
    let input = read(&daemon.home().dir(), HistoryArgs::default());
    let requests = &input.inventory.pods[0].template.effective.requests;
    assert_eq!(requests.get("memory"), None);
    assert!(input.inventory.assumptions[0].0.contains("unknown"));
}

#[tokio::test]
async fn facts_survive_a_kill_a_compaction_and_a_copy() {
    let daemon = Daemon::start(&["--history", "--compact-bytes", "1"]);
    run_by_task(&daemon, &config("web-6d4cf56db6-aaaaa"), "p1").await;
    let pod = run_by_cri(&daemon, &config("web-6d4cf56db6-bbbbb")).await;
    stop_pod(&daemon.cri().await, &pod).await.unwrap();
    tests::cri::remove_pod(&daemon.cri().await, &pod)
        .await
        .unwrap();
    let journal = daemon.home().dir().join("journal");
    tests::eventually("a snapshot", || {
        let names = fs::read_dir(&journal)
            .unwrap()
            .map(|entry| entry.unwrap().file_name());
        let is_snapshot = |name: &std::ffi::OsString| name.to_string_lossy().contains("snapshot");
        names.filter(is_snapshot).max()
    });
    let home = daemon.kill9();
    let daemon = home.start();
    let (home, _) = daemon.terminate();

    // A folder with the journals of some nodes.
    let nodes = home.root().join("nodes");
    let copy = nodes.join("n1");
    fs::create_dir_all(&copy).unwrap();
    for entry in fs::read_dir(&journal).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, copy.join(path.file_name().unwrap())).unwrap();
    }
    for dir in [&home.dir(), &copy, &nodes] {
        let all = HistoryArgs {
            history: true,
            ..on_the_node()
        };
        let input = read(dir, all);
        assert_eq!(input.inventory.pods.len(), 2);
        let pods = input.inventory.pods.iter();
        let living: Vec<_> = pods.filter(|pod| pod.departure.is_none()).collect();
        assert_eq!(living.len(), 1);
        assert_eq!(living[0].template.effective.requests.cpu(), 100);
        // The living pod is the same by the snapshot alone.
        let input = read(dir, on_the_node());
        let present: Vec<_> = input
            .inventory
            .pods
            .iter()
            .filter(|pod| pod.departure.is_none())
            .collect();
        assert_eq!(present.len(), 1);
        assert_eq!(present[0].template, living[0].template);
        assert_eq!(present[0].arrival, living[0].arrival);
    }
}

#[tokio::test]
async fn an_applied_manifest_comes_before_the_adjustment() {
    let daemon = Daemon::start(&[]);
    let key = "kubectl.kubernetes.io/last-applied-configuration";
    let applied = |name: &str| PodSandboxConfig {
        annotations: labels(&[(key, MANIFEST)]),
        ..config(name)
    };
    run_by_task(&daemon, &applied("solo-1"), "p1").await;
    run_by_cri(&daemon, &applied("solo-2")).await;
    let input = read(&daemon.home().dir(), on_the_node());
    for pod in &input.inventory.pods {
        assert_eq!(pod.template.effective.requests.memory(), 96 << 20);
        assert_eq!(pod.template.spec.node_selector["disk"], "ssd");
    }
    assert!(input.inventory.assumptions.is_empty());
}

#[tokio::test]
async fn the_binary_reads_a_journal_and_names_the_place_of_damage() {
    let daemon = Daemon::start(&[]);
    let logs = daemon.home().root().join("logs");
    run_pod(&daemon.cri().await, &pod_config("web", &logs)).await;
    let (home, _) = daemon.terminate();
    let run = || {
        Command::new(binary("slotplan"))
            .args(["inventory", "--json"])
            .arg(home.dir())
            .output()
            .unwrap()
    };
    let out = run();
    let document: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert_eq!(document["inputs"][0]["sha256"].as_str().unwrap().len(), 64);

    let segment = home.dir().join("journal/00000000000000000001.jsonl");
    let text = fs::read_to_string(&segment).unwrap();
    fs::write(&segment, text.replacen("\"web\"", "\"wob\"", 1)).unwrap();
    let out = run();
    let message = String::from_utf8_lossy(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    let expected = format!("{}:1: the checksum is missing or wrong", segment.display());
    assert!(message.contains(&expected), "{message}");
}
