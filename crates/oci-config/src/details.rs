//! The parts of a spec that only the commands in a container see.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use crate::field::{Field, section, small};
use crate::resources::texts;

/// The parts of an OCI runtime spec that only the commands in a container see.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Details {
    /// Annotations of the container. A value that is no text is given as JSON.
    #[serde(deserialize_with = "texts")]
    pub annotations: Field<HashMap<String, String>>,
    /// Host name.
    #[serde(deserialize_with = "small")]
    pub hostname: Field<String>,
    /// First process.
    #[serde(deserialize_with = "section")]
    pub process: Field<ProcessDetails>,
    /// Root file system.
    #[serde(deserialize_with = "section")]
    pub root: Field<Root>,
    /// Mounts.
    #[serde(deserialize_with = "small")]
    pub mounts: Field<Vec<Mount>>,
    /// Settings that only Linux has.
    #[serde(deserialize_with = "section")]
    pub linux: Field<LinuxDetails>,
}

/// The first process of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ProcessDetails {
    /// User and groups.
    #[serde(deserialize_with = "section")]
    pub user: Field<User>,
    /// Command and arguments.
    #[serde(deserialize_with = "small")]
    pub args: Field<Vec<Option<String>>>,
    /// Environment variables, as `NAME=VALUE`.
    #[serde(deserialize_with = "small")]
    pub env: Field<Vec<Option<String>>>,
    /// Working directory.
    #[serde(deserialize_with = "small")]
    pub cwd: Field<String>,
    /// Capabilities.
    #[serde(deserialize_with = "section")]
    pub capabilities: Field<Capabilities>,
    /// Whether no program gains privileges by its file.
    #[serde(deserialize_with = "small")]
    pub no_new_privileges: Field<bool>,
}

/// User and groups of a process.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct User {
    /// Number of the user.
    #[serde(deserialize_with = "small")]
    pub uid: Field<u32>,
    /// Number of the group.
    #[serde(deserialize_with = "small")]
    pub gid: Field<u32>,
    /// Numbers of further groups.
    #[serde(deserialize_with = "small")]
    pub additional_gids: Field<Vec<u32>>,
}

/// Capabilities of a process, by name.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Capabilities {
    /// Capabilities that permission checks use.
    #[serde(deserialize_with = "small")]
    pub effective: Field<Vec<String>>,
    /// Capabilities that the process may make effective.
    #[serde(deserialize_with = "small")]
    pub permitted: Field<Vec<String>>,
    /// Capabilities that a program may be granted.
    #[serde(deserialize_with = "small")]
    pub bounding: Field<Vec<String>>,
    /// Capabilities that a program keeps if its file has them, too.
    #[serde(deserialize_with = "small")]
    pub inheritable: Field<Vec<String>>,
    /// Capabilities that a program keeps.
    #[serde(deserialize_with = "small")]
    pub ambient: Field<Vec<String>>,
}

/// Root file system of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Root {
    /// Whether it is read-only.
    #[serde(deserialize_with = "small")]
    pub readonly: Field<bool>,
}

/// A mount.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Mount {
    /// Mount point.
    pub destination: Option<String>,
    /// Mounted device, file or directory.
    pub source: Option<String>,
    /// Type of the file system.
    pub r#type: Option<String>,
    /// Mount options.
    pub options: Option<Vec<String>>,
}

/// The Linux part of a spec.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LinuxDetails {
    /// Kernel parameters.
    #[serde(deserialize_with = "small")]
    pub sysctl: Field<BTreeMap<String, String>>,
    /// Filter of system calls.
    #[serde(deserialize_with = "section")]
    pub seccomp: Field<Seccomp>,
    /// Namespaces of the container.
    #[serde(deserialize_with = "small")]
    pub namespaces: Field<Vec<Namespace>>,
    /// Paths that the container cannot see.
    #[serde(deserialize_with = "small")]
    pub masked_paths: Field<Vec<String>>,
    /// Paths that the container cannot write.
    #[serde(deserialize_with = "small")]
    pub readonly_paths: Field<Vec<String>>,
    /// User ids of the container's user namespace.
    #[serde(deserialize_with = "small")]
    pub uid_mappings: Field<Vec<IdMapping>>,
    /// Group ids of the container's user namespace.
    #[serde(deserialize_with = "small")]
    pub gid_mappings: Field<Vec<IdMapping>>,
}

/// A namespace of a container.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Namespace {
    /// Kind, such as `pid`.
    pub r#type: String,
    /// Path of the namespace that the container shares; empty for a new one.
    pub path: String,
}

/// A range of ids in a user namespace.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct IdMapping {
    /// First id in the container.
    #[serde(rename = "containerID")]
    pub container_id: u32,
    /// Id outside of the container that the first id is.
    #[serde(rename = "hostID")]
    pub host_id: u32,
    /// Number of ids.
    pub size: u32,
}

/// Filter of system calls.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Seccomp {
    /// Action for a call that no rule names.
    #[serde(deserialize_with = "small")]
    pub default_action: Field<String>,
    /// Rules.
    #[serde(deserialize_with = "small")]
    pub syscalls: Field<Vec<SeccompRule>>,
}

/// A rule of a filter of system calls. Its conditions are not read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct SeccompRule {
    /// Names of system calls.
    pub names: Vec<String>,
    /// Action for these calls.
    pub action: String,
}
