//! Resources of pods and containers: reads what the sources state and merges the sources.
//!
//! | Source | cpu | memory | pids | storage | network |
//! | --- | --- | --- | --- | --- | --- |
//! | 1. Linux resources, OCI or CRI (`linux`, `unified`) | quota and period, shares; `cpu.max`, `cpu.weight` | limit, reservation; `memory.max`, `memory.min`, `memory.low` | limit; `pids.max` | | |
//! | 2. annotations (`annotations`) | `resources.limits.cpu`, `resources.requests.cpu` | `resources.limits.memory`, `resources.requests.memory` | `resources.limits.pid` | `resources.limits.ephemeral-storage` | `kubernetes.io/ingress-bandwidth`, `kubernetes.io/egress-bandwidth` |
//! | 3. containerd's sandbox record (`metadata`) | as 1 and 2 | as 1 and 2 | as 1 and 2 | as 2 | as 2 |
//!
//! For each field, the first source that states it wins. The statement "no limit" sets no
//! value, so a later source may still set one; only in an [update](ResourceInfo::updated_by)
//! does "no limit" remove a limit. A field that no source of a sandbox states is the sum of
//! the sandbox's containers, which the crate `slot` computes (`Slot::resource_info`).
//!
//! The annotations `io.kubernetes.cri.sandbox-cpu-*` and `sandbox-memory` are not read:
//! containerd derives them from the pod's Linux resources, which are source 1, and on a
//! container they would count the pod once per container.
//!
//! The crate is pure: it reads no file, no clock and no network.
//!
//! # Adding a resource
//!
//! Add a field to [`ResourceInfo`]. The compiler then demands the field in `ResourceInfo::zip`
//! and in every source that builds a `ResourceInfo`. Read the field in the source that states
//! it, and add a row to `src/fixtures/`.
//!
//! # Modules
//!
//! - `info`: the fields and their merge.
//! - `quantity`: Kubernetes quantities.
//! - `linux`: source 1, with `unified` for the files of cgroup v2 and `setting` for the four
//!   kinds of statement about a field.
//! - `annotations`: source 2.
//! - `metadata`: source 3.
//! - `cores`: CPU time as a number of cores that adds up exactly.
//! - `error`: invalid values, and whether they are errors or warnings.

mod annotations;
mod cores;
mod error;
mod info;
mod linux;
mod metadata;
mod quantity;
mod setting;
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

/// All sources that may state the resources of a sandbox.
#[derive(Debug, Clone, Copy)]
pub struct SandboxData<'a> {
    /// The pod's configuration.
    pub config: Option<&'a PodSandboxConfig>,
    /// Annotations of the request that creates the sandbox.
    pub annotations: &'a HashMap<String, String>,
    /// Labels of containerd's record of the sandbox.
    pub record_labels: &'a HashMap<String, String>,
    /// Extension `metadata` of that record, in JSON.
    pub record_metadata: Option<&'a [u8]>,
}

/// All sources that may state the resources of a container.
#[derive(Debug, Clone, Copy)]
pub struct ContainerData<'a> {
    /// `linux.resources` of the OCI spec.
    pub resources: Option<&'a LinuxResources>,
    /// Annotations of the OCI spec.
    pub annotations: &'a HashMap<String, String>,
}

/// Resources that were read, with the values that could not be read.
#[derive(Debug, Clone, PartialEq)]
pub struct Extraction {
    /// The resources.
    pub info: ResourceInfo,
    /// Values that could not be read; empty under [`OnInvalid::Reject`], which makes them
    /// errors.
    pub warnings: Vec<InvalidResource>,
}

impl ResourceInfo {
    /// Reads the resources that a sandbox itself states, without those of its containers.
    ///
    /// Of two configurations of the pod, `config` has precedence over the one in the record.
    /// Overhead is added to the Linux resources of the same configuration.
    ///
    /// # Errors
    /// The first value that cannot be read; with [`OnInvalid::Warn`], such values are
    /// warnings.
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

    /// Reads the resources that a container states.
    ///
    /// # Errors
    /// The first value that cannot be read; with [`OnInvalid::Warn`], such values are
    /// warnings.
    ///
    /// ```
    /// use std::collections::HashMap;
    ///
    /// use pod_resources::{ContainerData, OnInvalid, ResourceInfo};
    ///
    /// let annotations = HashMap::from([
    ///     ("resources.limits.cpu".to_owned(), "500m".to_owned()),
    ///     ("resources.requests.memory".to_owned(), "2Gi".to_owned()),
    /// ]);
    /// let data = ContainerData { resources: None, annotations: &annotations };
    /// let read = ResourceInfo::from_container_data(&data, OnInvalid::Reject)?;
    /// assert_eq!(read.info.cpu_limit, Some(0.5));
    /// assert_eq!(read.info.memory_request, Some(2 << 30));
    /// assert_eq!(read.info.pid_limit, None);
    /// # Ok::<(), pod_resources::InvalidResource>(())
    /// ```
    pub fn from_container_data(
        data: &ContainerData<'_>,
        on_invalid: OnInvalid,
    ) -> Result<Extraction, InvalidResource> {
        let resources = data.resources;
        let resources = resources.map(|oci| (Linux::from(oci), Origin::OciResources));
        of_container(resources, data.annotations, on_invalid)
    }

    /// Reads the resources that a container of the CRI API states.
    ///
    /// # Errors
    /// The first value that cannot be read; with [`OnInvalid::Warn`], such values are
    /// warnings.
    pub fn from_container_config(
        config: &ContainerConfig,
        on_invalid: OnInvalid,
    ) -> Result<Extraction, InvalidResource> {
        let linux = config.linux.as_ref();
        let resources = linux.and_then(|linux| linux.resources.as_ref());
        let resources = resources.map(|cri| (Linux::from(cri), Origin::ContainerResources));
        of_container(resources, &config.annotations, on_invalid)
    }

    /// Applies an update: a value in `resources` replaces the present one, "no limit" removes
    /// it, and unstated fields stay. With [`OnInvalid::Warn`], a value that cannot be read is
    /// a warning and removes the present value.
    ///
    /// A CPU quota without a period has the kernel's default period, 100 ms, and a period
    /// without a quota changes nothing: only the quotient of both is tracked. runc keeps the
    /// earlier period or quota instead.
    ///
    /// # Errors
    /// The first value that cannot be read, under [`OnInvalid::Reject`].
    pub fn updated_by(
        self,
        resources: &LinuxResources,
        on_invalid: OnInvalid,
    ) -> Result<Extraction, InvalidResource> {
        updated(self, &resources.into(), Origin::OciResources, on_invalid)
    }

    /// Applies an update of the CRI API as [`ResourceInfo::updated_by`] does.
    ///
    /// # Errors
    /// The first value that cannot be read, under [`OnInvalid::Reject`].
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

/// Reads the sum of a pod's Linux resources and its overhead.
fn pod_linux<'a, R: 'a>(
    (resources, origin): (Option<&'a R>, Origin),
    (overhead, overhead_origin): (Option<&'a R>, Origin),
    reader: &mut Reader,
) -> Result<ResourceInfo, InvalidResource>
where
    Linux<'a>: From<&'a R>,
{
    // Overhead without resources adds to no field, but invalid values in it are still found.
    let resources = resources.map_or_else(Linux::default, Linux::from);
    let mut stated = resources.read(origin, reader)?;
    if let Some(overhead) = overhead {
        let overhead = Linux::from(overhead).read(overhead_origin, reader)?;
        stated = stated.with_overhead(overhead);
    }
    Ok(stated.over(ResourceInfo::default()))
}

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
