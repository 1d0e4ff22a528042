//! The cost of extracting the resources of a pod or container, from each source alone and from
//! all together. The floors read the same bytes, look up the same keys, and parse the numbers
//! at the beginning of the values.

mod beside;

use std::collections::HashMap;
use std::hint::black_box;

use benches::inputs::{
    annotations, config, metadata, of_container, of_sandbox, spec_large, spec_small, spec_v1,
    spec_v2,
};
use containerd_sandbox::Spec;
use cri_api::v1::PodSandboxConfig;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kube_resources::Quantity;
use oci_config::LinuxResources;
use pod_resources::SandboxData;
use prost::Message;
use serde::de::IgnoredAny;

use beside::beside;

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

/// Parses the numbers at the beginning of the values of `keys`.
fn look_up<const N: usize>(map: &HashMap<String, String>, keys: [&str; N]) -> [Option<f64>; N] {
    keys.map(|key| {
        let value = map.get(key)?;
        let end = value
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(value.len());
        value[..end].parse().ok()
    })
}

fn resources(spec: &Spec) -> &LinuxResources {
    let linux = spec.linux.value().expect("the spec has a section linux");
    linux.resources.value().expect("the spec has resources")
}

fn skip_json(bytes: &[u8]) -> IgnoredAny {
    serde_json::from_slice(bytes).expect("the bench's JSON is sound")
}

fn decode(bytes: &[u8]) -> PodSandboxConfig {
    PodSandboxConfig::decode(bytes).expect("the bench's configuration is sound")
}

fn oci(c: &mut Criterion) {
    let bytes = spec_v1();
    let spec: Spec = oci_config::from_slice(&bytes).expect("the bench's spec is sound");
    beside(
        c.benchmark_group("extraction/oci_v1"),
        |b| b.iter(|| of_container(black_box(&spec))),
        |b| {
            b.iter(|| {
                let spec = black_box(&spec);
                let resources = resources(spec);
                let cpu = resources.cpu.value();
                let cpu = cpu.map(|cpu| (&cpu.quota, &cpu.period, &cpu.shares));
                let memory = resources.memory.value();
                let memory = memory.map(|memory| (&memory.limit, &memory.reservation));
                let pids = resources.pids.value().map(|pids| &pids.limit);
                black_box((cpu, memory, pids));
                look_up(&spec.annotations, ANNOTATIONS)
            });
        },
    );
    for (name, bytes) in [
        ("small", spec_small()),
        ("typical", bytes),
        ("64k", spec_large()),
    ] {
        let mut group = c.benchmark_group(format!("extraction/oci_from_json_{name}"));
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        beside(
            group,
            |b| {
                b.iter(|| {
                    let spec: Spec = oci_config::from_slice(black_box(&bytes)).expect("sound");
                    of_container(&spec)
                });
            },
            |b| b.iter(|| skip_json(black_box(&bytes))),
        );
    }

    let spec: Spec = oci_config::from_slice(&spec_v2()).expect("the bench's spec is sound");
    beside(
        c.benchmark_group("extraction/oci_v2"),
        |b| b.iter(|| of_container(black_box(&spec))),
        |b| {
            b.iter(|| {
                let spec = black_box(&spec);
                let files = resources(spec).unified.value();
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

/// Measures quantities beside parsing the number at their beginning.
fn quantities(c: &mut Criterion) {
    for (name, text) in [
        ("whole", "128974848"),
        ("milli", "1500m"),
        ("binary", "2Gi"),
        ("fraction", "0.123456789"),
        ("exponent", "12e6"),
    ] {
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.');
        let number = &text[..digits.unwrap_or(text.len())];
        beside(
            c.benchmark_group(format!("extraction/quantity_{name}")),
            |b| b.iter(|| black_box(text).parse::<Quantity>().expect("sound")),
            |b| b.iter(|| black_box(number).parse::<f64>().expect("a number")),
        );
    }
}

criterion_group!(benches, oci, pod, quantities);
criterion_main!(benches);
