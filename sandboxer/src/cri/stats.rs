//! Simulated usage of pods and containers.

use containerd_sandbox::{Key, Result};
use k8s_cri::v1::{
    ContainerAttributes, ContainerStats, ContainerStatsRequest, ContainerStatsResponse, CpuUsage,
    FilesystemIdentifier, FilesystemUsage, LinuxPodSandboxStats, ListContainerStatsRequest,
    ListContainerStatsResponse, ListPodSandboxStatsRequest, ListPodSandboxStatsResponse,
    MemoryUsage, NetworkInterfaceUsage, NetworkUsage, PodSandboxAttributes, PodSandboxStats,
    PodSandboxStatsRequest, PodSandboxStatsResponse, ProcessUsage, SwapUsage, UInt64Value,
};

use super::{Cri, status};
use crate::live::Found;
use crate::simulate::usage::{self, Usage};
use slot::Timestamp;
use slot::{CriPod, ProcessState, Slot};

/// Network interface that a pod would have.
const INTERFACE: &str = "eth0";

pub(super) fn number(value: u64) -> UInt64Value {
    UInt64Value { value }
}

/// Returns whether a container runs and so uses resources.
pub(super) fn is_running(found: &Found<'_>) -> bool {
    let state = found.container.init.state;
    matches!(state, ProcessState::Running | ProcessState::Paused)
}

impl Cri {
    /// Returns the usage of a container; of memory only if the container runs.
    ///
    /// # Errors
    /// `NotFound`.
    pub(super) async fn container_stats(
        &self,
        request: ContainerStatsRequest,
    ) -> Result<ContainerStatsResponse> {
        let container = self.container(&request.container_id)?;
        let now = Timestamp::now();
        let stats = container.read_cri(|found| self.stats_of(found, now))?;
        Ok(ContainerStatsResponse { stats: Some(stats) })
    }

    /// Lists the usage of the running containers that pass a filter.
    pub(super) async fn list_container_stats(
        &self,
        request: ListContainerStatsRequest,
    ) -> Result<ListContainerStatsResponse> {
        let filter = self.container_stats_filter(request.filter)?;
        let now = Timestamp::now();
        let list = self.sandboxer.list_pods(|key, slot, pod, items| {
            if filter.admits_pod(key, slot, pod) {
                let running = status::containers(key, slot, pod).filter(is_running);
                let wanted = running.filter(|found| filter.admits(*found));
                items.extend(wanted.map(|found| self.stats_of(found, now)));
            }
        });
        Ok(ListContainerStatsResponse { stats: list.await? })
    }

    /// Returns the usage of a pod, the sum over its containers.
    ///
    /// # Errors
    /// `NotFound`.
    pub(super) async fn pod_sandbox_stats(
        &self,
        request: PodSandboxStatsRequest,
    ) -> Result<PodSandboxStatsResponse> {
        let (_, sandbox) = self.pod(&request.pod_sandbox_id)?;
        let now = Timestamp::now();
        let stats = sandbox.read_pod(|key, slot, pod| self.pod_stats_of(key, slot, pod, now))?;
        Ok(PodSandboxStatsResponse { stats: Some(stats) })
    }

    /// Lists the usage of the pods that pass a filter.
    pub(super) async fn list_pod_sandbox_stats(
        &self,
        request: ListPodSandboxStatsRequest,
    ) -> Result<ListPodSandboxStatsResponse> {
        let filter = self.pod_stats_filter(request.filter)?;
        let now = Timestamp::now();
        let list = self.sandboxer.list_pods(|key, slot, pod, items| {
            if filter.admits(key, slot, pod) {
                items.push(self.pod_stats_of(key, slot, pod, now));
            }
        });
        Ok(ListPodSandboxStatsResponse { stats: list.await? })
    }

    fn stats_of(&self, found: Found<'_>, now: Timestamp) -> ContainerStats {
        let config = &found.cri.config;
        let usage = usage::usage(found.container, now);
        ContainerStats {
            attributes: Some(ContainerAttributes {
                id: found.container.id.clone(),
                metadata: config.metadata.clone(),
                labels: config.labels.clone(),
                annotations: config.annotations.clone(),
            }),
            cpu: Some(cpu(&usage, now)),
            memory: Some(memory(&usage, now)),
            writable_layer: Some(FilesystemUsage {
                timestamp: status::nanos(now),
                fs_id: Some(self.filesystem()),
                used_bytes: Some(number(0)),
                inodes_used: Some(number(0)),
            }),
            swap: Some(SwapUsage {
                timestamp: status::nanos(now),
                swap_available_bytes: Some(number(0)),
                swap_usage_bytes: Some(number(0)),
            }),
        }
    }

    fn pod_stats_of(
        &self,
        key: &Key,
        slot: &Slot,
        pod: &CriPod,
        now: Timestamp,
    ) -> PodSandboxStats {
        let config = &pod.config;
        let usage = usage::sum(slot, now);
        let timestamp = status::nanos(now);
        let network = NetworkUsage {
            timestamp,
            default_interface: Some(NetworkInterfaceUsage {
                name: INTERFACE.to_owned(),
                rx_bytes: Some(number(0)),
                rx_errors: Some(number(0)),
                tx_bytes: Some(number(0)),
                tx_errors: Some(number(0)),
            }),
            interfaces: Vec::new(),
        };
        let running = status::containers(key, slot, pod).filter(is_running);
        PodSandboxStats {
            attributes: Some(PodSandboxAttributes {
                id: key.id().to_owned(),
                metadata: config.metadata.clone(),
                labels: config.labels.clone(),
                annotations: config.annotations.clone(),
            }),
            linux: Some(LinuxPodSandboxStats {
                cpu: Some(cpu(&usage, now)),
                memory: Some(memory(&usage, now)),
                network: (!status::is_on_host_network(config)).then_some(network),
                process: Some(ProcessUsage {
                    timestamp,
                    process_count: Some(number(usage.pids)),
                }),
                containers: running.map(|found| self.stats_of(found, now)).collect(),
            }),
            windows: None,
        }
    }

    /// Returns the file system of the images and of containers' files.
    pub(super) fn filesystem(&self) -> FilesystemIdentifier {
        FilesystemIdentifier {
            mountpoint: self.dir.display().to_string(),
        }
    }
}

fn cpu(usage: &Usage, now: Timestamp) -> CpuUsage {
    CpuUsage {
        timestamp: status::nanos(now),
        usage_core_nano_seconds: Some(number(usage.cpu_usec.saturating_mul(1000))),
        usage_nano_cores: Some(number(usage.nano_cores)),
    }
}

fn memory(usage: &Usage, now: Timestamp) -> MemoryUsage {
    let left = |limit: u64| limit.saturating_sub(usage.memory);
    MemoryUsage {
        timestamp: status::nanos(now),
        working_set_bytes: Some(number(usage.memory)),
        // Without a limit there is no number from which available memory could be computed.
        available_bytes: usage.memory_limit.map(left).map(number),
        usage_bytes: Some(number(usage.memory)),
        rss_bytes: Some(number(usage.memory)),
        page_faults: Some(number(0)),
        major_page_faults: Some(number(0)),
    }
}
