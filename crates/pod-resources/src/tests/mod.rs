//! Tests of the whole extraction, with shared builders.

mod corpus;
mod invalid;
mod podfacts;
mod properties;
mod rows;
mod updates;

use std::collections::HashMap;

use cri_api::v1::{LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig};
use oci_config::{Field, LinuxResources, Spec};
use serde_json::{Value, json};

use super::{ContainerData, Extraction, InvalidResource, OnInvalid, ResourceInfo, SandboxData};

fn info(stated: Value) -> ResourceInfo {
    serde_json::from_value(stated).unwrap()
}

fn map(entries: Value) -> HashMap<String, String> {
    serde_json::from_value(entries).unwrap()
}

/// Returns a container's spec in the shape that containerd writes.
fn spec(resources: &Value, annotations: &Value) -> Spec {
    let mut spec = json!({
        "ociVersion": "1.2.1",
        "process": {
            "user": {"uid": 0, "gid": 0, "additionalGids": [0]},
            "args": ["sleep", "3600"],
            "env": ["PATH=/bin:/usr/bin:/sbin", "HOSTNAME=web-0"],
            "cwd": "/",
            "oomScoreAdj": 985
        },
        "root": {"path": "rootfs"},
        "mounts": [{
            "destination": "/proc", "type": "proc", "source": "proc",
            "options": ["nosuid", "noexec", "nodev"]
        }],
        "annotations": {
            "io.kubernetes.cri.container-name": "web",
            "io.kubernetes.cri.container-type": "container",
            "io.kubernetes.cri.sandbox-id": "7e9d055115eda0f6",
            "io.kubernetes.cri.sandbox-name": "web-0",
            "io.kubernetes.cri.sandbox-namespace": "default"
        },
        "linux": {
            "resources": {"devices": [{"allow": false, "access": "rwm"}]},
            "cgroupsPath": "/k8s.io/3208537b74f685fa",
            "namespaces": [{"type": "pid", "path": "/proc/0/ns/pid"}, {"type": "mount"}]
        }
    });
    let merge = |into: &mut Value, from: &Value| {
        into.as_object_mut()
            .unwrap()
            .extend(from.as_object().unwrap().clone());
    };
    merge(&mut spec["linux"]["resources"], resources);
    merge(&mut spec["annotations"], annotations);
    decoded(&spec)
}

/// Decodes a JSON value from its text.
fn decoded<T: serde::de::DeserializeOwned>(json: &Value) -> T {
    oci_config::from_slice(json.to_string().as_bytes()).unwrap()
}

fn extract_container(spec: &Spec, on_invalid: OnInvalid) -> Result<Extraction, InvalidResource> {
    let data = ContainerData {
        linux: &spec.linux,
        annotations: &spec.annotations,
    };
    ResourceInfo::from_container_data(&data, on_invalid)
}

/// Returns `LinuxContainerResources` from its JSON form, which leaves zeros out.
fn cri(resources: &Value) -> LinuxContainerResources {
    let number = |key: &str| resources[key].as_i64().unwrap_or(0);
    LinuxContainerResources {
        cpu_period: number("cpu_period"),
        cpu_quota: number("cpu_quota"),
        cpu_shares: number("cpu_shares"),
        memory_limit_in_bytes: number("memory_limit_in_bytes"),
        oom_score_adj: number("oom_score_adj"),
        unified: resources
            .get("unified")
            .map(|unified| map(unified.clone()))
            .unwrap_or_default(),
        ..LinuxContainerResources::default()
    }
}

fn pod_config(linux: &Value, annotations: &Value) -> PodSandboxConfig {
    PodSandboxConfig {
        annotations: map(annotations.clone()),
        linux: linux.is_object().then(|| LinuxPodSandboxConfig {
            cgroup_parent: "/kubepods/burstable/pod07a5".to_owned(),
            overhead: linux.get("overhead").map(cri),
            resources: linux.get("resources").map(cri),
            ..LinuxPodSandboxConfig::default()
        }),
        ..PodSandboxConfig::default()
    }
}

/// Returns containerd's record of a pod, as it arrives in `extensions["metadata"]`.
fn record(linux: &Value, annotations: &Value) -> Vec<u8> {
    let mut config = json!({
        "metadata": {"name": "web-0", "uid": "f07700a5", "namespace": "default"},
        "hostname": "web-0",
        "log_directory": "/var/log/pods/default_web-0_f07700a5",
        "dns_config": {"servers": ["10.96.0.10"], "options": ["ndots:5"]},
        "port_mappings": [{"container_port": 80}],
        "labels": {"app": "web"},
        "annotations": annotations
    });
    if linux.is_object() {
        config["linux"] = linux.clone();
        config["linux"]["cgroup_parent"] = json!("/kubepods/burstable/pod07a5");
        config["linux"]["security_context"] = json!({"namespace_options": {"pid": 1}});
    }
    serde_json::to_vec(&json!({
        "Version": "v1",
        "Metadata": {
            "ID": "7e9d055115eda0f6", "Name": "web-0_default_f07700a5_0", "Config": config,
            "NetNSPath": "/var/run/netns/cni-1", "IP": "10.244.0.7", "AdditionalIPs": null,
            "RuntimeHandler": "resource-slot", "CNIResult": {"Interfaces": {}}, "ProcessLabel": ""
        }
    }))
    .unwrap()
}

/// The data of a sandbox, owned.
#[derive(Default)]
struct Sandbox {
    config: Option<PodSandboxConfig>,
    annotations: HashMap<String, String>,
    labels: HashMap<String, String>,
    record: Option<Vec<u8>>,
}

impl Sandbox {
    fn extract(&self, on_invalid: OnInvalid) -> Result<Extraction, InvalidResource> {
        let data = SandboxData {
            config: self.config.as_ref(),
            annotations: &self.annotations,
            record_labels: &self.labels,
            record_metadata: self.record.as_deref(),
        };
        ResourceInfo::from_sandbox_data(&data, on_invalid)
    }

    fn info(&self) -> ResourceInfo {
        self.extract(OnInvalid::Reject).unwrap().info
    }
}
