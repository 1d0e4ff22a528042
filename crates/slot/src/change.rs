//! Changes of a slot, as the journal records them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use cri_api::v1::{LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxMetadata};
use serde::{Deserialize, Serialize};

use super::behaviour::Behaviour;
use super::cri::{CriContainer, CriPod};
use super::encoded::Encoded;
use super::meta::{PodMeta, Texts};
use pod_resources::{CpuQuota, ResourceInfo};

/// Change of one sandbox; the field `do` of a journal record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The sandbox is created.
    Create(NewSandbox),
    /// The sandbox starts.
    Start,
    /// The sandbox ends with this exit code, and every process in it by SIGKILL.
    Stop(u32),
    /// The resources that the sandbox itself states are replaced.
    Update(ResourceInfo),
    /// The resources and overhead of a pod are replaced.
    UpdatePod {
        /// Resources that the sandbox itself states from now on.
        info: ResourceInfo,
        /// Resources and overhead of the pod from now on; its other fields are unset.
        linux: Encoded<LinuxPodSandboxConfig>,
    },
    /// The sandbox is removed with its containers; running processes end by SIGKILL.
    Delete,
    /// A container is created.
    CreateContainer(NewContainer),
    /// The resources that a container states are replaced.
    UpdateContainer {
        /// Id of the container.
        container: String,
        /// New resources of the container.
        info: ResourceInfo,
        /// New Linux resources of a container of the CRI API.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        linux: Option<Encoded<LinuxContainerResources>>,
        /// New CPU quota and period of a container of another API, if they do not follow from
        /// the CPU limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cpu_quota: Option<CpuQuota>,
    },
    /// A process is added to a running container.
    CreateExec {
        /// Id of the container.
        container: String,
        /// Id of the process within the container.
        exec: String,
        /// Values of the new process.
        process: NewProcess,
    },
    /// A process starts.
    StartProcess(ProcessId),
    /// The freezer stops a container, named by its id.
    Pause(String),
    /// The freezer lets a container run again, named by its id.
    Resume(String),
    /// A process ends with this exit code; the end of a container's first process ends its
    /// exec processes by SIGKILL.
    Exit(ProcessId, u32),
    /// A process ends by SIGKILL for lack of memory; otherwise as [`Change::Exit`].
    OutOfMemory(ProcessId),
    /// A process is removed; removing a container's first process removes the container. A
    /// process that never ran ends by SIGKILL first.
    DeleteProcess(ProcessId),
}

/// Values that a sandbox is created with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSandbox {
    /// Fake process id of the sandbox.
    pub pid: u32,
    /// Resources that the sandbox itself states, without those of its containers.
    pub info: ResourceInfo,
    /// Name of the pod in Kubernetes; `None` if the request that created the sandbox names no
    /// pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
    /// Runtime that containerd records for the sandbox, such as
    /// `io.containerd.resource-slot.v1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub runtime: String,
    /// Path of the sandbox's network namespace; empty for the host's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub netns: String,
    /// Values of the pod that the commands and the behaviour of its containers depend on; a
    /// sandbox of the CRI API has them in `cri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hints: Option<Box<PodHints>>,
    /// Resources and overhead of the pod after its last update, with no other field set; `None`
    /// before the first, and for a sandbox of the CRI API, which has them in `cri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Box<Encoded<LinuxPodSandboxConfig>>>,
    /// Labels and annotations of the pod that no other field has; `None` if there are none, and
    /// for a sandbox of the CRI API, which has them in `cri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<Box<PodMeta>>,
    /// Values that the CRI API must return later; `None` for a sandbox of another API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cri: Option<Box<CriPod>>,
}

/// Values of a pod that apply to all its containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodHints {
    /// The pod's annotations `resource-slot.kuasar.io/…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// The pod's host name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// The pod's kernel parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
    /// Text of the pod's resolv.conf(5); empty if the pod states none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resolv_conf: String,
    /// The pod's IP addresses, as containerd records them, the primary one first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ips: Vec<String>,
    /// TCP ports of the pod's port mappings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
}

/// Name of a pod in Kubernetes (CRI `PodSandboxMetadata`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// The pod's name.
    pub name: String,
    /// The pod's Kubernetes namespace.
    pub namespace: String,
    /// The pod's UID.
    pub uid: String,
    /// Number of earlier attempts to create a sandbox for the pod.
    pub attempt: u32,
}

impl From<PodSandboxMetadata> for Pod {
    fn from(metadata: PodSandboxMetadata) -> Self {
        Self {
            name: metadata.name,
            namespace: metadata.namespace,
            uid: metadata.uid,
            attempt: metadata.attempt,
        }
    }
}

/// Values that a container is created with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewContainer {
    /// Id of the container.
    pub id: String,
    /// Name of the container in its pod; empty if none is stated, and for a container of the
    /// CRI API, whose configuration has it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Directory of the OCI bundle.
    pub bundle: String,
    /// Resources that the container states.
    pub info: ResourceInfo,
    /// CPU quota and period; `None` if they follow from the CPU limit, and for a container of
    /// the CRI API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_quota: Option<CpuQuota>,
    /// OOM score adjustment; `None` if none is stated, and for a container of the CRI API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oom_score_adj: Option<i64>,
    /// Annotations of the container that no other field has; `None` if there are none, and for a
    /// container of the CRI API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotations: Option<Box<Texts>>,
    /// Values of the container's first process.
    pub process: NewProcess,
    /// Simulated behaviour; `None` if neither an annotation nor a profile states one.
    #[serde(default, rename = "conduct", skip_serializing_if = "Option::is_none")]
    pub behaviour: Option<Box<Behaviour>>,
    /// TCP ports that the container declares.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<u16>,
    /// Values that the CRI API must return later; `None` for a container of another API.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cri: Option<Box<CriContainer>>,
}

/// Values that a process is created with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProcess {
    /// Fake process id.
    pub pid: u32,
    /// Paths of the process's streams.
    #[serde(default, skip_serializing_if = "Stdio::is_unset")]
    pub stdio: Stdio,
    /// End of the process if no request ends it earlier.
    #[serde(
        default,
        rename = "life",
        skip_serializing_if = "PlannedExit::is_never"
    )]
    pub planned_exit: PlannedExit,
    /// Command and arguments that run in the toy userland and end the process; empty for none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Effect of signals that the command does not trap.
    #[serde(default, skip_serializing_if = "SignalHandling::is_handled")]
    pub signals: SignalHandling,
}

/// Effect of signals that a command does not trap (signal(7)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalHandling {
    /// The program is not simulated, and taken for one that handles signals as a server does.
    #[default]
    Handled,
    /// The program has no handlers: a signal has its default effect.
    Default,
    /// The program has no handlers and is the first process of its PID namespace: only SIGKILL
    /// from outside ends it (pid_namespaces(7)).
    Protected,
}

impl SignalHandling {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    fn is_handled(&self) -> bool {
        *self == Self::Handled
    }
}

/// Paths of the streams of a process; an empty path stands for no stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stdio {
    /// Path of standard input.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
    /// Path of standard output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// Path of standard error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// Whether the streams are one terminal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminal: bool,
}

impl Stdio {
    /// Returns whether no stream is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// End that a process comes to by itself, counted from its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedExit {
    /// Running time of the process; `None` if the process never ends by itself.
    pub ends_after: Option<Duration>,
    /// Exit code at that end.
    #[serde(default)]
    pub exit_code: u32,
    /// Whether the end is a kill for lack of memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom: bool,
}

impl PlannedExit {
    /// Returns whether the process never ends by itself.
    pub fn is_never(&self) -> bool {
        *self == Self::default()
    }
}

/// Name of a process within a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessId {
    /// Id of the container.
    pub container: String,
    /// Exec id; `None` for the first process of the container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<String>,
}

impl ProcessId {
    /// Returns the name of a container's first process.
    pub fn init(container: &str) -> Self {
        Self {
            container: container.to_owned(),
            exec: None,
        }
    }

    /// Returns the name of a process added by exec.
    pub fn exec(container: &str, exec: &str) -> Self {
        Self {
            container: container.to_owned(),
            exec: Some(exec.to_owned()),
        }
    }
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.exec {
            None => write!(f, "container {}", self.container),
            Some(exec) => write!(f, "process {exec} of container {}", self.container),
        }
    }
}
