//! Source 3: the record that containerd keeps of a sandbox and sends with its requests.
//!
//! The record's extension `metadata` is JSON, `{"Version":"v1","Metadata":{…,"Config":{…}}}`.
//! `Config` is the pod's configuration with the field names of the CRI definition, without
//! fields that are zero.

use std::collections::HashMap;

use cri_api::v1::{LinuxContainerResources, LinuxPodSandboxConfig};
use serde::Deserialize;

use super::Origin;
use super::error::InvalidResource;
use super::linux::Linux;

/// The part of a pod's configuration that states resources.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Config {
    #[serde(default)]
    pub(super) annotations: Option<HashMap<String, String>>,
    #[serde(default)]
    pub(super) linux: Option<PodLinux>,
}

#[derive(Debug, Deserialize)]
pub(super) struct PodLinux {
    #[serde(default)]
    pub(super) resources: Option<Resources>,
    #[serde(default)]
    pub(super) overhead: Option<Resources>,
}

/// CRI's `LinuxContainerResources`.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resources {
    cpu_period: i64,
    cpu_quota: i64,
    cpu_shares: i64,
    memory_limit_in_bytes: i64,
    unified: Option<HashMap<String, String>>,
}

impl From<Resources> for LinuxContainerResources {
    fn from(resources: Resources) -> Self {
        Self {
            cpu_period: resources.cpu_period,
            cpu_quota: resources.cpu_quota,
            cpu_shares: resources.cpu_shares,
            memory_limit_in_bytes: resources.memory_limit_in_bytes,
            unified: resources.unified.unwrap_or_default(),
            ..Self::default()
        }
    }
}

impl<'a> From<&'a Resources> for Linux<'a> {
    fn from(resources: &'a Resources) -> Self {
        Self {
            quota: resources.cpu_quota.into(),
            period: resources.cpu_period.into(),
            shares: resources.cpu_shares.into(),
            memory_limit: resources.memory_limit_in_bytes.into(),
            unified: resources.unified.as_ref(),
            ..Self::default()
        }
    }
}

/// Reads the pod's configuration from the extension `json`; returns an empty one if the record
/// has none.
pub(super) fn config(json: &[u8]) -> Result<Config, InvalidResource> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Record {
        version: Option<String>,
        metadata: Option<Metadata>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Metadata {
        config: Option<Config>,
    }

    let invalid = |expected| invalid("metadata", json, expected);
    if json.is_empty() {
        return Ok(Config::default());
    }
    let record: Record =
        serde_json::from_slice(json).map_err(|_| invalid("containerd's JSON record"))?;
    if record.version.is_some_and(|version| version != "v1") {
        return Err(invalid("a record of version v1"));
    }
    Ok(record
        .metadata
        .and_then(|metadata| metadata.config)
        .unwrap_or_default())
}

/// Resources and overhead of an update of a pod.
#[derive(Debug, Default, PartialEq)]
pub struct PodUpdate {
    /// Resources from now on; `None` leaves them as they are.
    pub resources: Option<LinuxContainerResources>,
    /// Overhead from now on; `None` leaves it as it is.
    pub overhead: Option<LinuxContainerResources>,
}

impl PodUpdate {
    /// Reads the extension `updated-resources` of containerd's record of a sandbox: JSON,
    /// `{"Overhead":{…},"Resources":{…}}`. containerd 2.3 and later add it when a client
    /// updates the resources of a pod (`UpdatedResources` in containerd's
    /// `internal/cri/server/podsandbox/helpers.go`); each part may be `null`.
    ///
    /// # Errors
    /// Text that is not of this form.
    pub fn of_record(json: &[u8]) -> Result<Self, InvalidResource> {
        #[derive(Default, Deserialize)]
        #[serde(rename_all = "PascalCase", default)]
        struct Updated {
            overhead: Option<Resources>,
            resources: Option<Resources>,
        }
        let updated: Updated = serde_json::from_slice(json).map_err(|_| {
            let expected = "JSON with Overhead and Resources";
            invalid("updated-resources", json, expected)
        })?;
        Ok(Self {
            resources: updated.resources.map(Into::into),
            overhead: updated.overhead.map(Into::into),
        })
    }
}

/// Reads the resources and overhead of the pod's configuration in the extension `metadata`,
/// with no other field set; `None` if the record has none.
///
/// # Errors
/// An extension that is not containerd's JSON record.
pub fn record_linux(json: &[u8]) -> Result<Option<LinuxPodSandboxConfig>, InvalidResource> {
    let linux = config(json)?.linux.map(|pod| LinuxPodSandboxConfig {
        resources: pod.resources.map(Into::into),
        overhead: pod.overhead.map(Into::into),
        ..LinuxPodSandboxConfig::default()
    });
    Ok(linux)
}

fn invalid(key: &'static str, json: &[u8], expected: &'static str) -> InvalidResource {
    let start = String::from_utf8_lossy(&json[..json.len().min(1024)]);
    InvalidResource::new(Origin::Record, key, &start, expected)
}
