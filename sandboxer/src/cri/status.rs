//! Statuses of pods and containers: CRI's messages made of slots.

use containerd_sandbox::Key;
use cri_api::v1::{
    Container, ContainerResources, ContainerState, ContainerStatus, ContainerUser,
    LinuxContainerUser, LinuxPodSandboxStatus, Mount, Namespace, NamespaceMode, NamespaceOption,
    PodIp, PodSandbox, PodSandboxConfig, PodSandboxNetworkStatus, PodSandboxState,
    PodSandboxStatus,
};

use super::stop_signal;
use crate::live::Found;
use crate::live::logs;
use slot::Timestamp;
use slot::{CriContainer, CriPod, KILLED, Process, ProcessState, SandboxState, Slot};

/// Tolerance in nanoseconds by which an end may come before its planned time and still
/// count as an end by itself. The wall clock measures it, and may have been set meanwhile.
const CLOCK_SLACK_NS: u64 = 100_000_000;

/// Converts a time to nanoseconds since the Unix epoch.
pub(super) fn nanos(time: Timestamp) -> i64 {
    i64::try_from(time.nanos()).unwrap_or(i64::MAX)
}

/// Returns the Linux namespaces that a pod asked for.
pub(super) fn namespaces(config: &PodSandboxConfig) -> Option<&NamespaceOption> {
    let context = config.linux.as_ref()?.security_context.as_ref()?;
    context.namespace_options.as_ref()
}

/// Returns whether a pod asked for the host's network.
pub(super) fn is_on_host_network(config: &PodSandboxConfig) -> bool {
    namespaces(config).is_some_and(|options| options.network() == NamespaceMode::Node)
}

/// Returns the state of a pod.
pub(super) fn pod_state(slot: &Slot) -> PodSandboxState {
    match slot.state {
        SandboxState::Ready => PodSandboxState::SandboxReady,
        SandboxState::Created | SandboxState::NotReady => PodSandboxState::SandboxNotready,
    }
}

/// Builds the status of a pod.
pub(super) fn pod_status(key: &Key, slot: &Slot, pod: &CriPod) -> PodSandboxStatus {
    let config = &pod.config;
    // A pod gives its addresses up when it ends.
    let (ip, additional_ips) = match slot.state {
        SandboxState::Ready => (pod.ip.clone(), pod.additional_ips.as_slice()),
        SandboxState::Created | SandboxState::NotReady => (String::new(), &[][..]),
    };
    let additional = additional_ips.iter().map(|ip| PodIp { ip: ip.clone() });
    PodSandboxStatus {
        id: key.id().to_owned(),
        metadata: config.metadata.clone(),
        state: pod_state(slot).into(),
        created_at: nanos(slot.created_at),
        network: Some(PodSandboxNetworkStatus {
            ip,
            additional_ips: additional.collect(),
        }),
        linux: Some(LinuxPodSandboxStatus {
            namespaces: Some(Namespace {
                options: namespaces(config).cloned(),
            }),
        }),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        runtime_handler: pod.handler.clone(),
    }
}

/// Builds a pod's entry of a list.
pub(super) fn pod_item(key: &Key, slot: &Slot, pod: &CriPod) -> PodSandbox {
    let config = &pod.config;
    PodSandbox {
        id: key.id().to_owned(),
        metadata: config.metadata.clone(),
        state: pod_state(slot).into(),
        created_at: nanos(slot.created_at),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        runtime_handler: pod.handler.clone(),
    }
}

/// Returns the containers of a pod that CRI created, oldest first.
pub(super) fn containers<'a>(
    key: &'a Key,
    slot: &'a Slot,
    pod: &'a CriPod,
) -> impl DoubleEndedIterator<Item = Found<'a>> {
    slot.containers.iter().filter_map(move |container| {
        Some(Found {
            sandbox: key,
            pod,
            container,
            cri: container.cri.as_deref()?,
        })
    })
}

/// Returns the statuses of a pod's containers, newest first: of several attempts of one
/// name a kubelet takes the first status as the present one (`FindContainerStatusByName`
/// in its `pkg/kubelet/container/runtime.go`).
pub(super) fn container_statuses(key: &Key, slot: &Slot, pod: &CriPod) -> Vec<ContainerStatus> {
    let newest_first = containers(key, slot, pod).rev();
    newest_first.map(container_status).collect()
}

/// Returns the state of a container. CRI has no state for a paused container.
pub(super) fn container_state(process: &Process) -> ContainerState {
    match process.state {
        ProcessState::Created => ContainerState::ContainerCreated,
        ProcessState::Running | ProcessState::Paused => ContainerState::ContainerRunning,
        ProcessState::Stopped => ContainerState::ContainerExited,
    }
}

/// Returns why a container has ended; empty while it has not.
fn reason(process: &Process) -> &'static str {
    let Some(exit) = process.exit else { return "" };
    let life = &process.spec.planned_exit;
    let lived_its_life = life.ends_after.is_some_and(|after| {
        let after = u64::try_from(after.as_nanos()).unwrap_or(u64::MAX);
        process.ran_ns.saturating_add(CLOCK_SLACK_NS) >= after
    });
    match exit.code {
        0 => "Completed",
        KILLED if exit.oom || life.oom && lived_its_life => "OOMKilled",
        _ => "Error",
    }
}

/// Builds the status of a container.
pub(super) fn container_status(found: Found<'_>) -> ContainerStatus {
    let Found {
        pod,
        container,
        cri,
        ..
    } = found;
    let (config, process) = (&cri.config, &container.init);
    let exit = process.exit;
    // The wall clock may have been set back in between; a client computes durations.
    let started_at = cri.started_at.map(|at| at.max(cri.created_at));
    let earliest = started_at.unwrap_or(cri.created_at);
    let finished_at = exit.map(|exit| exit.at.max(earliest));
    ContainerStatus {
        id: container.id.clone(),
        metadata: config.metadata.clone(),
        state: container_state(process).into(),
        created_at: nanos(cri.created_at),
        started_at: started_at.map_or(0, nanos),
        finished_at: finished_at.map_or(0, nanos),
        exit_code: exit.map_or(0, |exit| i32::try_from(exit.code).unwrap_or(i32::MAX)),
        image: config.image.clone(),
        image_ref: cri.image_ref.clone(),
        reason: reason(process).to_owned(),
        message: String::new(),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        mounts: mounts(cri),
        log_path: logs::shown(&pod.config.log_directory, &config.log_path),
        resources: Some(ContainerResources {
            linux: cri.linux_resources().cloned(),
            windows: None,
        }),
        image_id: cri.image_id.clone(),
        user: Some(user(found)),
        stop_signal: stop_signal::of(cri).into(),
    }
}

/// Returns the mounts of a container. That of an image has its id, too.
fn mounts(cri: &CriContainer) -> Vec<Mount> {
    let mut mounts = cri.config.mounts.clone();
    for mounted in &cri.mounted_images {
        let mount = mounts.get_mut(mounted.mount);
        if let Some(image) = mount.and_then(|mount| mount.image.as_mut()) {
            image.image_ref.clone_from(&mounted.image_ref);
        }
    }
    mounts
}

/// Returns the user of the container's first process. A name that no table of images explains has
/// the number that [`slot::user_id`] returns.
fn user(found: Found<'_>) -> ContainerUser {
    let user = found.cri.user(&found.pod.config);
    let mut groups: Vec<i64> = user.groups.iter().map(|gid| i64::from(*gid)).collect();
    groups.push(i64::from(user.gid));
    groups.sort_unstable();
    ContainerUser {
        linux: Some(LinuxContainerUser {
            uid: user.uid.into(),
            gid: user.gid.into(),
            supplemental_groups: groups,
        }),
    }
}

/// Builds a container's entry of a list.
pub(super) fn container_item(found: Found<'_>) -> Container {
    let Found {
        sandbox,
        container,
        cri,
        ..
    } = found;
    let config = &cri.config;
    Container {
        id: container.id.clone(),
        pod_sandbox_id: sandbox.id().to_owned(),
        metadata: config.metadata.clone(),
        image: config.image.clone(),
        image_ref: cri.image_ref.clone(),
        state: container_state(&container.init).into(),
        created_at: nanos(cri.created_at),
        labels: config.labels.clone(),
        annotations: config.annotations.clone(),
        image_id: cri.image_id.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use slot::{Exit, NewProcess, PlannedExit};
    use std::time::Duration;

    fn ended(code: u32, ran: Duration, life: PlannedExit) -> Process {
        Process {
            spec: NewProcess {
                planned_exit: life,
                ..NewProcess::default()
            },
            state: ProcessState::Stopped,
            running_since: None,
            ran_ns: u64::try_from(ran.as_nanos()).unwrap(),
            exit: Some(Exit {
                code,
                at: Timestamp::default(),
                oom: false,
            }),
        }
    }

    #[test]
    fn the_reason_of_an_end_follows_from_its_exit_code_and_its_planned_oom() {
        let minute = Duration::from_secs(60);
        let oom = || PlannedExit {
            ends_after: Some(minute),
            exit_code: KILLED,
            oom: true,
        };
        for (process, expected) in [
            (ended(0, minute, PlannedExit::default()), "Completed"),
            (ended(3, minute, PlannedExit::default()), "Error"),
            (ended(KILLED, minute, PlannedExit::default()), "Error"),
            (ended(KILLED, minute, oom()), "OOMKilled"),
            // Killed before its planned end.
            (ended(KILLED, minute / 2, oom()), "Error"),
        ] {
            assert_eq!(reason(&process), expected, "{process:?}");
        }
    }
}
