//! CRI requests of a pod, in the form that a kubelet sends.

use std::collections::HashMap;

use cri_api::v1::{
    ContainerConfig, ContainerMetadata, ImageSpec, LinuxContainerConfig, LinuxContainerResources,
    LinuxContainerSecurityContext, NamespaceMode, NamespaceOption, PodSandboxConfig,
};

use super::request::PERIOD_US;
use super::{Container, Pod, sandbox_config};

/// Keys of cgroup v2 for resources without a CRI field. A runtime copies them into
/// the OCI spec unchanged.
const PIDS_MAX: &str = "pids.max";
const MEMORY_MIN: &str = "memory.min";

/// Command of a container on a real runtime: sleeps until SIGTERM, then exits with
/// the status that a shell reports for a process ended by SIGTERM.
const SCRIPT: &str = "trap 'exit 143' TERM; sleep 2147483647 & wait";

/// Builds the sandbox config of a pod in the network of the host, so no CNI plugin is
/// needed. Like a kubelet, it leaves the host name empty there: runc sets none
/// without a UTS namespace of the pod.
pub(super) fn sandbox_config(pod: &Pod) -> PodSandboxConfig {
    let mut config = sandbox_config::message(pod);
    config.hostname.clear();
    let context = config
        .linux
        .get_or_insert_default()
        .security_context
        .get_or_insert_default();
    context.namespace_options = Some(NamespaceOption {
        network: NamespaceMode::Node.into(),
        ..NamespaceOption::default()
    });
    config
}

/// Builds the config of one container.
pub(super) fn container_config(
    container: &Container,
    image: &str,
    attempt: u32,
) -> ContainerConfig {
    let stated = &container.resources;
    let mut unified = HashMap::new();
    if let Some(pids) = stated.pids {
        unified.insert(PIDS_MAX.to_owned(), pids.to_string());
    }
    if let Some(reserved) = stated.memory_reservation {
        unified.insert(MEMORY_MIN.to_owned(), reserved.to_string());
    }
    // CRI integers are signed, and 0 means "not stated".
    let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let resources = LinuxContainerResources {
        cpu_period: signed(PERIOD_US),
        cpu_quota: stated.quota_us.map_or(0, signed),
        cpu_shares: signed(stated.shares),
        memory_limit_in_bytes: stated.memory_limit.map_or(0, signed),
        unified,
        ..LinuxContainerResources::default()
    };
    ContainerConfig {
        metadata: Some(ContainerMetadata {
            name: container.name.clone(),
            attempt,
        }),
        image: Some(ImageSpec {
            image: image.to_owned(),
            ..ImageSpec::default()
        }),
        command: ["sh", "-c", SCRIPT].map(str::to_owned).to_vec(),
        annotations: container
            .end
            .annotations()
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
        linux: Some(LinuxContainerConfig {
            resources: Some(resources),
            security_context: Some(LinuxContainerSecurityContext {
                namespace_options: Some(NamespaceOption {
                    network: NamespaceMode::Node.into(),
                    ..NamespaceOption::default()
                }),
                ..LinuxContainerSecurityContext::default()
            }),
        }),
        ..ContainerConfig::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::plan::Plan;
    use crate::workload::scenario::PodShape;

    #[test]
    fn a_pod_in_the_hosts_network_names_no_host_name() {
        let config = sandbox_config(&Plan::new(1, PodShape::default()).pod(0));
        assert_eq!(config.hostname, "");
        let context = config.linux.unwrap().security_context.unwrap();
        let network = context.namespace_options.unwrap().network();
        assert_eq!(network, NamespaceMode::Node);
    }

    #[test]
    fn resources_without_a_cri_field_can_be_left_out() {
        let plan = Plan::new(1, PodShape::with_containers(3, 3));
        let pod = plan.pod(0);
        let plain = pod.without_unified();
        for (container, all) in plain.containers.iter().zip(&pod.containers) {
            let resources = |container: &Container| {
                let config = container_config(container, "image", 0);
                config.linux.unwrap().resources.unwrap()
            };
            let expected = LinuxContainerResources {
                unified: HashMap::new(),
                ..resources(all)
            };
            assert_eq!(resources(container), expected);
        }
        // A runtime that reports the requested resources does not report these,
        // either.
        assert_eq!(plain.resources().pid_limit, None);
        assert_eq!(plain.resources().memory_request, None);
    }

    #[test]
    fn a_container_carries_all_that_the_plan_states() {
        let plan = Plan::new(1, PodShape::with_containers(3, 3));
        for container in (0..50).flat_map(|index| plan.pod(index).containers) {
            let stated = container.resources;
            let config = container_config(&container, "image", 0);
            let resources = config.linux.unwrap().resources.unwrap();
            let number = |value: Option<u64>| value.unwrap_or(0).to_string();
            assert_eq!(resources.cpu_quota.to_string(), number(stated.quota_us));
            assert_eq!(
                resources.memory_limit_in_bytes.to_string(),
                number(stated.memory_limit)
            );
            assert_eq!(resources.unified["pids.max"], number(stated.pids));
            assert_eq!(
                resources.unified.get("memory.min").cloned(),
                stated.memory_reservation.map(|bytes| bytes.to_string())
            );
        }
    }
}
