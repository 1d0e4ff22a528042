//! Resources: what a container or sandbox states, from every source.
//!
//! | Source | cpu | memory | pids | storage | network |
//! | --- | --- | --- | --- | --- | --- |
//! | 1. Linux resources, OCI or CRI (`linux`, `unified`) | quota and period, shares; `cpu.max`, `cpu.weight` | limit, reservation; `memory.max`, `memory.min`, `memory.low` | limit; `pids.max` | | |
//! | 2. annotations (`annotations`) | `resources.limits.cpu`, `resources.requests.cpu` | `resources.limits.memory`, `resources.requests.memory` | `resources.limits.pid` | `resources.limits.ephemeral-storage` | `kubernetes.io/ingress-bandwidth`, `kubernetes.io/egress-bandwidth` |
//! | 3. containerd's sandbox record (`metadata`) | as 1 and 2 | as 1 and 2 | as 1 and 2 | as 2 | as 2 |
//!
//! The first source that states a field wins, field by field. To say "no
//! limit" states nothing, so a later source may still name one; only in an
//! [update](ResourceInfo::updated_by) does it take a limit away. What no source
//! of a sandbox states is the sum of its containers:
//! [`Slot::resource_info`](ResourceInfo).
//!
//! The `io.kubernetes.cri.sandbox-cpu-*` and `sandbox-memory` annotations are
//! not read: containerd derives them from the pod's Linux resources, which are
//! source 1, and on a container they would count the pod once per container.
//!
//! A new resource is a field of [`ResourceInfo`]; the compiler then asks for it
//! in `ResourceInfo::zip` and in each source that can state it.

mod annotations;
mod cores;
mod error;
mod info;
mod linux;
mod metadata;
mod quantity;
#[cfg(test)]
mod tests;
mod unified;

use std::collections::HashMap;

use k8s_cri::v1::{ContainerConfig, LinuxContainerResources, PodSandboxConfig};
use oci_spec::runtime::LinuxResources;

pub use error::{InvalidResource, OnInvalid, Origin};
pub use info::ResourceInfo;
pub use quantity::{Quantity, QuantityError};

use error::Reader;
use linux::Linux;

/// All that may state the resources of a sandbox.
#[derive(Debug, Clone, Copy)]
pub struct SandboxData<'a> {
    /// The pod's configuration.
    pub config: Option<&'a PodSandboxConfig>,
    /// The annotations of the request that creates the sandbox.
    pub annotations: &'a HashMap<String, String>,
    /// The labels of containerd's record of the sandbox.
    pub record_labels: &'a HashMap<String, String>,
    /// The extension `metadata` of that record, JSON.
    pub record_metadata: Option<&'a [u8]>,
}

/// All that may state the resources of a container.
#[derive(Debug, Clone, Copy)]
pub struct ContainerData<'a> {
    /// `linux.resources` of its OCI spec.
    pub resources: Option<&'a LinuxResources>,
    /// The annotations of its OCI spec.
    pub annotations: &'a HashMap<String, String>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Extraction {
    /// The resources.
    pub info: ResourceInfo,
    /// What could not be read, for the log. Empty under
    /// [`OnInvalid::Reject`], where it is an error instead.
    pub warnings: Vec<InvalidResource>,
}

impl ResourceInfo {
    /// The resources a sandbox states itself, its containers not counted.
    ///
    /// Of two configurations of the pod, `config` comes before the one in the
    /// record. Overhead is added to the Linux resources beside it. A value that
    /// cannot be read is an error or, with [`OnInvalid::Warn`], a warning.
    pub fn from_sandbox_data(
        data: &SandboxData<'_>,
        on_invalid: OnInvalid,
    ) -> Result<Extraction, InvalidResource> {
        let mut reader = Reader::new(on_invalid);
        let mut info = Self::default();
        if let Some(config) = data.config {
            if let Some(pod) = &config.linux {
                info = pod_linux(
                    (pod.resources.as_ref(), Origin::PodResources),
                    (pod.overhead.as_ref(), Origin::PodOverhead),
                    &mut reader,
                )?;
            }
            let origin = Origin::PodAnnotation;
            info = info.or(annotations::read(&config.annotations, origin, &mut reader)?);
        }
        let origin = Origin::RequestAnnotation;
        info = info.or(annotations::read(data.annotations, origin, &mut reader)?);

        let record = match data.record_metadata {
            Some(json) => reader.accept(metadata::config(json))?,
            None => None,
        };
        if let Some(record) = record {
            if let Some(pod) = &record.linux {
                info = info.or(pod_linux(
                    (pod.resources.as_ref(), Origin::RecordResources),
                    (pod.overhead.as_ref(), Origin::RecordOverhead),
                    &mut reader,
                )?);
            }
            if let Some(annotations) = &record.annotations {
                let origin = Origin::RecordAnnotation;
                info = info.or(annotations::read(annotations, origin, &mut reader)?);
            }
        }
        let origin = Origin::RecordLabel;
        info = info.or(annotations::read(data.record_labels, origin, &mut reader)?);
        Ok(Extraction {
            info,
            warnings: reader.into_warnings(),
        })
    }

    /// The resources a container states. A value that cannot be read is an
    /// error or, with [`OnInvalid::Warn`], a warning.
    pub fn from_container_data(
        data: &ContainerData<'_>,
        on_invalid: OnInvalid,
    ) -> Result<Extraction, InvalidResource> {
        let resources = data.resources;
        let resources = resources.map(|oci| (Linux::from(oci), Origin::OciResources));
        of_container(resources, data.annotations, on_invalid)
    }

    /// The resources a container of CRI's door states. A value that cannot be read
    /// is an error or, with [`OnInvalid::Warn`], a warning.
    pub fn from_container_config(
        config: &ContainerConfig,
        on_invalid: OnInvalid,
    ) -> Result<Extraction, InvalidResource> {
        let linux = config.linux.as_ref();
        let resources = linux.and_then(|linux| linux.resources.as_ref());
        let resources = resources.map(|cri| (Linux::from(cri), Origin::ContainerResources));
        of_container(resources, &config.annotations, on_invalid)
    }

    /// This with an update applied: what `resources` state replaces, "no limit"
    /// takes away, the rest stays. A value that cannot be read is an error or,
    /// with [`OnInvalid::Warn`], a warning and a field that is no longer known.
    ///
    /// A CPU quota without a period is one of the kernel's default period, 100 ms,
    /// and a period without a quota changes nothing: what is tracked is their
    /// quotient. runc keeps the earlier period or quota instead.
    pub fn updated_by(
        self,
        resources: &LinuxResources,
        on_invalid: OnInvalid,
    ) -> Result<Extraction, InvalidResource> {
        updated(self, &resources.into(), Origin::OciResources, on_invalid)
    }

    /// The same with an update of CRI's door.
    pub fn updated_by_cri(
        self,
        resources: &LinuxContainerResources,
        on_invalid: OnInvalid,
    ) -> Result<Extraction, InvalidResource> {
        updated(
            self,
            &resources.into(),
            Origin::ContainerResources,
            on_invalid,
        )
    }
}

fn of_container(
    resources: Option<(Linux<'_>, Origin)>,
    annotations: &HashMap<String, String>,
    on_invalid: OnInvalid,
) -> Result<Extraction, InvalidResource> {
    let mut reader = Reader::new(on_invalid);
    let mut info = ResourceInfo::default();
    if let Some((resources, origin)) = resources {
        info = resources.read(origin, &mut reader)?.over(info);
    }
    let origin = Origin::ContainerAnnotation;
    info = info.or(annotations::read(annotations, origin, &mut reader)?);
    Ok(Extraction {
        info,
        warnings: reader.into_warnings(),
    })
}

fn updated(
    info: ResourceInfo,
    resources: &Linux<'_>,
    origin: Origin,
    on_invalid: OnInvalid,
) -> Result<Extraction, InvalidResource> {
    let mut reader = Reader::new(on_invalid);
    let update = resources.read(origin, &mut reader)?;
    Ok(Extraction {
        info: update.over(info),
        warnings: reader.into_warnings(),
    })
}

/// What a pod's Linux resources and its overhead state together.
fn pod_linux<'a, R: 'a>(
    (resources, origin): (Option<&'a R>, Origin),
    (overhead, overhead_origin): (Option<&'a R>, Origin),
    reader: &mut Reader,
) -> Result<ResourceInfo, InvalidResource>
where
    Linux<'a>: From<&'a R>,
{
    // Without resources to add it to, overhead is still checked.
    let resources = resources.map_or_else(Linux::default, Linux::from);
    let mut stated = resources.read(origin, reader)?;
    if let Some(overhead) = overhead {
        let overhead = Linux::from(overhead).read(overhead_origin, reader)?;
        stated = stated.with_overhead(overhead);
    }
    Ok(stated.over(ResourceInfo::default()))
}
