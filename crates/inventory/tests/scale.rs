//! Reading at scale, with limits. Run by hand: `cargo test --release -p inventory --test scale --
//! --ignored --nocapture --test-threads 1`.

#![expect(
    clippy::disallowed_methods,
    reason = "the measurements are read from proc(5)"
)]

use std::fmt::Write as _;
use std::time::Duration;

use inventory::journal::{JournalOptions, JournalReader, Segment};
use inventory::usage::UsageReader;
use inventory::{Inventory, InventoryBuilder};

/// Pods of the journal; a million take five times as long and as much.
const PODS: u64 = 200_000;
/// Workloads to which the pods belong.
const WORKLOADS: u64 = 200;

/// Writes the journal of pods as a sandboxer behind containerd does: eight records each.
fn journal() -> String {
    let mut text = String::new();
    let mut seq = 0;
    let mut record = |pod: u64, step: u64, change: &str| {
        seq += 1;
        let (begin, second) = (text.len(), pod / 1000 + step);
        write!(
            text,
            "{{\"seq\":{seq},\"at\":\"2026-01-01T{:02}:{:02}:{:02}.{:09}Z\",\"ns\":\"k8s.io\",\
             \"sandbox\":\"{pod:064x}\",\"do\":{change}",
            second / 3600,
            second / 60 % 60,
            second % 60,
            pod % 1_000_000_000
        )
        .unwrap();
        let crc = crc32fast::hash(&text.as_bytes()[begin..]);
        writeln!(text, ",\"crc\":\"{crc:08x}\"}}").unwrap();
    };
    for pod in 0..PODS {
        let (workload, id) = (pod % WORKLOADS, format!("{:064x}", pod + (1 << 60)));
        let create = format!(
            r#"{{"create":{{"pid":{pid},"info":{{"cpu_limit":null,"cpu_request":0.25,"memory_limit":null,"memory_request":null,"pid_limit":null,"storage_limit":null,"network_bandwidth":null}},"pod":{{"name":"web-{workload}-6d4cf56db6-{pod:05x}","namespace":"team-{team}","uid":"d35fa509-9687-4be2-9138-{pod:012x}","attempt":0}},"hints":{{"hostname":"web-{workload}-6d4cf56db6-{pod:05x}","resolv_conf":"search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n"}},"meta":{{"labels":{{"app":"web-{workload}","app.kubernetes.io/part-of":"shop","pod-template-hash":"6d4cf56db6"}},"annotations":{{"kubernetes.io/config.source":"api"}}}}}}}}"#,
            pid = 4_194_305 + pod,
            team = workload % 10,
        );
        record(pod, 0, &create);
        record(pod, 1, "\"start\"");
        let container = format!(
            r#"{{"create_container":{{"id":"{id}","name":"app","bundle":"/run/containerd/io.containerd.runtime.v2.task/k8s.io/{id}","info":{{"cpu_limit":0.5,"cpu_request":0.25,"memory_limit":{memory},"memory_request":null,"pid_limit":null,"storage_limit":null,"network_bandwidth":null}},"oom_score_adj":938,"annotations":{{"io.kubernetes.cri.image-name":"registry.example/shop/web:{workload}"}},"process":{{"pid":{pid},"stdio":{{"stdout":"/run/containerd/{id}-stdout","stderr":"/run/containerd/{id}-stderr"}},"command":["sleep","infinity"]}}}}}}"#,
            memory = (workload + 1) << 26,
            pid = 8_194_305 + pod,
        );
        record(pod, 2, &container);
        record(
            pod,
            3,
            &format!(r#"{{"start_process":{{"container":"{id}"}}}}"#),
        );
        record(
            pod,
            4,
            &format!(r#"{{"exit":[{{"container":"{id}"}},143]}}"#),
        );
        record(
            pod,
            4,
            &format!(r#"{{"delete_process":{{"container":"{id}"}}}}"#),
        );
        record(pod, 5, r#"{"stop":0}"#);
        record(pod, 6, "\"delete\"");
    }
    text
}

/// Returns the time that this thread has had a core (`schedstat` of proc(5)).
fn core_time() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
}

/// Returns the resident memory of this process in bytes.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = text.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

#[test]
#[ignore = "a measurement, for the release profile"]
fn a_journal_of_a_million_pods_is_read_in_five_seconds() {
    let text = journal();
    let before = resident();
    let began = core_time();
    let mut builder = InventoryBuilder::new();
    let options = JournalOptions {
        node_memory: Some(16 << 30),
    };
    let mut reader = JournalReader::new("journal", 0, options);
    let segment = Segment {
        first: 1,
        next: None,
    };
    reader
        .segment(&mut builder, "1.jsonl", segment, &mut text.as_bytes())
        .unwrap();
    reader.finish(&mut builder);
    let took = core_time().saturating_sub(began);
    let bytes = resident().saturating_sub(before) / PODS;
    let inventory = builder.finish().unwrap();
    assert_eq!(inventory.pods.len() as u64, PODS);
    let limit = Duration::from_secs(5) * u32::try_from(PODS).unwrap() / 1_000_000;
    let verdict = if took <= limit { "met" } else { "MISSED" };
    println!(
        "{verdict}: {PODS} pods of a journal with {} bytes for each: {took:.2?}, at most {limit:?}; \
         {bytes} bytes of memory for each",
        text.len() as u64 / PODS
    );
    assert!(took <= limit);
}

/// Samples of each form of usage.
const SAMPLES: u64 = 2_000_000;
/// Samples of one series: a day of minutes.
const MINUTES: u64 = 1440;

fn usage(form: &str, text: &str) -> Inventory {
    let before = resident();
    let began = core_time();
    let (mut builder, mut reader) = (InventoryBuilder::new(), UsageReader::new());
    reader.read(form, &mut text.as_bytes(), None).unwrap();
    reader.finish(&mut builder);
    let took = core_time().saturating_sub(began);
    let bytes = resident().saturating_sub(before) / SAMPLES;
    let limit = Duration::from_secs(5) * u32::try_from(SAMPLES).unwrap() / 10_000_000;
    let verdict = if took <= limit { "met" } else { "MISSED" };
    println!(
        "{verdict}: {SAMPLES} samples as {form}: {took:.2?}, at most {limit:?}; {bytes} bytes of memory for each"
    );
    assert!(took <= limit, "{took:?}");
    builder.finish().unwrap()
}

#[test]
#[ignore = "a measurement, for the release profile"]
fn ten_million_samples_are_read_in_five_seconds() {
    let mut table = "time,namespace,pod,container,cpu_millicores,memory_bytes\n".to_owned();
    for sample in 0..SAMPLES / 2 {
        let (series, minute) = (sample / MINUTES, sample % MINUTES);
        let time = 1_700_000_000 + minute * 60;
        let memory = (64 << 20) + sample % 4096;
        writeln!(
            table,
            "{time},team,web-{series},app,{}.5,{memory}",
            sample % 900
        )
        .unwrap();
    }
    let of_table = usage("CSV", &table);
    drop(table);
    let (mut json, mut text) = (String::new(), String::new());
    json.push_str(r#"{"status":"success","data":{"resultType":"matrix","result":["#);
    for series in 0..SAMPLES / MINUTES {
        let comma = if series == 0 { "" } else { "," };
        write!(json, r#"{comma}{{"metric":{{"__name__":"container_memory_working_set_bytes","namespace":"team","pod":"web-{series}","container":"app"}},"values":["#).unwrap();
        for minute in 0..MINUTES {
            let (comma, time) = (
                if minute == 0 { "" } else { "," },
                1_700_000_000 + minute * 60,
            );
            let memory = (64 << 20) + minute % 4096;
            write!(json, r#"{comma}[{time}.781,"{memory}"]"#).unwrap();
            writeln!(text, r#"container_memory_working_set_bytes{{container="app",namespace="team",pod="web-{series}"}} {memory} {time}781"#).unwrap();
        }
        json.push_str("]}");
    }
    json.push_str("]}}");
    let of_json = usage("JSON of Prometheus", &json);
    drop(json);
    let of_text = usage("metrics as text", &text);
    assert_eq!(of_json.usage, of_text.usage);
    assert_eq!(of_table.usage.len() as u64, SAMPLES / 2 / MINUTES + 1);
}
