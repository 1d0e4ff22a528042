//! Checks of the replies of CRI.

use cri_api::v1::{
    ContainerState, ContainerStatus, ContainerStatusResponse, PodSandboxState,
    PodSandboxStatusResponse,
};

use super::{Checked, same, sandbox_is_ready, sandbox_not_ready, sandbox_ready};
use crate::connection::{INFO, SandboxStatus};
use crate::workload::plan::{End, Pod};

/// Key of the info that the sandboxer adds in any case. From version 2.3 on, containerd
/// puts a document of its own under the key [`INFO`].
const OWN_INFO: &str = "resource_slot";

fn info(reply: &PodSandboxStatusResponse) -> Option<&String> {
    reply.info.get(OWN_INFO).or_else(|| reply.info.get(INFO))
}

/// Returns the compared part of a pod's status; an empty value if the reply has no
/// status.
fn status(reply: &PodSandboxStatusResponse) -> SandboxStatus {
    let status = reply.status.clone().unwrap_or_default();
    SandboxStatus {
        state: PodSandboxState::try_from(status.state).map_or_else(
            |_| format!("state {}", status.state),
            |state| state.as_str_name().to_owned(),
        ),
        id: status.id,
        info: info(reply).cloned(),
    }
}

/// Returns whether a verbose status contains the resources that the pod requests.
pub fn states_resources(reply: &PodSandboxStatusResponse) -> bool {
    info(reply)
        .and_then(|info| serde_json::from_str::<serde_json::Value>(info).ok())
        .is_some_and(|info| info.get("resource_info").is_some())
}

/// Checks the verbose status of a started pod: id, uid, state ready, and the sum of the
/// resources of its containers. The resources are compared if the reply contains them,
/// and must be present if `must` is set.
pub fn pod_ready(pod: &Pod, id: &str, must: bool, reply: &PodSandboxStatusResponse) -> Checked {
    let status = status(reply);
    if must || states_resources(reply) {
        sandbox_ready(id, pod, &status).or_else(|wrong| {
            let right = |left: &Pod| sandbox_ready(id, left, &status).is_ok();
            if without_ended(pod).any(|left| right(&left)) {
                Ok(())
            } else {
                Err(wrong)
            }
        })?;
    } else {
        sandbox_is_ready(id, &status)?;
    }
    let metadata = reply.status.as_ref().and_then(|s| s.metadata.as_ref());
    let uid = metadata.map_or("", |metadata| &metadata.uid);
    same("pod uid", &pod.uid, uid)
}

/// Returns the variants of a pod without some of the containers that end by themselves.
/// containerd deletes the task of such a container as soon as it ends.
fn without_ended(pod: &Pod) -> impl Iterator<Item = Pod> {
    let by_itself = |place: &usize| matches!(pod.containers[*place].end, End::Exit(_));
    // With more such containers the number of variants is too large to try each of them.
    let ending: Vec<usize> = (0..pod.containers.len())
        .filter(by_itself)
        .take(12)
        .collect();
    (1..1_u32 << ending.len()).map(move |choice| {
        let mut left = pod.clone();
        for (bit, place) in ending.iter().enumerate().rev() {
            if choice & (1 << bit) != 0 {
                left.containers.remove(*place);
            }
        }
        left
    })
}

/// Checks the status of a stopped pod: its id, and state not ready.
pub fn pod_not_ready(id: &str, reply: &PodSandboxStatusResponse) -> Checked {
    sandbox_not_ready(id, &status(reply))
}

/// Checks the status of a started container: running.
pub fn container_running(id: &str, reply: &ContainerStatusResponse) -> Checked {
    container(id, ContainerState::ContainerRunning, reply).map(drop)
}

/// Checks the status of a started container: running, or exited if the container ends by
/// itself.
pub fn container_started(id: &str, end: End, reply: &ContainerStatusResponse) -> Checked {
    match end {
        End::Exit(_) if !is_running(reply) => container_exited(id, &[end.exit_status()], reply),
        End::Exit(_) | End::Signal(_) => container_running(id, reply),
    }
}

/// Checks the status of a stopped container: one of the exit codes in `right`.
pub fn container_exited(id: &str, right: &[u32], reply: &ContainerStatusResponse) -> Checked {
    let code = container(id, ContainerState::ContainerExited, reply)?;
    if right
        .iter()
        .any(|right| i64::from(code) == i64::from(*right))
    {
        return Ok(());
    }
    // The message contains the codes, so that different codes are different classes of
    // errors.
    let right: Vec<String> = right.iter().map(u32::to_string).collect();
    Err(format!("exit code {code}, not {}", right.join(" or ")))
}

/// Returns whether a container runs.
pub fn is_running(reply: &ContainerStatusResponse) -> bool {
    let state = reply.status.as_ref().map(ContainerStatus::state);
    state == Some(ContainerState::ContainerRunning)
}

/// Checks the id and the state of a container and returns its exit code.
fn container(
    id: &str,
    expected: ContainerState,
    reply: &ContainerStatusResponse,
) -> Result<i32, String> {
    let status = reply.status.clone().unwrap_or_default();
    same("container id", id, &status.id)?;
    let found = ContainerState::try_from(status.state)
        .map_or_else(|_| "unknown".to_owned(), |s| s.as_str_name().to_owned());
    same("state", expected.as_str_name(), &found)?;
    Ok(status.exit_code)
}

/// Checks an id that a runtime assigned: any text but the empty one.
pub fn id(id: &str) -> Checked {
    if id.is_empty() {
        Err("an empty id".to_owned())
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use cri_api::v1::{ContainerStatus, PodSandboxMetadata, PodSandboxStatus};

    use super::*;
    use crate::workload::plan::{Exit, Plan};
    use crate::workload::resources::ResourceInfo;
    use crate::workload::scenario::PodShape;

    fn planned() -> Pod {
        let plan = Plan::new(1, PodShape::with_containers(2, 2));
        plan.pod(0)
    }

    fn truth(pod: &Pod, info: Option<ResourceInfo>) -> PodSandboxStatusResponse {
        let status = PodSandboxStatus {
            id: "s".to_owned(),
            metadata: Some(PodSandboxMetadata {
                uid: pod.uid.clone(),
                ..PodSandboxMetadata::default()
            }),
            state: PodSandboxState::SandboxReady.into(),
            ..PodSandboxStatus::default()
        };
        let json = match info {
            Some(info) => serde_json::json!({ "resource_info": info }),
            None => serde_json::json!({ "pid": 7 }),
        };
        PodSandboxStatusResponse {
            status: Some(status),
            info: HashMap::from([(INFO.to_owned(), json.to_string())]),
            ..PodSandboxStatusResponse::default()
        }
    }

    #[test]
    fn every_lie_in_a_pods_status_is_found() {
        let pod = planned();
        let reply = truth(&pod, Some(pod.resources()));
        assert_eq!(pod_ready(&pod, "s", true, &reply), Ok(()));
        assert!(pod_ready(&pod, "t", true, &reply).is_err());
        let mut lie = reply.clone();
        lie.status.as_mut().unwrap().state = PodSandboxState::SandboxNotready.into();
        assert!(pod_ready(&pod, "s", true, &lie).is_err());
        assert_eq!(pod_not_ready("s", &lie), Ok(()));
        assert!(pod_not_ready("s", &reply).is_err());
        let mut lie = reply;
        lie.status.as_mut().unwrap().metadata = None;
        assert!(pod_ready(&pod, "s", true, &lie).is_err());
        // Present resources are compared even if they need not be present.
        let off = ResourceInfo {
            pid_limit: Some(1),
            ..pod.resources()
        };
        let lie = truth(&pod, Some(off));
        assert!(pod_ready(&pod, "s", false, &lie).is_err());
    }

    #[test]
    fn only_containers_that_end_by_themselves_may_be_missing_in_a_pods_sum() {
        let mut pod = planned();
        let last = pod.containers[1].resources.info();
        let gone = truth(&pod, Some(last));
        assert!(pod_ready(&pod, "s", true, &gone).is_err());
        let exit = Exit {
            after: Duration::from_millis(5),
            code: 0,
        };
        pod.containers[0].end = End::Exit(exit);
        assert_eq!(pod_ready(&pod, "s", true, &gone), Ok(()));
        let all = truth(&pod, Some(pod.resources()));
        assert_eq!(pod_ready(&pod, "s", true, &all), Ok(()));
        let first = truth(&pod, Some(pod.containers[0].resources.info()));
        assert!(pod_ready(&pod, "s", true, &first).is_err());
        let none = truth(&pod, Some(ResourceInfo::NONE));
        assert!(pod_ready(&pod, "s", true, &none).is_err());
        pod.containers[1].end = End::Exit(exit);
        assert_eq!(pod_ready(&pod, "s", true, &none), Ok(()));
    }

    #[test]
    fn a_runtime_may_omit_resources_that_need_not_be_present() {
        let pod = planned();
        let reply = truth(&pod, None);
        assert!(!states_resources(&reply));
        assert_eq!(pod_ready(&pod, "s", false, &reply), Ok(()));
        assert!(pod_ready(&pod, "s", true, &reply).is_err());
    }

    #[test]
    fn every_lie_in_a_containers_status_is_found() {
        let reply = |state: ContainerState, exit_code| ContainerStatusResponse {
            status: Some(ContainerStatus {
                id: "c".to_owned(),
                state: state.into(),
                exit_code,
                ..ContainerStatus::default()
            }),
            ..ContainerStatusResponse::default()
        };
        let running = reply(ContainerState::ContainerRunning, 0);
        let exited = reply(ContainerState::ContainerExited, 137);
        assert_eq!(container_running("c", &running), Ok(()));
        assert!(container_running("d", &running).is_err());
        assert!(container_running("c", &exited).is_err());
        assert_eq!(container_exited("c", &[137], &exited), Ok(()));
        assert_eq!(container_exited("c", &[143, 137], &exited), Ok(()));
        assert_eq!(
            container_exited("c", &[143, 0], &exited),
            Err("exit code 137, not 143 or 0".to_owned())
        );
        assert!(container_exited("c", &[137], &running).is_err());
        assert!(id("").is_err());
    }
}
