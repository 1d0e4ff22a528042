//! What it costs to learn what a pod or container asks for: each source alone,
//! and merged, beside the floor of parsing the same bytes.

use std::collections::HashMap;
use std::hint::black_box;

use containerd_sandbox::Spec;
use criterion::{Criterion, criterion_group, criterion_main};
use k8s_cri::v1::{
    LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig, PodSandboxMetadata,
};
use prost::Message;
use sandboxer::resource::{ContainerData, OnInvalid, ResourceInfo, SandboxData};
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

fn extraction(c: &mut Criterion) {
    let mut group = c.benchmark_group("extraction");
    let none = HashMap::new();
    let nothing = SandboxData {
        config: None,
        annotations: &none,
        record_labels: &none,
        record_metadata: None,
    };

    for (name, bytes) in [("v1", spec_v1()), ("v2", spec_v2())] {
        let parsed: Spec = serde_json::from_slice(&bytes).expect("the bench's spec is sound");
        group.bench_function(format!("oci/{name}"), |b| {
            b.iter(|| of_container(black_box(&parsed)));
        });
    }
    let bytes = spec_v1();
    group.bench_function("oci/parse_and_extract", |b| {
        b.iter(|| {
            let spec: Spec = serde_json::from_slice(black_box(&bytes)).expect("sound");
            of_container(&spec)
        });
    });
    group.bench_function("oci/floor_parse", |b| {
        b.iter(|| serde_json::from_slice::<Spec>(black_box(&bytes)).expect("sound"));
    });

    let annotations = annotations();
    group.bench_function("annotations", |b| {
        b.iter(|| {
            of_sandbox(&SandboxData {
                annotations: black_box(&annotations),
                ..nothing
            })
        });
    });

    let metadata = metadata();
    group.bench_function("metadata", |b| {
        b.iter(|| {
            of_sandbox(&SandboxData {
                record_metadata: Some(black_box(&metadata)),
                ..nothing
            })
        });
    });
    group.bench_function("metadata/floor_parse", |b| {
        b.iter(|| serde_json::from_slice::<Value>(black_box(&metadata)).expect("sound"));
    });

    let config = config();
    let encoded = config.encode_to_vec();
    group.bench_function("pod_config", |b| {
        b.iter(|| {
            of_sandbox(&SandboxData {
                config: Some(black_box(&config)),
                ..nothing
            })
        });
    });
    group.bench_function("merged/decode_and_extract", |b| {
        b.iter(|| {
            let config = PodSandboxConfig::decode(black_box(encoded.as_slice())).expect("sound");
            of_sandbox(&SandboxData {
                config: Some(&config),
                annotations: &annotations,
                record_labels: &none,
                record_metadata: Some(&metadata),
            })
        });
    });
    group.bench_function("merged/floor_decode", |b| {
        b.iter(|| {
            let config = PodSandboxConfig::decode(black_box(encoded.as_slice())).expect("sound");
            let record: Value = serde_json::from_slice(black_box(&metadata)).expect("sound");
            (config, record)
        });
    });
    group.finish();
}

criterion_group!(benches, extraction);
criterion_main!(benches);
