//! Inputs of the extraction of resources: invented, with the shape and size of real ones.

use std::collections::HashMap;

use containerd_sandbox::Spec;
use cri_api::v1::{
    LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig, PodSandboxMetadata,
};
use pod_resources::{ContainerData, OnInvalid, ResourceInfo, SandboxData};
use serde_json::{Value, json};

/// Returns a pod's annotations, among them all that are parsed.
pub fn annotations() -> HashMap<String, String> {
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

/// Returns a pod's configuration.
pub fn config() -> PodSandboxConfig {
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

/// Returns containerd's record of a pod, in JSON.
pub fn metadata() -> Vec<u8> {
    json!({ "Version": "v1", "Metadata": { "ID": "p", "Config": {
        "metadata": { "name": "web-0", "uid": "u", "namespace": "shop" },
        "annotations": annotations(),
        "linux": { "resources": { "cpu_shares": 768, "memory_limit_in_bytes": 1 << 30 } },
    } } })
    .to_string()
    .into_bytes()
}

/// Returns a container's OCI spec with these resources, in JSON.
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

/// Returns a spec with the fields of cgroup v1.
pub fn spec_v1() -> Vec<u8> {
    spec(&json!({
        "cpu": { "shares": 768, "quota": 150_000, "period": 100_000 },
        "memory": { "limit": 1 << 30, "reservation": 512 << 20 },
        "pids": { "limit": 1000 },
    }))
}

/// Returns a spec with the files of cgroup v2.
pub fn spec_v2() -> Vec<u8> {
    spec(&json!({ "unified": {
        "cpu.max": "150000 100000", "cpu.weight": "30", "memory.max": "1073741824",
        "memory.min": "536870912", "pids.max": "1000",
    } }))
}

/// Extracts the resources of a container.
///
/// # Panics
/// If a value is invalid.
pub fn of_container(spec: &Spec) -> ResourceInfo {
    let data = ContainerData {
        linux: &spec.linux,
        annotations: &spec.annotations,
    };
    ResourceInfo::from_container_data(&data, OnInvalid::Reject)
        .expect("the bench's values are sound")
        .info
}

/// Extracts the resources of a sandbox.
///
/// # Panics
/// If a value is invalid.
pub fn of_sandbox(data: &SandboxData<'_>) -> ResourceInfo {
    ResourceInfo::from_sandbox_data(data, OnInvalid::Reject)
        .expect("the bench's values are sound")
        .info
}

/// Returns a minimal spec.
pub fn spec_small() -> Vec<u8> {
    br#"{"ociVersion":"1.2.1","process":{"args":["pause"],"cwd":"/"},"root":{"path":"rootfs"}}"#
        .to_vec()
}

/// Returns a spec of 64 KiB, mostly environment and mounts, as operators generate them.
pub fn spec_large() -> Vec<u8> {
    let text = spec_v1();
    let mut spec: Value = serde_json::from_slice(&text).unwrap_or_default();
    let missing = (64_usize << 10).saturating_sub(text.len());
    // Each variable takes 64 bytes, with quotes and comma.
    let env = (0..missing / 64).map(|n| format!("VARIABLE_{n:04}={:-<48}", ""));
    spec["process"]["env"] = env.collect();
    spec.to_string().into_bytes()
}
