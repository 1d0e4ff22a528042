//! The measured operations.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// One kind of call of a pod's lifecycle, or the whole lifecycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "&'static str", try_from = "String")]
pub enum Operation {
    /// Create a sandbox.
    SandboxCreate,
    /// Start a sandbox.
    SandboxStart,
    /// Create a task in a sandbox.
    TaskCreate,
    /// Start a task.
    TaskStart,
    /// Ask for a task's state.
    TaskState,
    /// Ask for a sandbox's verbose status.
    SandboxStatus,
    /// Send a task a signal.
    TaskKill,
    /// From the signal to the reply to the Wait, which is pending since before Start.
    TaskWait,
    /// From the planned end of a task that ends by itself, counted from the request to
    /// start the task, to the reply to the Wait.
    TaskExit,
    /// Send all processes of a stopped task SIGKILL.
    TaskKillAll,
    /// Wait for a task that has stopped already.
    TaskWaitStopped,
    /// Delete a stopped task.
    TaskDelete,
    /// Stop a sandbox.
    SandboxStop,
    /// From the request to stop a sandbox to the reply to the Wait, which is pending since
    /// the start of the sandbox.
    SandboxWait,
    /// Shut a sandbox down, which removes it.
    SandboxShutdown,
    /// Ask for the status of a removed sandbox, which must not be found.
    SandboxGone,
    /// Ask a sandboxer for a sandbox's platform.
    SandboxPlatform,
    /// Ask for a task's process id on a new connection.
    TaskConnect,
    /// Run a pod sandbox over CRI.
    RunPodSandbox,
    /// Create a container over CRI.
    CreateContainer,
    /// Start a container over CRI.
    StartContainer,
    /// Ask CRI for a container's status.
    ContainerStatus,
    /// Open the stream of events of a CRI endpoint, once per connection.
    GetContainerEvents,
    /// List the exited containers of a CRI endpoint, once per stream of events.
    ListContainers,
    /// Ask CRI for a pod sandbox's verbose status.
    PodSandboxStatus,
    /// Stop a container over CRI.
    StopContainer,
    /// Remove a container over CRI.
    RemoveContainer,
    /// Ask CRI for the status of a removed container, which must not be found.
    ContainerGone,
    /// Stop a pod sandbox over CRI.
    StopPodSandbox,
    /// Remove a pod sandbox over CRI.
    RemovePodSandbox,
    /// Ask CRI for the status of a removed pod sandbox, which must not be found.
    PodSandboxGone,
    /// Stop or remove an object of a failed pod. Any reply counts, because the object may
    /// be gone.
    CleanUp,
    /// Ask a server that left a call without a reply whether it still replies.
    Probe,
    /// From the intended start of a pod until all its containers run.
    PodStart,
    /// The same, but from its first request. Only an open loop has it.
    PodStartService,
    /// The whole lifecycle of one pod, from its intended start to the last reply, without
    /// the time for which the pod was meant to stay.
    Pod,
    /// The same, but from its first request. Only an open loop has it.
    PodService,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 37] = [
        Self::SandboxCreate,
        Self::SandboxStart,
        Self::TaskCreate,
        Self::TaskStart,
        Self::TaskState,
        Self::SandboxStatus,
        Self::TaskKill,
        Self::TaskWait,
        Self::TaskExit,
        Self::TaskKillAll,
        Self::TaskWaitStopped,
        Self::TaskDelete,
        Self::SandboxStop,
        Self::SandboxWait,
        Self::SandboxShutdown,
        Self::SandboxGone,
        Self::SandboxPlatform,
        Self::TaskConnect,
        Self::RunPodSandbox,
        Self::CreateContainer,
        Self::StartContainer,
        Self::ContainerStatus,
        Self::GetContainerEvents,
        Self::ListContainers,
        Self::PodSandboxStatus,
        Self::StopContainer,
        Self::RemoveContainer,
        Self::ContainerGone,
        Self::StopPodSandbox,
        Self::RemovePodSandbox,
        Self::PodSandboxGone,
        Self::CleanUp,
        Self::Probe,
        Self::PodStart,
        Self::PodStartService,
        Self::Pod,
        Self::PodService,
    ];

    /// Operations of a pod with sandbox and task calls, in the order of a lifecycle.
    pub const OF_TASKS: &[Self] = &[
        Self::SandboxCreate,
        Self::SandboxStart,
        Self::TaskCreate,
        Self::TaskStart,
        Self::TaskState,
        Self::SandboxStatus,
        Self::TaskKill,
        Self::TaskWait,
        Self::TaskExit,
        Self::TaskDelete,
        Self::SandboxStop,
        Self::SandboxShutdown,
        Self::SandboxGone,
        Self::CleanUp,
        Self::Probe,
        Self::PodStart,
        Self::PodStartService,
        Self::Pod,
        Self::PodService,
    ];

    /// Operations of a pod with the calls of containerd, in the order of a lifecycle.
    pub const OF_CONTAINERD: &[Self] = &[
        Self::SandboxCreate,
        Self::SandboxStart,
        Self::SandboxStatus,
        Self::SandboxPlatform,
        Self::TaskCreate,
        Self::TaskConnect,
        Self::TaskStart,
        Self::TaskState,
        Self::TaskKill,
        Self::TaskWait,
        Self::TaskExit,
        Self::TaskKillAll,
        Self::TaskWaitStopped,
        Self::TaskDelete,
        Self::SandboxStop,
        Self::SandboxWait,
        Self::SandboxShutdown,
        Self::SandboxGone,
        Self::CleanUp,
        Self::Probe,
        Self::PodStart,
        Self::PodStartService,
        Self::Pod,
        Self::PodService,
    ];

    /// Operations of a pod over CRI, in the order of a lifecycle.
    pub const OF_CRI: &[Self] = &[
        Self::RunPodSandbox,
        Self::CreateContainer,
        Self::StartContainer,
        Self::ContainerStatus,
        Self::GetContainerEvents,
        Self::ListContainers,
        Self::PodSandboxStatus,
        Self::StopContainer,
        Self::RemoveContainer,
        Self::ContainerGone,
        Self::StopPodSandbox,
        Self::RemovePodSandbox,
        Self::PodSandboxGone,
        Self::CleanUp,
        Self::Probe,
        Self::PodStart,
        Self::PodStartService,
        Self::Pod,
        Self::PodService,
    ];

    /// Returns the name in tables, results and histogram logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::SandboxCreate => "sandbox_create",
            Self::SandboxStart => "sandbox_start",
            Self::TaskCreate => "task_create",
            Self::TaskStart => "task_start",
            Self::TaskState => "task_state",
            Self::SandboxStatus => "sandbox_status",
            Self::TaskKill => "task_kill",
            Self::TaskWait => "task_wait",
            Self::TaskExit => "task_exit",
            Self::TaskKillAll => "task_kill_all",
            Self::TaskWaitStopped => "task_wait_stopped",
            Self::TaskDelete => "task_delete",
            Self::SandboxStop => "sandbox_stop",
            Self::SandboxWait => "sandbox_wait",
            Self::SandboxShutdown => "sandbox_shutdown",
            Self::SandboxGone => "sandbox_gone",
            Self::SandboxPlatform => "sandbox_platform",
            Self::TaskConnect => "task_connect",
            Self::RunPodSandbox => "run_pod_sandbox",
            Self::CreateContainer => "create_container",
            Self::StartContainer => "start_container",
            Self::ContainerStatus => "container_status",
            Self::GetContainerEvents => "get_container_events",
            Self::ListContainers => "list_containers",
            Self::PodSandboxStatus => "pod_sandbox_status",
            Self::StopContainer => "stop_container",
            Self::RemoveContainer => "remove_container",
            Self::ContainerGone => "container_gone",
            Self::StopPodSandbox => "stop_pod_sandbox",
            Self::RemovePodSandbox => "remove_pod_sandbox",
            Self::PodSandboxGone => "pod_sandbox_gone",
            Self::CleanUp => "clean_up",
            Self::Probe => "probe",
            Self::PodStart => "pod_start",
            Self::PodStartService => "pod_start_service",
            Self::Pod => "pod",
            Self::PodService => "pod_service",
        }
    }

    /// Returns whether the operation is measured from a pod's first request instead of
    /// its intended start. Only an open loop has such operations.
    pub fn is_service(self) -> bool {
        matches!(self, Self::PodStartService | Self::PodService)
    }

    /// Returns whether many runs have no such operation. Results leave it out if it has no
    /// measurements.
    pub fn is_optional(self) -> bool {
        self.is_service()
            || matches!(
                self,
                Self::TaskExit
                    | Self::GetContainerEvents
                    | Self::ListContainers
                    | Self::CleanUp
                    | Self::Probe
            )
    }

    /// Returns whether the operation is a single RPC; a pod consists of many.
    pub fn is_rpc(self) -> bool {
        !matches!(
            self,
            Self::PodStart | Self::PodStartService | Self::Pod | Self::PodService
        )
    }
}

impl From<Operation> for &'static str {
    fn from(operation: Operation) -> Self {
        operation.name()
    }
}

impl TryFrom<String> for Operation {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|operation| operation.name() == name)
            .ok_or_else(|| format!("unknown operation {name:?}"))
    }
}

impl JsonSchema for Operation {
    fn schema_name() -> Cow<'static, str> {
        "Operation".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "One kind of call of a pod's lifecycle, or the whole lifecycle.",
            "type": "string",
            "enum": Self::ALL.as_slice(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_listed_at_its_own_place() {
        for (place, operation) in Operation::ALL.into_iter().enumerate() {
            assert_eq!(operation as usize, place);
        }
    }

    #[test]
    fn names_are_parsed_again() {
        for operation in Operation::ALL {
            let json = serde_json::to_string(&operation).unwrap();
            assert_eq!(serde_json::from_str::<Operation>(&json).unwrap(), operation);
        }
        assert!(serde_json::from_str::<Operation>("\"task_dance\"").is_err());
    }
}
