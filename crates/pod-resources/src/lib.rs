//! Resources of pods and containers: reads what the sources state and merges the sources.
//!
//! | Source | cpu | memory | pids | storage | network |
//! | --- | --- | --- | --- | --- | --- |
//! | 1. Linux resources, OCI or CRI (`linux`, `unified`) | quota and period, shares; `cpu.max`, `cpu.weight` | limit, reservation; `memory.max`, `memory.min`, `memory.low` | limit; `pids.max` | | |
//! | 2. annotations (`annotations`) | `resources.limits.cpu`, `resources.requests.cpu` | `resources.limits.memory`, `resources.requests.memory` | `resources.limits.pid` | `resources.limits.ephemeral-storage` | `kubernetes.io/ingress-bandwidth`, `kubernetes.io/egress-bandwidth` |
//! | 3. containerd's sandbox record (`metadata`) | as 1 and 2 | as 1 and 2 | as 1 and 2 | as 2 | as 2 |
//! | 4. the manifest of an applied pod (`manifest`) | requests, limits | requests, limits | | limits | |
//!
//! For each field, the first source that states it wins. The statement "no limit" sets no
//! value, so a later source may still set one; only in an [update](ResourceInfo::updated_by)
//! does "no limit" remove a limit. A field that no source of a sandbox states is computed from
//! the sandbox's containers ([`PodSum`]).
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
//! - `linux`: source 1, with `unified` for the files of cgroup v2, `weight` for the conversion of
//!   their `cpu.weight`, `cpu_quota` for updates of a quota or period alone, and `setting` for
//!   the four kinds of statement about a field.
//! - `annotations`: source 2.
//! - `metadata`: source 3.
//! - `manifest`: source 4.
//! - `pod`: the sum over the containers of a pod.
//! - `cores`: CPU time as a number of cores that adds up exactly.
//! - `error`: invalid values, and the choices of how values are read.

mod annotations;
mod cores;
mod cpu_quota;
mod error;
mod info;
mod linux;
mod manifest;
mod metadata;
mod pod;
mod setting;
#[cfg(test)]
mod tests;
mod unified;
mod weight;

use std::collections::HashMap;

use cri_api::v1::{
    ContainerConfig, LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig,
};
use oci_config::{Field, LinuxResources};

pub use cpu_quota::CpuQuota;
pub use error::{InvalidResource, OnInvalid, Origin, Rules};
pub use info::ResourceInfo;
pub use metadata::{PodUpdate, record_linux};
pub use pod::{PodSum, Span};
pub use weight::WeightFormula;

use error::Reader;
use linux::{Linux, Statement};

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
    /// Section `linux` of the OCI spec.
    pub linux: &'a Field<oci_config::Linux>,
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
    /// CPU quota and period of a container, for later updates; `None` if they follow from the
    /// CPU limit and the default period, and for sandboxes.
    pub cpu_quota: Option<CpuQuota>,
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
        rules: impl Into<Rules>,
    ) -> Result<Extraction, InvalidResource> {
        let mut reader = Reader::new(rules.into());
        let (mut info, mut manifest) = (Self::default(), Self::default());
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
            manifest = manifest::read(&config.annotations);
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
                if data.config.is_none() {
                    manifest = manifest::read(annotations);
                }
            }
        }
        let origin = Origin::RecordLabel;
        info = info.or(annotations::read(data.record_labels, origin, &mut reader)?);
        Ok(Extraction {
            info: info.or(manifest),
            warnings: reader.into_warnings(),
            cpu_quota: None,
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
    /// use oci_config::Field;
    /// use pod_resources::{ContainerData, OnInvalid, ResourceInfo};
    ///
    /// let annotations = HashMap::from([
    ///     ("resources.limits.cpu".to_owned(), "500m".to_owned()),
    ///     ("resources.requests.memory".to_owned(), "2Gi".to_owned()),
    /// ]);
    /// let data = ContainerData { linux: &Field::Absent, annotations: &annotations };
    /// let read = ResourceInfo::from_container_data(&data, OnInvalid::Reject)?;
    /// assert_eq!(read.info.cpu_limit, Some(0.5));
    /// assert_eq!(read.info.memory_request, Some(2 << 30));
    /// assert_eq!(read.info.pid_limit, None);
    /// # Ok::<(), pod_resources::InvalidResource>(())
    /// ```
    pub fn from_container_data(
        data: &ContainerData<'_>,
        rules: impl Into<Rules>,
    ) -> Result<Extraction, InvalidResource> {
        let resources = (Linux::from(data.linux), Origin::OciResources);
        of_container(Some(resources), data.annotations, rules.into())
    }

    /// Reads the resources that a container of the CRI API states.
    ///
    /// # Errors
    /// The first value that cannot be read; with [`OnInvalid::Warn`], such values are
    /// warnings.
    pub fn from_container_config(
        config: &ContainerConfig,
        rules: impl Into<Rules>,
    ) -> Result<Extraction, InvalidResource> {
        let linux = config.linux.as_ref();
        let resources = linux.and_then(|linux| linux.resources.as_ref());
        let resources = resources.map(|cri| (Linux::from(cri), Origin::ContainerResources));
        let read = of_container(resources, &config.annotations, rules.into())?;
        Ok(Extraction {
            // CRI's own resources state it.
            cpu_quota: None,
            ..read
        })
    }

    /// Applies an update: a value in `resources` replaces the present one, "no limit" removes
    /// it, and unstated fields stay. With [`OnInvalid::Warn`], a value that cannot be read is
    /// a warning and removes the present value.
    ///
    /// `cpu_quota` is that of the last [`Extraction`]. An update with a CPU quota alone keeps the
    /// period, and an update with a period alone keeps the quota, as a kernel does.
    ///
    /// # Errors
    /// The first value that cannot be read, under [`OnInvalid::Reject`].
    pub fn updated_by(
        self,
        cpu_quota: Option<CpuQuota>,
        resources: &LinuxResources,
        rules: impl Into<Rules>,
    ) -> Result<Extraction, InvalidResource> {
        let present = CpuQuota::present(cpu_quota, self.cpu_limit);
        let update = Linux {
            present,
            ..resources.into()
        };
        updated(self, &update, Origin::OciResources, rules.into())
    }

    /// Applies the resources and overhead of a pod as they are after an update: what they state
    /// replaces the present values, "no limit" removes one, and unstated fields stay.
    ///
    /// # Errors
    /// The first value that cannot be read, under [`OnInvalid::Reject`].
    pub fn updated_by_pod(
        self,
        linux: &LinuxPodSandboxConfig,
        rules: impl Into<Rules>,
    ) -> Result<Extraction, InvalidResource> {
        let mut reader = Reader::new(rules.into());
        let stated = pod_statement(
            (linux.resources.as_ref(), Origin::PodResources),
            (linux.overhead.as_ref(), Origin::PodOverhead),
            &mut reader,
        )?;
        Ok(Extraction {
            info: stated.over(self),
            warnings: reader.into_warnings(),
            cpu_quota: None,
        })
    }

    /// Applies an update of the CRI API as [`ResourceInfo::updated_by`] does. `present` are the
    /// Linux resources before the update.
    ///
    /// # Errors
    /// The first value that cannot be read, under [`OnInvalid::Reject`].
    pub fn updated_by_cri(
        self,
        present: Option<&LinuxContainerResources>,
        resources: &LinuxContainerResources,
        rules: impl Into<Rules>,
    ) -> Result<Extraction, InvalidResource> {
        let update = Linux {
            present: present.map(CpuQuota::of_cri).unwrap_or_default(),
            ..resources.into()
        };
        let updated = updated(self, &update, Origin::ContainerResources, rules.into())?;
        Ok(Extraction {
            // CRI's own resources state it.
            cpu_quota: None,
            ..updated
        })
    }
}

fn of_container(
    resources: Option<(Linux<'_>, Origin)>,
    annotations: &HashMap<String, String>,
    rules: Rules,
) -> Result<Extraction, InvalidResource> {
    let mut reader = Reader::new(rules);
    let mut info = ResourceInfo::default();
    let mut cpu_quota = CpuQuota::default();
    if let Some((resources, origin)) = resources {
        let stated = resources.read(origin, &mut reader)?;
        cpu_quota = stated.cpu_quota;
        info = stated.over(info);
    }
    let origin = Origin::ContainerAnnotation;
    info = info.or(annotations::read(annotations, origin, &mut reader)?);
    Ok(Extraction {
        info,
        warnings: reader.into_warnings(),
        cpu_quota: cpu_quota.unless_implied(info.cpu_limit),
    })
}

fn updated(
    info: ResourceInfo,
    resources: &Linux<'_>,
    origin: Origin,
    rules: Rules,
) -> Result<Extraction, InvalidResource> {
    let mut reader = Reader::new(rules);
    let update = resources.read(origin, &mut reader)?;
    let info = update.over(info);
    Ok(Extraction {
        info,
        warnings: reader.into_warnings(),
        cpu_quota: update.cpu_quota.unless_implied(info.cpu_limit),
    })
}

/// Reads the sum of a pod's Linux resources and its overhead.
fn pod_linux<'a, R: 'a>(
    resources: (Option<&'a R>, Origin),
    overhead: (Option<&'a R>, Origin),
    reader: &mut Reader,
) -> Result<ResourceInfo, InvalidResource>
where
    Linux<'a>: From<&'a R>,
{
    let stated = pod_statement(resources, overhead, reader)?;
    Ok(stated.over(ResourceInfo::default()))
}

fn pod_statement<'a, R: 'a>(
    (resources, origin): (Option<&'a R>, Origin),
    (overhead, overhead_origin): (Option<&'a R>, Origin),
    reader: &mut Reader,
) -> Result<Statement, InvalidResource>
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
    Ok(stated)
}

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
