//! Whether a reply is what the plan and the order of calls demand.

use serde::Deserialize;

use crate::plan::Pod;
use crate::resources::ResourceInfo;
use crate::target::{SandboxStatus, TaskState};

/// CRI's word for a sandbox that runs.
const READY: &str = "SANDBOX_READY";

/// containerd's word for a task that runs.
const RUNNING: &str = "RUNNING";

/// What is wrong with a reply, in words.
pub type Checked = Result<(), String>;

/// The part of a verbose status that is compared.
#[derive(Deserialize)]
struct VerboseInfo {
    resource_info: ResourceInfo,
}

/// A started pod's verbose status: its own id, ready, and the sum of its containers.
pub fn sandbox_status(pod: &Pod, reply: &SandboxStatus) -> Checked {
    same("sandbox id", &pod.sandbox_id, &reply.id)?;
    same("state", READY, &reply.state)?;
    let info = reply
        .info
        .as_deref()
        .ok_or("a verbose status without the key \"info\"")?;
    let info: VerboseInfo =
        serde_json::from_str(info).map_err(|e| format!("info is not as expected: {e}"))?;
    match pod.resources().difference(&info.resource_info) {
        Some(difference) => Err(format!("resource_info: {difference}")),
        None => Ok(()),
    }
}

/// A started task's state: its own id, running, with the pid that Start gave.
pub fn task_state(id: &str, pid: u32, reply: &TaskState) -> Checked {
    same("task id", id, &reply.id)?;
    same("state", RUNNING, &reply.status)?;
    if pid == reply.pid {
        Ok(())
    } else {
        Err(format!("pid is {}, Start said {pid}", reply.pid))
    }
}

/// The exit status of a task that was ended by a signal.
pub fn exit_status(expected: u32, found: u32) -> Checked {
    if expected == found {
        Ok(())
    } else {
        // Spelt out, so that two different statuses are two classes of error.
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
    use crate::plan::{Plan, SignalChoice};

    fn pod() -> Pod {
        let plan = Plan {
            seed: 1,
            containers: 2..=2,
            signal: SignalChoice::Mix,
        };
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
        assert_eq!(sandbox_status(&pod, &reply), Ok(()));
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
            let message = sandbox_status(&pod, &lie).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn every_lie_in_a_task_state_is_found() {
        let truth = TaskState {
            id: "t".into(),
            status: RUNNING.into(),
            pid: 7,
        };
        assert_eq!(task_state("t", 7, &truth), Ok(()));
        for (id, pid, status) in [
            ("u", 7, "RUNNING"),
            ("t", 8, "RUNNING"),
            ("t", 7, "CREATED"),
        ] {
            let lie = TaskState {
                id: id.into(),
                status: status.into(),
                pid,
            };
            assert!(task_state("t", 7, &lie).is_err(), "{lie:?}");
        }
    }

    #[test]
    fn another_exit_status_is_wrong() {
        assert_eq!(exit_status(137, 137), Ok(()));
        assert!(exit_status(137, 143).unwrap_err().contains("143"));
    }
}
