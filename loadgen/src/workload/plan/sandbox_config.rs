//! CRI `PodSandboxConfig` of a pod, as the options of Create carry it.

use std::collections::HashMap;

use cri_api::v1::{
    LinuxPodSandboxConfig, LinuxSandboxSecurityContext, NamespaceOption, PodSandboxConfig,
    PodSandboxMetadata,
};
use prost::Message;

use super::Pod;

/// Type URL of the message in containerd's Create request.
pub const TYPE_URL: &str = "runtime.v1.PodSandboxConfig";

/// Label with the uid of the pod.
pub const UID_LABEL: &str = "io.kubernetes.pod.uid";

fn labels(pod: &Pod) -> [(&'static str, &str); 4] {
    [
        ("app", &*pod.app),
        ("io.kubernetes.pod.name", &pod.name),
        ("io.kubernetes.pod.namespace", &*pod.namespace),
        (UID_LABEL, &pod.uid),
    ]
}

fn config(pod: &Pod, labels: HashMap<String, String>) -> PodSandboxConfig {
    PodSandboxConfig {
        metadata: Some(PodSandboxMetadata {
            name: pod.name.clone(),
            uid: pod.uid.clone(),
            namespace: pod.namespace.clone().into_owned(),
            attempt: 0,
        }),
        hostname: pod.name.clone(),
        log_directory: format!("/var/log/pods/{}_{}_{}", pod.namespace, pod.name, pod.uid),
        labels,
        // No resources: without values of its own, the sandbox shows the sum of its
        // containers.
        linux: Some(LinuxPodSandboxConfig {
            cgroup_parent: format!("/kubepods/burstable/pod{}", pod.uid),
            security_context: Some(LinuxSandboxSecurityContext {
                namespace_options: Some(NamespaceOption::default()),
                ..LinuxSandboxSecurityContext::default()
            }),
            ..LinuxPodSandboxConfig::default()
        }),
        ..PodSandboxConfig::default()
    }
}

/// Builds the message with a label map, for display.
pub(super) fn message(pod: &Pod) -> PodSandboxConfig {
    let labels = labels(pod).map(|(key, value)| (key.to_owned(), value.to_owned()));
    config(pod, HashMap::from(labels))
}

/// Encodes the message to the same bytes every time.
///
/// A protobuf map has no order, and a `HashMap` iterates in a random one.
/// Concatenated encoded messages merge when decoded, so the labels are appended one
/// by one.
pub(super) fn encode(pod: &Pod) -> Vec<u8> {
    let mut bytes = config(pod, HashMap::new()).encode_to_vec();
    for (key, value) in labels(pod) {
        let label = PodSandboxConfig {
            labels: HashMap::from([(key.to_owned(), value.to_owned())]),
            ..PodSandboxConfig::default()
        };
        bytes.extend(label.encode_to_vec());
    }
    bytes
}
