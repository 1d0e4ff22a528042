//! The operations that are measured.

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
    /// From sending the signal until the reply to the Wait that was pending since before Start.
    TaskWait,
    /// Delete a stopped task.
    TaskDelete,
    /// Stop a sandbox.
    SandboxStop,
    /// Shut a sandbox down, which removes it.
    SandboxShutdown,
    /// The whole lifecycle of one pod, from the first request to the last reply.
    Pod,
}

impl Operation {
    /// Every operation, in the order of a lifecycle.
    pub const ALL: [Self; 12] = [
        Self::SandboxCreate,
        Self::SandboxStart,
        Self::TaskCreate,
        Self::TaskStart,
        Self::TaskState,
        Self::SandboxStatus,
        Self::TaskKill,
        Self::TaskWait,
        Self::TaskDelete,
        Self::SandboxStop,
        Self::SandboxShutdown,
        Self::Pod,
    ];

    /// The name in tables, results and histogram logs.
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
            Self::TaskDelete => "task_delete",
            Self::SandboxStop => "sandbox_stop",
            Self::SandboxShutdown => "sandbox_shutdown",
            Self::Pod => "pod",
        }
    }

    /// Whether it is one RPC; a pod is many.
    pub fn is_rpc(self) -> bool {
        self != Self::Pod
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
    fn names_come_back() {
        for operation in Operation::ALL {
            let json = serde_json::to_string(&operation).unwrap();
            assert_eq!(serde_json::from_str::<Operation>(&json).unwrap(), operation);
        }
        assert!(serde_json::from_str::<Operation>("\"task_dance\"").is_err());
    }
}
