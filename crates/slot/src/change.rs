//! The changes a slot can go through: what the journal records.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use k8s_cri::v1::{LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxMetadata};
use serde::{Deserialize, Serialize};

use super::conduct::Conduct;
use super::cri::{CriContainer, CriPod};
use super::encoded::Encoded;
use pod_resources::ResourceInfo;

/// One change of one sandbox. The journal's `do` field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// The sandbox comes to be.
    Create(NewSandbox),
    /// The sandbox starts.
    Start,
    /// The sandbox ends with this exit code, and every process in it by SIGKILL.
    Stop(u32),
    /// The sandbox now states these resources itself.
    Update(ResourceInfo),
    /// A pod of CRI's door now asks for these resources.
    UpdatePod {
        /// What the sandbox states itself from now on.
        info: ResourceInfo,
        /// The pod's resources and overhead from now on, and nothing else.
        linux: Encoded<LinuxPodSandboxConfig>,
    },
    /// The sandbox is forgotten, with its containers; what has not ended ends by SIGKILL.
    Delete,
    /// A container comes to be.
    CreateContainer(NewContainer),
    /// A container now states these resources.
    UpdateContainer {
        /// The container's id.
        container: String,
        /// Its resources from now on.
        info: ResourceInfo,
        /// Of a container of CRI's door: its Linux resources from now on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        linux: Option<Encoded<LinuxContainerResources>>,
    },
    /// A process is added to a running container.
    CreateExec {
        /// The container's id.
        container: String,
        /// The process's id within the container.
        exec: String,
        /// What is known of the process.
        process: NewProcess,
    },
    /// A process starts.
    StartProcess(ProcessId),
    /// The freezer holds a container.
    Pause(String),
    /// The freezer lets a container go.
    Resume(String),
    /// A process ends; if it is a container's first, its exec processes end by SIGKILL.
    Exit(ProcessId, u32),
    /// A process is forgotten; if it is a container's first, the container is. One
    /// that never ran ends by SIGKILL.
    DeleteProcess(ProcessId),
}

/// What a sandbox is created with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSandbox {
    /// Its fake process id.
    pub pid: u32,
    /// The resources that the sandbox itself states.
    pub info: ResourceInfo,
    /// The pod it is for, if its creator said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Pod>,
    /// The runtime that containerd records for it, such as `io.containerd.resource-slot.v1`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub runtime: String,
    /// The network namespace it was given; empty for the host's.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub netns: String,
    /// What its containers' commands and lives need of it; of CRI's door that is in
    /// `cri`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hints: Option<Box<PodHints>>,
    /// What CRI's door must give back of it; `None` if it came through another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cri: Option<Box<CriPod>>,
}

/// What a pod says of all its containers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodHints {
    /// Its annotations `resource-slot.kuasar.io/…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Its host name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
    /// Its kernel parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sysctls: BTreeMap<String, String>,
}

/// Kubernetes' name of a pod (CRI `PodSandboxMetadata`).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pod {
    /// The pod's name.
    pub name: String,
    /// Its Kubernetes namespace.
    pub namespace: String,
    /// Its UID.
    pub uid: String,
    /// Which attempt at creating the sandbox this is.
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

/// What a container is created with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewContainer {
    /// Its id.
    pub id: String,
    /// The OCI bundle's directory.
    pub bundle: String,
    /// The resources it states.
    pub info: ResourceInfo,
    /// Its first process.
    pub process: NewProcess,
    /// What it is seen to do while it runs, if that was stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conduct: Option<Box<Conduct>>,
    /// What CRI's door must give back of it; `None` if it came through another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cri: Option<Box<CriContainer>>,
}

/// What a process is created with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewProcess {
    /// Its fake process id.
    pub pid: u32,
    /// Where its streams lead.
    #[serde(default, skip_serializing_if = "Stdio::is_unset")]
    pub stdio: Stdio,
    /// How it is going to end if nobody stops it.
    #[serde(default, skip_serializing_if = "Life::is_endless")]
    pub life: Life,
    /// What it runs in the toy userland, whose end is its own; empty: nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

/// The paths of a process's streams; empty where it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stdio {
    /// Standard input.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdin: String,
    /// Standard output.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stdout: String,
    /// Standard error.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub stderr: String,
    /// Whether they are one terminal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub terminal: bool,
}

impl Stdio {
    /// Whether no stream is set.
    pub fn is_unset(&self) -> bool {
        *self == Self::default()
    }
}

/// How a process ends by itself, counted from its start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Life {
    /// How long it runs; `None`: until it is stopped.
    pub ends_after: Option<Duration>,
    /// The exit code it then has.
    #[serde(default)]
    pub exit_code: u32,
    /// Whether it is then killed for want of memory.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub oom: bool,
}

impl Life {
    /// Whether it runs until it is stopped.
    pub fn is_endless(&self) -> bool {
        *self == Self::default()
    }
}

/// Names a process within a sandbox.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProcessId {
    /// The container's id.
    pub container: String,
    /// The exec id; `None` for the container's first process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exec: Option<String>,
}

impl ProcessId {
    /// A container's first process.
    pub fn init(container: &str) -> Self {
        Self {
            container: container.to_owned(),
            exec: None,
        }
    }

    /// A process added by exec.
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
