//! Requests decoded at the edge: from what a door hands over to what a slot holds.

use std::collections::{BTreeMap, HashMap};

use containerd_sandbox::{ContainerOptions, Error, Result, SandboxOptions, SandboxRecord, quoted};
use k8s_cri::v1::PodSandboxConfig;
use prost::Message;
use tracing::{debug, warn};

use crate::refuse;
use crate::simulate::stated::{self, Stated};
use pod_resources::{ContainerData, Extraction, OnInvalid, ResourceInfo, SandboxData};
use slot::{CriPod, NewSandbox, Pod, PodHints};

/// The type of the options that CRI creates a sandbox with.
const POD_SANDBOX_CONFIG: &str = "runtime.v1.PodSandboxConfig";
/// The record's extension that CRI keeps its own metadata in.
const METADATA_EXTENSION: &str = "metadata";

/// What was extracted, with its warnings logged.
pub(super) fn warned(id: &str, extraction: Extraction) -> ResourceInfo {
    for warning in extraction.warnings {
        warn!("{id}: ignored: {warning}");
    }
    extraction.info
}

/// What a sandbox is created with; the process id is filled in later.
pub(super) fn sandbox(
    id: &str,
    options: SandboxOptions,
    on_invalid: OnInvalid,
) -> Result<NewSandbox> {
    let config = match &options.options {
        Some(any) if any.is(POD_SANDBOX_CONFIG) => {
            Some(PodSandboxConfig::decode(any.value.as_slice()).map_err(|e| {
                Error::invalid_argument(format!("options: not a {POD_SANDBOX_CONFIG}: {e}"))
            })?)
        }
        Some(any) => {
            debug!(
                "{id}: options of type {} are not read",
                quoted(&any.type_url)
            );
            None
        }
        None => None,
    };
    let data = SandboxData {
        config: config.as_ref(),
        annotations: &options.annotations,
        record_labels: &options.record.labels,
        record_metadata: metadata(&options.record),
    };
    let info = warned(
        id,
        ResourceInfo::from_sandbox_data(&data, on_invalid).map_err(refuse::resource)?,
    );
    let new = NewSandbox {
        pid: 0,
        info,
        hints: hints(config.as_ref(), &options.annotations)?,
        pod: config.and_then(|config| config.metadata).map(Pod::from),
        runtime: options.record.runtime,
        netns: options.netns_path,
        cri: None,
    };
    check_lengths(&new)?;
    Ok(new)
}

/// What a pod of CRI's door asks for.
pub(super) fn pod_config(
    id: &str,
    config: &PodSandboxConfig,
    on_invalid: OnInvalid,
) -> Result<ResourceInfo> {
    let none = HashMap::new();
    let data = SandboxData {
        config: Some(config),
        annotations: &none,
        record_labels: &none,
        record_metadata: None,
    };
    Ok(warned(
        id,
        ResourceInfo::from_sandbox_data(&data, on_invalid).map_err(refuse::resource)?,
    ))
}

/// What a pod of CRI's door is created with; the process id is filled in later.
pub(super) fn pod(id: &str, pod: CriPod, on_invalid: OnInvalid) -> Result<NewSandbox> {
    let info = pod_config(id, &pod.config, on_invalid)?;
    let new = NewSandbox {
        pid: 0,
        info,
        pod: pod.config.metadata.clone().map(Pod::from),
        runtime: String::new(),
        netns: String::new(),
        hints: None,
        cri: Some(Box::new(pod)),
    };
    check_lengths(&new)?;
    Ok(new)
}

/// What a pod says of all its containers, if it says anything.
fn hints(
    config: Option<&PodSandboxConfig>,
    annotations: &HashMap<String, String>,
) -> Result<Option<Box<PodHints>>> {
    let of_config = config.iter().flat_map(|config| &config.annotations);
    let ours: BTreeMap<String, String> = annotations
        .iter()
        .chain(of_config)
        .filter(|(key, _)| key.starts_with(stated::PREFIX))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    Stated::of(&ours)?;
    let linux = config.and_then(|config| config.linux.as_ref());
    let hints = PodHints {
        annotations: ours,
        hostname: config.map_or_else(String::new, |config| config.hostname.clone()),
        sysctls: linux
            .map(|linux| linux.sysctls.clone().into_iter().collect())
            .unwrap_or_default(),
    };
    Ok((hints != PodHints::default()).then(|| Box::new(hints)))
}

/// What is kept of a pod is kept in memory and in the journal: no more of it than
/// Kubernetes (253 bytes a name) or the kernel (4,095 a path) would take.
fn check_lengths(new: &NewSandbox) -> Result<()> {
    const MAX_TEXT_LEN: usize = 4095;
    let pod = new.pod.as_ref();
    for (field, text) in [
        ("netns_path", Some(&new.netns)),
        ("runtime name", Some(&new.runtime)),
        ("pod name", pod.map(|pod| &pod.name)),
        ("pod namespace", pod.map(|pod| &pod.namespace)),
        ("pod uid", pod.map(|pod| &pod.uid)),
    ] {
        if let Some(text) = text.filter(|text| text.len() > MAX_TEXT_LEN) {
            return Err(Error::invalid_argument(format!(
                "{field} {}: {} bytes, over the limit of {MAX_TEXT_LEN}",
                quoted(text),
                text.len()
            )));
        }
    }
    Ok(())
}

/// What a sandbox's changed record states.
pub(super) fn record(
    id: &str,
    record: &SandboxRecord,
    on_invalid: OnInvalid,
) -> Result<ResourceInfo> {
    let none = HashMap::new();
    let data = SandboxData {
        config: None,
        annotations: &none,
        record_labels: &record.labels,
        record_metadata: metadata(record),
    };
    Ok(warned(
        id,
        ResourceInfo::from_sandbox_data(&data, on_invalid).map_err(refuse::resource)?,
    ))
}

fn metadata(record: &SandboxRecord) -> Option<&[u8]> {
    let any = record.extensions.get(METADATA_EXTENSION)?;
    Some(&any.value)
}

/// What a container asks for.
pub(super) fn container(
    id: &str,
    options: &ContainerOptions,
    on_invalid: OnInvalid,
) -> Result<ResourceInfo> {
    let data = ContainerData {
        resources: options.spec.resources(),
        annotations: &options.spec.annotations,
    };
    Ok(warned(
        id,
        ResourceInfo::from_container_data(&data, on_invalid).map_err(refuse::resource)?,
    ))
}
