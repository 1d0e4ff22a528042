//! Checks whether a reply is the one that the plan and the order of calls require.

pub mod cri;

use serde::Deserialize;

use crate::connection::{SandboxStatus, TaskState};
use crate::workload::plan::{Container, End, Pod};
use crate::workload::resources::ResourceInfo;

/// States of CRI for a sandbox that runs and for one that does not.
const READY: &str = "SANDBOX_READY";
const NOT_READY: &str = "SANDBOX_NOTREADY";

/// States of containerd for a task that runs and for one that has ended.
const RUNNING: &str = "RUNNING";
const STOPPED: &str = "STOPPED";

/// Result of a check; the error describes the mistake in the reply.
pub type Checked = Result<(), String>;

/// Compared part of a verbose status.
#[derive(Deserialize)]
struct VerboseInfo {
    resource_info: ResourceInfo,
}

/// Largest number of containers for which each combination of ends is tried.
const MAX_ENDING: usize = 8;

/// Checks the verbose status of a started pod: id, state ready, and the resources of its
/// containers together. A container that ends by itself may have ended before the next was
/// created; nothing tells it from an init container then.
pub fn sandbox_ready(id: &str, pod: &Pod, reply: &SandboxStatus) -> Checked {
    sandbox_is_ready(id, reply)?;
    let info = reply
        .info
        .as_deref()
        .ok_or("a verbose status without the key \"info\"")?;
    let info: VerboseInfo =
        serde_json::from_str(info).map_err(|e| format!("info is not as expected: {e}"))?;
    let Some(difference) = pod.resources().difference(&info.resource_info) else {
        return Ok(());
    };
    let ending: Vec<usize> = (0..pod.containers.len().saturating_sub(1))
        .filter(|place| matches!(pod.containers[*place].end, End::Exit(_)))
        .take(MAX_ENDING)
        .collect();
    let is_right = |ended: u32| {
        let has_ended = |place| ending.iter().position(|p| *p == place);
        let has_ended = |place| has_ended(place).is_some_and(|bit| ended & (1 << bit) != 0);
        let expected = pod.resources_in_turn(has_ended);
        expected.difference(&info.resource_info).is_none()
    };
    if (1..1_u32 << ending.len()).any(is_right) {
        Ok(())
    } else {
        Err(format!("resource_info: {difference}"))
    }
}

/// Checks the status of a started pod: its id, and state ready.
pub fn sandbox_is_ready(id: &str, reply: &SandboxStatus) -> Checked {
    same("sandbox id", id, &reply.id)?;
    same("state", READY, &reply.state)
}

/// Checks the status of a stopped pod: its id, and state not ready.
pub fn sandbox_not_ready(id: &str, reply: &SandboxStatus) -> Checked {
    same("sandbox id", id, &reply.id)?;
    same("state", NOT_READY, &reply.state)
}

/// Checks that Start returns the same pid as Create.
pub fn started_pid(created: u32, started: u32) -> Checked {
    if created == started {
        Ok(())
    } else {
        Err(format!("pid is {started}, Create said {created}"))
    }
}

/// Checks the state of a started task: id, running, and the pid from Start.
pub fn task_running(id: &str, pid: u32, reply: &TaskState) -> Checked {
    task(id, pid, RUNNING, reply)
}

/// Checks the state of a started task: running, or stopped if the task ends by itself.
pub fn task_started(container: &Container, pid: u32, reply: &TaskState) -> Checked {
    match container.end {
        End::Exit(_) if reply.status == STOPPED => {
            task_stopped(&container.id, pid, container.end.exit_status(), reply)
        }
        End::Exit(_) | End::Signal(_) => task_running(&container.id, pid, reply),
    }
}

/// Checks the state of an ended task: stopped, with the pid from Start and its exit
/// status.
pub fn task_stopped(id: &str, pid: u32, expected: u32, reply: &TaskState) -> Checked {
    task(id, pid, STOPPED, reply)?;
    exit_status(expected, reply.exit_status)
}

fn task(id: &str, pid: u32, status: &str, reply: &TaskState) -> Checked {
    same("task id", id, &reply.id)?;
    same("state", status, &reply.status)?;
    if pid == reply.pid {
        Ok(())
    } else {
        Err(format!("pid is {}, Start said {pid}", reply.pid))
    }
}

/// Checks the exit status of an ended task.
pub fn exit_status(expected: u32, found: u32) -> Checked {
    if expected == found {
        Ok(())
    } else {
        // The message contains the statuses, so that different ones are different classes
        // of errors.
        Err(format!("exit status {found}, not {expected}"))
    }
}

fn same(what: &str, expected: &str, found: &str) -> Checked {
    if expected == found {
        Ok(())
    } else {
        Err(format!("{what} is {found:?}, not {expected:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::plan::Plan;
    use crate::workload::scenario::PodShape;

    fn pod() -> Pod {
        let plan = Plan::new(1, PodShape::with_containers(2, 2));
        plan.pod(0)
    }

    fn status(pod: &Pod, info: &ResourceInfo) -> SandboxStatus {
        let json = serde_json::json!({ "resource_info": info, "other": 1 });
        SandboxStatus {
            id: pod.sandbox_id.clone(),
            state: READY.to_owned(),
            info: Some(json.to_string()),
        }
    }

    #[test]
    fn a_true_status_passes() {
        let pod = pod();
        let reply = status(&pod, &pod.resources());
        assert_eq!(sandbox_ready(&pod.sandbox_id, &pod, &reply), Ok(()));
    }

    #[test]
    fn every_lie_in_a_status_is_found() {
        let pod = pod();
        let info = pod.resources();
        let truth = status(&pod, &info);
        let off = ResourceInfo {
            cpu_request: info.cpu_request.map(|cores| cores + 0.001),
            ..info
        };
        for (lie, word) in [
            (
                SandboxStatus {
                    id: "x".into(),
                    ..truth.clone()
                },
                "sandbox id",
            ),
            (
                SandboxStatus {
                    state: "READY".into(),
                    ..truth.clone()
                },
                "state",
            ),
            (
                SandboxStatus {
                    info: None,
                    ..truth.clone()
                },
                "without the key",
            ),
            (
                SandboxStatus {
                    info: Some("[]".into()),
                    ..truth.clone()
                },
                "not as expected",
            ),
            (status(&pod, &off), "cpu_request"),
        ] {
            let message = sandbox_ready(&pod.sandbox_id, &pod, &lie).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn a_pod_that_is_still_ready_is_not_stopped() {
        let pod = pod();
        let mut reply = status(&pod, &pod.resources());
        assert!(sandbox_not_ready(&pod.sandbox_id, &reply).is_err());
        reply.state = NOT_READY.to_owned();
        assert_eq!(sandbox_not_ready(&pod.sandbox_id, &reply), Ok(()));
        reply.id = "x".to_owned();
        assert!(sandbox_not_ready(&pod.sandbox_id, &reply).is_err());
    }

    #[test]
    fn every_lie_in_a_task_state_is_found() {
        let state = |id: &str, pid, status: &str, exit_status| TaskState {
            id: id.to_owned(),
            status: status.to_owned(),
            pid,
            exit_status,
        };
        assert_eq!(task_running("t", 7, &state("t", 7, RUNNING, 0)), Ok(()));
        for lie in [
            state("u", 7, RUNNING, 0),
            state("t", 8, RUNNING, 0),
            state("t", 7, "CREATED", 0),
        ] {
            assert!(task_running("t", 7, &lie).is_err(), "{lie:?}");
        }
        let stopped = state("t", 7, STOPPED, 137);
        assert_eq!(task_stopped("t", 7, 137, &stopped), Ok(()));
        for lie in [
            state("u", 7, STOPPED, 137),
            state("t", 8, STOPPED, 137),
            state("t", 7, RUNNING, 137),
            state("t", 7, STOPPED, 143),
        ] {
            assert!(task_stopped("t", 7, 137, &lie).is_err(), "{lie:?}");
        }
        assert_eq!(started_pid(7, 7), Ok(()));
        assert!(started_pid(7, 8).is_err());
    }

    #[test]
    fn another_exit_status_is_wrong() {
        assert_eq!(exit_status(137, 137), Ok(()));
        assert!(exit_status(137, 143).unwrap_err().contains("143"));
    }
}
