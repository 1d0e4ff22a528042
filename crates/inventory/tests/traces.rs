//! Traces of other tools to inventories.

use std::collections::BTreeMap;

use inventory::{Inventory, InventoryBuilder, Part, ReadError, read};
use proptest::prelude::*;
use serde::Serialize;
use serde_json::{Value, json};

fn try_read(bytes: &[u8]) -> Result<Inventory, ReadError> {
    let mut builder = InventoryBuilder::new();
    read(&mut builder, "trace", &mut &bytes[..])?;
    builder.finish()
}

#[derive(Serialize)]
struct Trace {
    version: u16,
    config: Value,
    events: Vec<Value>,
    index: Value,
    pod_lifecycles: BTreeMap<(String, String), BTreeMap<u64, Vec<Lifecycle>>>,
}

#[derive(Serialize)]
enum Lifecycle {
    Empty,
    Running(i64),
    Finished(i64, i64),
}

fn trace(events: Vec<Value>) -> Trace {
    let lives = vec![
        Lifecycle::Finished(100, 160),
        Lifecycle::Empty,
        Lifecycle::Running(400),
    ];
    let job = ("batch/v1.CronJob".to_owned(), "ns/night".to_owned());
    Trace {
        version: 2,
        config: json!({"trackedObjects": {}}),
        events,
        index: json!({}),
        pod_lifecycles: BTreeMap::from([(job, BTreeMap::from([(7, lives)]))]),
    }
}

fn bytes(trace: &Trace) -> Vec<u8> {
    rmp_serde::to_vec_named(trace).unwrap()
}

fn web(replicas: u32, cpu: &str) -> Value {
    let container = json!({"name": "a", "resources": {"requests": {"cpu": cpu}}});
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {"name": "web", "namespace": "ns"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [container]}}}
    })
}

fn event(ts: i64, applied: &[Value], deleted: &[Value]) -> Value {
    json!({"ts": ts, "applied_objs": applied, "deleted_objs": deleted})
}

/// Returns a line for each pod: name, CPU, arrival and departure in seconds.
fn lives(all: &Inventory) -> Vec<String> {
    let seconds = |time: Option<inventory::Timestamp>| {
        time.map_or("-".to_owned(), |time| (time.0 / 1_000_000_000).to_string())
    };
    let line = |pod: &inventory::Pod| {
        let cpu = pod.template.effective.requests.cpu();
        let (start, end) = (seconds(pod.arrival), seconds(pod.departure));
        format!("{} {cpu} {start} {end}", pod.name)
    };
    all.pods.iter().map(line).collect()
}

#[test]
fn pods_of_a_simkube_trace_follow_their_workloads() {
    let bare = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare"},
        "spec": {"containers": [{"name": "a"}]}
    });
    let night = json!({
        "apiVersion": "batch/v1", "kind": "CronJob",
        "metadata": {"name": "night", "namespace": "ns"},
        "spec": {"jobTemplate": {"spec": {"template": {"spec": {"containers": [{"name": "a"}]}}}}}
    });
    let events = vec![
        event(10, &[web(2, "1"), night], &[]),
        event(20, &[web(3, "1"), bare.clone()], &[]),
        event(30, &[web(1, "1")], &[]),
        event(40, &[web(1, "2")], &[bare]),
        event(
            50,
            &[json!({"apiVersion": "v1", "kind": "ConfigMap"})],
            &[web(0, "2")],
        ),
    ];
    let all = try_read(&bytes(&trace(events))).unwrap();
    assert_eq!(
        lives(&all),
        [
            "web-00001 1000 10 30",
            "web-00000 1000 10 40",
            "web-00002 1000 20 30",
            "bare 0 20 40",
            "web-00000 2000 40 50",
            "night-00000 0 100 160",
            "night-00002 0 400 -",
        ]
    );
    assert_eq!(&*all.pods[0].owner.as_ref().unwrap().name, "web");
    assert_eq!(all.ignored[0].kind, "ConfigMap");
}

#[test]
fn a_wrong_simkube_trace_is_refused() {
    let error = |trace: &Trace| try_read(&bytes(trace)).unwrap_err().to_string();
    let mut old = trace(Vec::new());
    old.version = 1;
    assert_eq!(error(&old), "trace: trace version 1: only 2 is known");
    let unordered = trace(vec![event(10, &[], &[]), event(9, &[], &[])]);
    assert_eq!(
        error(&unordered),
        "trace: events[1].ts: 9 is before the event before it, 10"
    );
    assert_eq!(
        error(&trace(vec![event(1, &[web(1, "much")], &[])])),
        "trace: events[0].applied_objs[0].spec.template.spec.containers[0].resources.requests.cpu: \
         \"much\": not a quantity such as 500m, 1.5, 2Gi or 1e3"
    );
    let cut = &bytes(&trace(vec![event(1, &[web(1, "1")], &[])]))[..60];
    let error = try_read(cut).unwrap_err().to_string();
    assert!(
        error.starts_with("trace: not a trace of SimKube: "),
        "{error}"
    );
}

const NODES: &str =
    "sn,cpu_milli,memory_mib,gpu,model\nn0,32000,262144,0,\nn1,96000,1024,8,V100M32\n";
const PODS: &str = "\
name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
p0,12000,16384,1,460,,LS,Running,5,30,5
p1,6000,1,8,1000,V100M16|V100M32,BE,Pending,0,30,
";

#[test]
fn openb_lists_are_nodes_and_pods() {
    let mut builder = InventoryBuilder::new();
    for text in [NODES, PODS] {
        read(&mut builder, "x.csv", &mut text.as_bytes()).unwrap();
    }
    let all = builder.finish().unwrap();
    assert_eq!(lives(&all), ["p1 6000 0 30", "p0 12000 5 30"]);
    let gpu = "alibabacloud.com/gpu-milli";
    let requests = |place: usize| all.pods[place].template.effective.requests.get(gpu);
    assert_eq!((requests(0), requests(1)), (Some(8000), Some(460)));
    assert_eq!(all.pods[1].template.labels["alibabacloud.com/qos"], "LS");
    assert_eq!(all.nodes[1].allocatable.get(gpu), Some(8000));
    assert_eq!(all.nodes[0].allocatable.get(gpu), None);
    assert_eq!(all.nodes[1].allocatable.memory(), 1 << 30);
    assert_eq!(
        all.nodes[1].labels["alibabacloud.com/gpu-card-model"],
        "V100M32"
    );
    assert_eq!(all.pods[0].source.line, 3);
    let mut builder = InventoryBuilder::new();
    builder.select(Part::Nodes);
    read(&mut builder, "x.csv", &mut PODS.as_bytes()).unwrap();
    assert_eq!(builder.finish().unwrap().pods.len(), 0);
}

#[test]
fn a_wrong_openb_list_is_refused() {
    for (from, to, expected) in [
        (
            "12000",
            "-1",
            "trace:2: cpu_milli: -1 is not a number from 0 to 1099511627776",
        ),
        (
            "16384",
            "1e3",
            "trace:2: memory_mib: invalid digit found in string",
        ),
        (
            "0,30,",
            "60,30,",
            "trace:3: deletion_time: 30 is before creation_time, 60",
        ),
        (",460", "", "trace:2: 10 values in a file of 11 columns"),
    ] {
        let error = try_read(PODS.replacen(from, to, 1).as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let twice = format!("{NODES}n0,1,1,0,\n");
    assert_eq!(
        try_read(twice.as_bytes()).unwrap_err().to_string(),
        "trace:4: Node n0: is there twice, first at trace:2"
    );
}

proptest! {
    #[test]
    fn no_change_of_a_trace_makes_the_reader_panic(
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = bytes(&trace(vec![event(10, &[web(2, "1")], &[web(2, "1")])]));
        let place = place.index(bytes.len());
        bytes[place] = byte;
        bytes.truncate(cut.index(bytes.len()).max(place) + 1);
        let _ = try_read(&bytes);
    }
}

/// Seeds of the fuzz target, and the number of pods and nodes of each.
#[test]
fn seeds_of_the_fuzz_target_are_read() {
    let seeds: [(&[u8], usize, usize); 5] = [
        (
            include_bytes!("../../../fuzz/seeds/inventory/kinds.yaml"),
            6,
            1,
        ),
        (
            include_bytes!("../../../fuzz/seeds/inventory/dump.json"),
            1,
            1,
        ),
        (
            include_bytes!("../../../fuzz/seeds/inventory/trace.sktrace"),
            5,
            0,
        ),
        (
            include_bytes!("../../../fuzz/seeds/inventory/nodes.csv"),
            0,
            2,
        ),
        (
            include_bytes!("../../../fuzz/seeds/inventory/pods.csv"),
            2,
            0,
        ),
    ];
    for (seed, pods, nodes) in seeds {
        let all = try_read(seed).unwrap();
        assert_eq!((all.pods.len(), all.nodes.len()), (pods, nodes));
    }
}
