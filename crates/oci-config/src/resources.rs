//! The section `linux.resources`, and the JSON of an update.

use std::collections::HashMap;

use serde::{Deserialize, Deserializer};

use crate::field::{Field, integer, section};
use crate::texts::Texts;

/// Limits that a kernel would enforce: the section `linux.resources` of a spec.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LinuxResources {
    /// CPU time.
    #[serde(deserialize_with = "section")]
    pub cpu: Field<LinuxCpu>,
    /// Memory.
    #[serde(deserialize_with = "section")]
    pub memory: Field<LinuxMemory>,
    /// Number of processes and threads.
    #[serde(deserialize_with = "section")]
    pub pids: Field<LinuxPids>,
    /// Files of cgroup v2 with their contents. A content that is no text is given as JSON.
    #[serde(deserialize_with = "texts")]
    pub unified: Field<HashMap<String, String>>,
}

/// CPU time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LinuxCpu {
    /// Relative weight, `cpu.shares` of cgroup v1.
    #[serde(deserialize_with = "integer")]
    pub shares: Field<i128>,
    /// CPU time in a period, in microseconds.
    #[serde(deserialize_with = "integer")]
    pub quota: Field<i128>,
    /// Period, in microseconds.
    #[serde(deserialize_with = "integer")]
    pub period: Field<i128>,
}

/// Memory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LinuxMemory {
    /// Upper limit, in bytes.
    #[serde(deserialize_with = "integer")]
    pub limit: Field<i128>,
    /// Soft limit, in bytes.
    #[serde(deserialize_with = "integer")]
    pub reservation: Field<i128>,
}

/// Number of processes and threads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct LinuxPids {
    /// Upper limit.
    #[serde(deserialize_with = "integer")]
    pub limit: Field<i128>,
}

/// Decodes a map of texts.
pub(crate) fn texts<'de, D>(deserializer: D) -> Result<Field<HashMap<String, String>>, D::Error>
where
    D: Deserializer<'de>,
{
    Ok(match section::<D, Texts>(deserializer)? {
        Field::Absent => Field::Absent,
        Field::Value(texts) => Field::Value(texts.0),
        Field::Unreadable(text) => Field::Unreadable(text),
    })
}
