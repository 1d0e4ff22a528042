//! What it costs to learn what a pod or container asks for: each source alone,
//! and all of them. The floor is what cannot be left out: to get over the same
//! bytes, to look up the same keys, and to read the numbers they begin with.

use std::collections::HashMap;
use std::hint::black_box;

use benches::beside;
use containerd_sandbox::Spec;
use criterion::{Criterion, criterion_group, criterion_main};
use k8s_cri::v1::{
    LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig, PodSandboxMetadata,
};
use oci_spec::runtime::LinuxPids;
use prost::Message;
use sandboxer::resource::{ContainerData, OnInvalid, ResourceInfo, SandboxData};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

fn annotations() -> HashMap<String, String> {
    [
        ("resources.limits.cpu", "1500m"),
        ("resources.limits.memory", "2Gi"),
        ("resources.requests.cpu", "0.75"),
        ("resources.requests.memory", "129M"),
        ("resources.limits.pid", "1000"),
        ("resources.limits.ephemeral-storage", "10Gi"),
        ("kubernetes.io/ingress-bandwidth", "10M"),
        ("kubernetes.io/egress-bandwidth", "20M"),
        ("io.kubernetes.cri.container-name", "app"),
        ("example.com/owner", "team-a"),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into()
}

fn config() -> PodSandboxConfig {
    let resources = |shares, memory| LinuxContainerResources {
        cpu_period: 100_000,
        cpu_quota: 150_000,
        cpu_shares: shares,
        memory_limit_in_bytes: memory,
        ..Default::default()
    };
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: "web-0".to_owned(),
            uid: "6f2d3c1e-0d62-4f6a-9a44-0a4b6c1d2e3f".to_owned(),
            namespace: "shop".to_owned(),
            attempt: 0,
        }),
        labels: annotations(),
        annotations: annotations(),
        linux: Some(LinuxPodSandboxConfig {
            resources: Some(resources(768, 1 << 30)),
            overhead: Some(resources(256, 120 << 20)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn metadata() -> Vec<u8> {
    json!({ "Version": "v1", "Metadata": { "ID": "p", "Config": {
        "metadata": { "name": "web-0", "uid": "u", "namespace": "shop" },
        "annotations": annotations(),
        "linux": { "resources": { "cpu_shares": 768, "memory_limit_in_bytes": 1 << 30 } },
    } } })
    .to_string()
    .into_bytes()
}

fn spec(resources: &Value) -> Vec<u8> {
    json!({
        "ociVersion": "1.2.1",
        "process": { "args": ["sleep", "3600"], "env": ["PATH=/bin:/usr/bin", "HOSTNAME=web-0"], "cwd": "/" },
        "root": { "path": "rootfs" },
        "mounts": (0..12).map(|i| json!({
            "destination": format!("/mnt/{i}"), "type": "bind", "source": format!("/var/lib/{i}"),
            "options": ["rbind", "rprivate", "rw"],
        })).collect::<Vec<_>>(),
        "annotations": annotations(),
        "linux": { "resources": resources, "namespaces": [{ "type": "pid" }, { "type": "mount" }] },
    })
    .to_string()
    .into_bytes()
}

fn spec_v1() -> Vec<u8> {
    spec(&json!({
        "cpu": { "shares": 768, "quota": 150_000, "period": 100_000 },
        "memory": { "limit": 1 << 30, "reservation": 512 << 20 },
        "pids": { "limit": 1000 },
    }))
}

fn spec_v2() -> Vec<u8> {
    spec(&json!({ "unified": {
        "cpu.max": "150000 100000", "cpu.weight": "30", "memory.max": "1073741824",
        "memory.min": "536870912", "pids.max": "1000",
    } }))
}

fn of_container(spec: &Spec) -> ResourceInfo {
    let data = ContainerData {
        resources: spec.resources(),
        annotations: &spec.annotations,
    };
    ResourceInfo::from_container_data(&data, OnInvalid::Reject)
        .expect("the bench's values are sound")
        .info
}

fn of_sandbox(data: &SandboxData<'_>) -> ResourceInfo {
    ResourceInfo::from_sandbox_data(data, OnInvalid::Reject)
        .expect("the bench's values are sound")
        .info
}

const ANNOTATIONS: [&str; 8] = [
    "resources.limits.cpu",
    "resources.limits.memory",
    "resources.limits.pid",
    "resources.limits.ephemeral-storage",
    "resources.requests.cpu",
    "resources.requests.memory",
    "kubernetes.io/ingress-bandwidth",
    "kubernetes.io/egress-bandwidth",
];

const CGROUP_FILES: [&str; 6] = [
    "cpu.max",
    "cpu.weight",
    "memory.max",
    "memory.min",
    "memory.low",
    "pids.max",
];

/// The numbers that the values of `keys` begin with.
fn look_up<const N: usize>(map: &HashMap<String, String>, keys: [&str; N]) -> [Option<f64>; N] {
    keys.map(|key| {
        let value = map.get(key)?;
        let end = value
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(value.len());
        value[..end].parse().ok()
    })
}

fn skip_json(bytes: &[u8]) -> IgnoredAny {
    serde_json::from_slice(bytes).expect("the bench's JSON is sound")
}

fn decode(bytes: &[u8]) -> PodSandboxConfig {
    PodSandboxConfig::decode(bytes).expect("the bench's configuration is sound")
}

fn oci(c: &mut Criterion) {
    let bytes = spec_v1();
    let spec: Spec = serde_json::from_slice(&bytes).expect("the bench's spec is sound");
    beside(
        c.benchmark_group("extraction/oci_v1"),
        |b| b.iter(|| of_container(black_box(&spec))),
        |b| {
            b.iter(|| {
                let spec = black_box(&spec);
                let resources = spec.resources().expect("the spec has resources");
                let cpu = resources
                    .cpu()
                    .as_ref()
                    .map(|cpu| (cpu.quota(), cpu.period(), cpu.shares()));
                let memory = resources
                    .memory()
                    .as_ref()
                    .map(|m| (m.limit(), m.reservation()));
                let pids = resources.pids().as_ref().map(LinuxPids::limit);
                (cpu, memory, pids, look_up(&spec.annotations, ANNOTATIONS))
            });
        },
    );
    beside(
        c.benchmark_group("extraction/oci_v1_from_json"),
        |b| {
            b.iter(|| {
                let spec: Spec = serde_json::from_slice(black_box(&bytes)).expect("sound");
                of_container(&spec)
            });
        },
        |b| b.iter(|| skip_json(black_box(&bytes))),
    );

    let spec: Spec = serde_json::from_slice(&spec_v2()).expect("the bench's spec is sound");
    beside(
        c.benchmark_group("extraction/oci_v2"),
        |b| b.iter(|| of_container(black_box(&spec))),
        |b| {
            b.iter(|| {
                let spec = black_box(&spec);
                let files = spec.resources().and_then(|r| r.unified().as_ref());
                let files = look_up(files.expect("the spec has files"), CGROUP_FILES);
                (files, look_up(&spec.annotations, ANNOTATIONS))
            });
        },
    );
}

fn pod(c: &mut Criterion) {
    let none = HashMap::new();
    let nothing = SandboxData {
        config: None,
        annotations: &none,
        record_labels: &none,
        record_metadata: None,
    };

    let annotations = annotations();
    beside(
        c.benchmark_group("extraction/annotations"),
        |b| {
            b.iter(|| {
                of_sandbox(&SandboxData {
                    annotations: black_box(&annotations),
                    ..nothing
                })
            });
        },
        |b| b.iter(|| look_up(black_box(&annotations), ANNOTATIONS)),
    );

    let metadata = metadata();
    beside(
        c.benchmark_group("extraction/metadata"),
        |b| {
            b.iter(|| {
                of_sandbox(&SandboxData {
                    record_metadata: Some(black_box(&metadata)),
                    ..nothing
                })
            });
        },
        |b| b.iter(|| skip_json(black_box(&metadata))),
    );

    let encoded = config().encode_to_vec();
    beside(
        c.benchmark_group("extraction/pod_config"),
        |b| {
            b.iter(|| {
                let config = decode(black_box(&encoded));
                of_sandbox(&SandboxData {
                    config: Some(&config),
                    ..nothing
                })
            });
        },
        |b| b.iter(|| decode(black_box(&encoded))),
    );
    beside(
        c.benchmark_group("extraction/all_sources"),
        |b| {
            b.iter(|| {
                let config = decode(black_box(&encoded));
                of_sandbox(&SandboxData {
                    config: Some(&config),
                    annotations: black_box(&annotations),
                    record_labels: &none,
                    record_metadata: Some(black_box(&metadata)),
                })
            });
        },
        |b| {
            b.iter(|| {
                let config = decode(black_box(&encoded));
                let annotations = look_up(black_box(&annotations), ANNOTATIONS);
                (config, annotations, skip_json(black_box(&metadata)))
            });
        },
    );
}

criterion_group!(benches, oci, pod);
criterion_main!(benches);
