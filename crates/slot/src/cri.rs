//! Values of pods and containers that the CRI API must return later.

use std::collections::HashMap;
use std::net::IpAddr;

use cri_api::v1::{
    ContainerConfig, LinuxContainerResources, LinuxPodSandboxConfig, PodSandboxConfig, Protocol,
};
use serde::{Deserialize, Serialize};

use super::encoded::Encoded;
use crate::image::{ImageConfig, MountedImage};
use crate::time::Timestamp;
use pod_resources::CpuQuota;

/// Files of cgroup v2 that state the same as a number of CRI.
const CPU_MAX: &str = "cpu.max";
const CPU_WEIGHT: &str = "cpu.weight";
const MEMORY_MAX: &str = "memory.max";

/// Values of a pod that the CRI API must return later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriPod {
    /// Configuration in the request that created the pod.
    pub config: Encoded<PodSandboxConfig>,
    /// Resources and overhead of the last update, with no other field set; `None` before the
    /// first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Encoded<LinuxPodSandboxConfig>>,
    /// Runtime handler in the request that created the pod; empty for the default one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub handler: String,
    /// Made-up IP address of the pod; empty on the host's network.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub ip: String,
    /// Made-up addresses of the pod in further families.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_ips: Vec<String>,
}

/// Values of a container that the CRI API must return later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CriContainer {
    /// Configuration in the request that created the container.
    pub config: Encoded<ContainerConfig>,
    /// Linux resources of the last update; `None` if there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated: Option<Encoded<LinuxContainerResources>>,
    /// Id of the image at the creation of the container.
    pub image_id: String,
    /// The same image, named by its digest.
    pub image_ref: String,
    /// Configuration of the image; `None` for an image of which only the name is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Box<ImageConfig>>,
    /// Images that the container mounts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mounted_images: Vec<MountedImage>,
    /// Time of the creation.
    pub created_at: Timestamp,
    /// Time of the start; `None` before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

impl CriContainer {
    /// Returns the name of the container's image: the one in the pod's specification, if a
    /// kubelet resolved it to an id.
    pub fn image_name(&self) -> &str {
        let image = self.config.image.as_ref();
        image.map_or("", |image| match image.user_specified_image.as_str() {
            "" => &image.image,
            specified => specified,
        })
    }

    /// Returns the name of the program that a container without a command is taken to run: the
    /// last part of its image's name, without tag and digest, as in `kafka` of
    /// `registry.example/kafka:4.1`. Empty if only the image's id is known.
    pub fn program(&self) -> &str {
        let name = self.image_name();
        let name = name.rsplit('/').next().unwrap_or(name);
        match name.split(['@', ':']).next() {
            None | Some("sha256") => "",
            Some(name) => name,
        }
    }

    /// Returns the present Linux resources; `None` if the container states none.
    pub fn linux_resources(&self) -> Option<&LinuxContainerResources> {
        match &self.updated {
            Some(updated) => Some(updated),
            None => self.config.linux.as_ref()?.resources.as_ref(),
        }
    }

    /// Returns the Linux resources after `update`: a number that is zero and a text or list
    /// that is empty keep their present values.
    pub fn updated_by(&self, update: &LinuxContainerResources) -> LinuxContainerResources {
        merged(self.linux_resources(), update)
    }
}

/// A TCP port of the host that leads to one of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPort {
    /// Address of the host; `None` for all its addresses.
    pub ip: Option<IpAddr>,
    /// Port of the host.
    pub host: u16,
    /// Port of the pod.
    pub pod: u16,
}

impl CriPod {
    /// Returns the host ports of the pod's port mappings. A mapping without a host port, of
    /// another protocol than TCP, or with numbers or an address that are none is left out.
    pub fn host_ports(&self) -> impl Iterator<Item = HostPort> {
        let mappings = self.config.port_mappings.iter();
        mappings.filter_map(|mapping| {
            let number = |port: i32| u16::try_from(port).ok().filter(|port| *port != 0);
            let is_tcp = mapping.protocol() == Protocol::Tcp;
            Some(HostPort {
                ip: match mapping.host_ip.as_str() {
                    "" => None,
                    stated => Some(stated.parse().ok()?),
                },
                host: number(mapping.host_port).filter(|_| is_tcp)?,
                pod: number(mapping.container_port)?,
            })
        })
    }

    /// Returns the pod's resources and overhead after an update, and nothing else. A part
    /// of the update that is `None`, and a field that is zero or empty, stays as it was.
    pub fn updated_by(
        &self,
        resources: Option<&LinuxContainerResources>,
        overhead: Option<&LinuxContainerResources>,
    ) -> LinuxPodSandboxConfig {
        let before = self.updated.as_deref().or(self.config.linux.as_ref());
        updated_pod(before, resources, overhead)
    }
}

/// Returns the resources and overhead of a pod after an update, and nothing else. A part of the
/// update that is `None`, and a field that is zero or empty, stays as it was.
pub fn updated_pod(
    before: Option<&LinuxPodSandboxConfig>,
    resources: Option<&LinuxContainerResources>,
    overhead: Option<&LinuxContainerResources>,
) -> LinuxPodSandboxConfig {
    let after = |before: Option<&LinuxContainerResources>, update| match update {
        Some(update) => Some(merged(before, update)),
        None => before.cloned(),
    };
    LinuxPodSandboxConfig {
        resources: after(before.and_then(|linux| linux.resources.as_ref()), resources),
        overhead: after(before.and_then(|linux| linux.overhead.as_ref()), overhead),
        ..Default::default()
    }
}

/// Returns the resources after an update. A number that is zero and a text or list that is
/// empty keep the present value; files in `unified` are added to the present ones.
///
/// A number and a file of cgroup v2 may state the same: of the two, only the one that was stated
/// last is kept.
fn merged(
    before: Option<&LinuxContainerResources>,
    update: &LinuxContainerResources,
) -> LinuxContainerResources {
    let mut all = before.cloned().unwrap_or_default();
    supersede_files(&mut all, update);
    let LinuxContainerResources {
        cpu_period,
        cpu_quota,
        cpu_shares,
        memory_limit_in_bytes,
        oom_score_adj,
        cpuset_cpus,
        cpuset_mems,
        hugepage_limits,
        unified,
        memory_swap_limit_in_bytes,
    } = update;
    for (number, updated) in [
        (&mut all.cpu_period, cpu_period),
        (&mut all.cpu_quota, cpu_quota),
        (&mut all.cpu_shares, cpu_shares),
        (&mut all.memory_limit_in_bytes, memory_limit_in_bytes),
        (&mut all.oom_score_adj, oom_score_adj),
        (
            &mut all.memory_swap_limit_in_bytes,
            memory_swap_limit_in_bytes,
        ),
    ] {
        if *updated != 0 {
            *number = *updated;
        }
    }
    for (set, updated) in [
        (&mut all.cpuset_cpus, cpuset_cpus),
        (&mut all.cpuset_mems, cpuset_mems),
    ] {
        if !updated.is_empty() {
            set.clone_from(updated);
        }
    }
    if !hugepage_limits.is_empty() {
        all.hugepage_limits.clone_from(hugepage_limits);
    }
    supersede_numbers(&mut all, unified);
    all
}

/// Removes the files of `all` that state what the update states in numbers. Of `cpu.max`, the
/// half that the update does not state stays, as a number.
fn supersede_files(all: &mut LinuxContainerResources, update: &LinuxContainerResources) {
    if update.cpu_quota != 0 || update.cpu_period != 0 {
        let CpuQuota { quota, period } = CpuQuota::of_cri(all);
        if all.unified.remove(CPU_MAX).is_some() {
            all.cpu_quota = quota;
            all.cpu_period = i64::try_from(period).unwrap_or(0);
        }
    }
    if update.cpu_shares != 0 {
        all.unified.remove(CPU_WEIGHT);
    }
    if update.memory_limit_in_bytes != 0 {
        all.unified.remove(MEMORY_MAX);
    }
}

/// Adds files to `all`, and removes the numbers that state the same.
fn supersede_numbers(all: &mut LinuxContainerResources, files: &HashMap<String, String>) {
    for (file, content) in files {
        let mut content = content.clone();
        match file.as_str() {
            CPU_MAX => {
                let period = CpuQuota::of_cri(all).period;
                if period != 0 && content.split_ascii_whitespace().count() == 1 {
                    // The kernel keeps the period that it is not told.
                    content = format!("{} {period}", content.trim_ascii());
                }
                (all.cpu_quota, all.cpu_period) = (0, 0);
            }
            CPU_WEIGHT => all.cpu_shares = 0,
            MEMORY_MAX => all.memory_limit_in_bytes = 0,
            _ => {}
        }
        all.unified.insert(file.clone(), content);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NewSandbox;
    use cri_api::v1::LinuxContainerConfig;

    #[test]
    fn an_update_replaces_the_values_that_it_states_and_keeps_the_others() {
        let linux = LinuxContainerResources {
            cpu_quota: 50_000,
            cpu_period: 100_000,
            cpuset_cpus: "0-1".to_owned(),
            unified: [("memory.min".to_owned(), "1".to_owned())].into(),
            ..Default::default()
        };
        let mut container = CriContainer {
            config: ContainerConfig {
                linux: Some(LinuxContainerConfig {
                    resources: Some(linux.clone()),
                    security_context: None,
                }),
                ..Default::default()
            }
            .into(),
            updated: None,
            image_id: String::new(),
            image_ref: String::new(),
            image: None,
            mounted_images: Vec::new(),
            created_at: Timestamp::default(),
            started_at: None,
        };
        let update = LinuxContainerResources {
            cpu_quota: 80_000,
            memory_limit_in_bytes: 1 << 20,
            unified: [("memory.low".to_owned(), "2".to_owned())].into(),
            ..Default::default()
        };
        let updated = container.updated_by(&update);
        assert_eq!((updated.cpu_quota, updated.cpu_period), (80_000, 100_000));
        assert_eq!(updated.memory_limit_in_bytes, 1 << 20);
        assert_eq!(updated.cpuset_cpus, "0-1");
        assert_eq!(updated.unified.len(), 2);
        container.updated = Some(updated.clone().into());
        assert_eq!(container.linux_resources(), Some(&updated));
        assert_eq!(
            container.updated_by(&LinuxContainerResources::default()),
            updated
        );
    }

    #[test]
    fn a_number_and_a_file_that_state_the_same_supersede_each_other() {
        let resources = |quota, period, files: &[(&str, &str)]| LinuxContainerResources {
            cpu_quota: quota,
            cpu_period: period,
            unified: files
                .iter()
                .map(|(file, content)| ((*file).to_owned(), (*content).to_owned()))
                .collect(),
            ..Default::default()
        };
        for (before, update, after) in [
            // The period of the file stays.
            (
                resources(0, 0, &[("cpu.max", "50000 200000"), ("io.max", "x")]),
                resources(100_000, 0, &[]),
                resources(100_000, 200_000, &[("io.max", "x")]),
            ),
            (
                resources(0, 0, &[("cpu.max", "50000")]),
                resources(0, 25_000, &[]),
                resources(50_000, 25_000, &[]),
            ),
            (
                resources(0, 0, &[("cpu.max", "max 50000")]),
                resources(0, 25_000, &[]),
                resources(-1, 25_000, &[]),
            ),
            (
                resources(50_000, 200_000, &[]),
                resources(0, 0, &[("cpu.max", "70000")]),
                resources(0, 0, &[("cpu.max", "70000 200000")]),
            ),
            (
                resources(50_000, 200_000, &[]),
                resources(0, 0, &[("cpu.max", "max 100000")]),
                resources(0, 0, &[("cpu.max", "max 100000")]),
            ),
        ] {
            assert_eq!(merged(Some(&before), &update), after, "{update:?}");
        }
        let files = resources(0, 0, &[("cpu.weight", "9"), ("memory.max", "5")]);
        let numbers = LinuxContainerResources {
            cpu_shares: 512,
            memory_limit_in_bytes: 1 << 20,
            ..Default::default()
        };
        assert_eq!(merged(Some(&files), &numbers), numbers);
        assert_eq!(merged(Some(&numbers), &files), files);
    }

    #[test]
    fn an_update_of_a_pod_keeps_what_earlier_ones_and_its_configuration_state() {
        let quota = |cpu_quota| LinuxContainerResources {
            cpu_quota,
            cpu_period: 100_000,
            ..Default::default()
        };
        let memory = LinuxContainerResources {
            memory_limit_in_bytes: 1 << 20,
            ..Default::default()
        };
        let mut pod = CriPod {
            config: PodSandboxConfig {
                linux: Some(LinuxPodSandboxConfig {
                    resources: Some(quota(50_000)),
                    cgroup_parent: "/kubepods".to_owned(),
                    ..Default::default()
                }),
                ..Default::default()
            }
            .into(),
            updated: None,
            handler: String::new(),
            ip: String::new(),
            additional_ips: Vec::new(),
        };
        pod.updated = Some(pod.updated_by(Some(&memory), None).into());
        let updated = pod.updated_by(None, Some(&quota(10_000)));
        let resources = LinuxContainerResources {
            memory_limit_in_bytes: 1 << 20,
            ..quota(50_000)
        };
        let expected = LinuxPodSandboxConfig {
            resources: Some(resources),
            overhead: Some(quota(10_000)),
            ..Default::default()
        };
        assert_eq!(updated, expected);
        pod.updated = Some(updated.into());
        assert_eq!(pod.updated_by(None, None), expected);
    }

    #[test]
    fn a_record_of_a_sandbox_of_another_api_has_no_field_cri() {
        let sandbox = serde_json::to_string(&NewSandbox::default()).unwrap();
        assert!(!sandbox.contains("cri"), "{sandbox}");
        let back: NewSandbox = serde_json::from_str(&sandbox).unwrap();
        assert_eq!(back.cri, None);
    }
}
