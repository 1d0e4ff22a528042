//! Decoding of requests: from an API's messages to the contents of a slot.

use std::collections::{BTreeMap, HashMap};

use containerd_sandbox::{
    ContainerOptions, Error, InvalidField, Result, SandboxOptions, SandboxRecord, quoted,
};
use cri_api::v1::{LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig, Protocol};
use prost::Message;
use tracing::{debug, warn};

use super::meta;
use super::record_network;
use super::setup;
use crate::refuse;
use crate::simulate::annotations::{self, Annotations};
use crate::simulate::ports;
use pod_resources::{
    ContainerData, CpuQuota, Extraction, OnInvalid, PodUpdate, ResourceInfo, Rules, SandboxData,
    record_linux,
};
use slot::{CriPod, Encoded, NewSandbox, Pod, PodHints, updated_pod};

/// Type of the options with which containerd's CRI plugin creates a sandbox.
const POD_SANDBOX_CONFIG: &str = "runtime.v1.PodSandboxConfig";
/// Extension of the record in which containerd's CRI plugin keeps its metadata.
const METADATA_EXTENSION: &str = "metadata";

/// Extension of the record in which containerd's CRI plugin puts an update of a pod.
const UPDATE_EXTENSION: &str = "updated-resources";

/// CRI's resources of a container, in the encoding of the slot.
pub(super) type CriResources = Encoded<LinuxContainerResources>;

/// Logs the warnings of an extraction and returns its resources.
pub(super) fn warned(id: &str, extraction: Extraction) -> ResourceInfo {
    for warning in extraction.warnings {
        warn!("{id}: ignored: {warning}");
    }
    extraction.info
}

/// Decodes a sandbox of the sandbox API, and its annotations. The process id is filled in
/// later.
pub(super) fn sandbox(
    id: &str,
    options: SandboxOptions,
    rules: Rules,
) -> Result<(NewSandbox, Annotations)> {
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
        ResourceInfo::from_sandbox_data(&data, rules).map_err(refuse::resource)?,
    );
    let ips = metadata(&options.record).map_or_else(Vec::new, record_network::ips);
    let (hints, annotations) = hints(config.as_ref(), &options.annotations, ips)?;
    // containerd's record has the labels of a pod without a configuration.
    let labels = &options.record.labels;
    let labels = config.as_ref().map_or(labels, |config| &config.labels);
    let of_config = config.iter().flat_map(|config| &config.annotations);
    let meta = meta::of_pod(id, labels, options.annotations.iter().chain(of_config));
    let new = NewSandbox {
        pid: 0,
        info,
        hints,
        meta,
        pod: config.and_then(|config| config.metadata).map(Pod::from),
        runtime: options.record.runtime,
        netns: options.netns_path,
        updated: None,
        cri: None,
    };
    check_lengths(&new)?;
    Ok((new, annotations))
}

/// Extracts the resources of a pod of the CRI API.
pub(super) fn pod_config(
    id: &str,
    config: &PodSandboxConfig,
    rules: Rules,
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
        ResourceInfo::from_sandbox_data(&data, rules).map_err(refuse::resource)?,
    ))
}

/// Decodes a pod of the CRI API, and its annotations. The process id is filled in later.
pub(super) fn pod(id: &str, pod: CriPod, rules: Rules) -> Result<(NewSandbox, Annotations)> {
    let info = pod_config(id, &pod.config, rules)?;
    let new = NewSandbox {
        info,
        pod: pod.config.metadata.clone().map(Pod::from),
        cri: Some(Box::new(pod)),
        ..NewSandbox::default()
    };
    check_lengths(&new)?;
    let annotations = recorded_annotations(&new)?;
    Ok((new, annotations))
}

/// Parses the annotations with which a sandbox was created.
///
/// # Errors
/// `InvalidArgument` for an unknown annotation with this project's prefix.
pub(super) fn recorded_annotations(pod: &NewSandbox) -> Result<Annotations> {
    match (&pod.cri, &pod.hints) {
        (Some(cri), _) => Annotations::of(&cri.config.annotations),
        (None, Some(hints)) => Annotations::of(&hints.annotations),
        (None, None) => Ok(Annotations::default()),
    }
}

/// Returns the TCP ports of a pod's port mappings.
pub(super) fn mapped_ports(config: &PodSandboxConfig) -> Vec<u16> {
    let mappings = config.port_mappings.iter();
    let tcp = mappings.filter(|mapping| mapping.protocol() == Protocol::Tcp);
    ports::bounded(tcp.filter_map(|mapping| u16::try_from(mapping.container_port).ok()))
}

/// Collects the properties of a pod that concern all its containers, with the parsed
/// annotations among them. Returns no hints if the pod states none.
fn hints(
    config: Option<&PodSandboxConfig>,
    annotations: &HashMap<String, String>,
    ips: Vec<String>,
) -> Result<(Option<Box<PodHints>>, Annotations)> {
    let of_config = config.iter().flat_map(|config| &config.annotations);
    let ours: BTreeMap<String, String> = annotations
        .iter()
        .chain(of_config)
        .filter(|(key, _)| key.starts_with(annotations::PREFIX))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let parsed = Annotations::of(&ours)?;
    let linux = config.and_then(|config| config.linux.as_ref());
    let hints = PodHints {
        annotations: ours,
        hostname: config.map_or_else(String::new, |config| config.hostname.clone()),
        sysctls: linux
            .map(|linux| linux.sysctls.clone().into_iter().collect())
            .unwrap_or_default(),
        resolv_conf: config
            .and_then(|config| config.dns_config.as_ref())
            .map_or_else(String::new, setup::resolv_conf),
        ips,
        ports: config.map_or_else(Vec::new, mapped_ports),
    };
    let hints = (hints != PodHints::default()).then(|| Box::new(hints));
    Ok((hints, parsed))
}

/// Refuses texts that are longer than Kubernetes (253 bytes a name) or the kernel (4,095
/// bytes a path) allow, because the texts are kept in memory and in the journal.
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

/// Extracts the resources in a sandbox's changed record.
fn record(id: &str, record: &SandboxRecord, rules: Rules) -> Result<ResourceInfo> {
    let none = HashMap::new();
    let data = SandboxData {
        config: None,
        annotations: &none,
        record_labels: &record.labels,
        record_metadata: metadata(record),
    };
    Ok(warned(
        id,
        ResourceInfo::from_sandbox_data(&data, rules).map_err(refuse::resource)?,
    ))
}

/// Applies a sandbox's changed record to the resources that the sandbox states. Returns them, and
/// the resources and overhead of the pod if they were ever updated. An update that states only
/// one of the two, or a part of one, leaves the rest as it is.
///
/// # Errors
/// `InvalidArgument` for a resource or an extension that cannot be read.
pub(super) fn updated_record(
    id: &str,
    present: &NewSandbox,
    record: &SandboxRecord,
    rules: Rules,
) -> Result<(ResourceInfo, Option<LinuxPodSandboxConfig>)> {
    let info = self::record(id, record, rules)?.or(present.info);
    let update = record.extensions.get(UPDATE_EXTENSION);
    let before = present.updated.as_deref();
    if update.is_none() && before.is_none() {
        return Ok((info, None));
    }
    let update = match update {
        Some(any) => PodUpdate::of_record(&any.value).map_err(refuse::resource)?,
        None => PodUpdate::default(),
    };
    let of_record = match (before, metadata(record)) {
        (None, Some(json)) => record_linux(json).map_err(refuse::resource)?,
        _ => None,
    };
    let before = before.map(|linux| &**linux).or(of_record.as_ref());
    let linux = updated_pod(before, update.resources.as_ref(), update.overhead.as_ref());
    let updated = info.updated_by_pod(&linux, rules);
    let updated = updated.map_err(refuse::resource)?;
    Ok((warned(id, updated), Some(linux)))
}

fn metadata(record: &SandboxRecord) -> Option<&[u8]> {
    let any = record.extensions.get(METADATA_EXTENSION)?;
    Some(&any.value)
}

/// Extracts the resources of a container, with the quota that does not follow from them.
///
/// # Errors
/// `InvalidArgument` for a field of the spec that is used and cannot be read.
pub(super) fn container(
    id: &str,
    options: &ContainerOptions,
    rules: Rules,
) -> Result<(ResourceInfo, Option<CpuQuota>)> {
    let of_bundle = |invalid: &dyn std::fmt::Display| {
        Error::invalid_argument(format!("{}/config.json: {invalid}", options.bundle))
    };
    invalid_fields(id, &options.spec.invalid, rules).map_err(|e| of_bundle(&e))?;
    let data = ContainerData {
        linux: &options.spec.linux,
        annotations: &options.spec.annotations,
    };
    let read = ResourceInfo::from_container_data(&data, rules).map_err(|e| of_bundle(&e))?;
    let cpu_quota = read.cpu_quota;
    Ok((warned(id, read), cpu_quota))
}

/// Refuses or logs the fields of a spec that cannot be read.
pub(super) fn invalid_fields(id: &str, invalid: &[InvalidField], rules: Rules) -> Result<()> {
    for field in invalid {
        match rules.on_invalid {
            OnInvalid::Reject => return Err(Error::invalid_argument(format!("OCI spec {field}"))),
            OnInvalid::Warn => warn!("{id}: ignored: OCI spec {field}"),
        }
    }
    Ok(())
}
