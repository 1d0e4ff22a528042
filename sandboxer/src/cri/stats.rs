//! Simulated usage of pods and containers.

use containerd_sandbox::{Key, Result};
use cri_api::v1::{
    ContainerAttributes, ContainerStats, ContainerStatsFilter, ContainerStatsRequest,
    ContainerStatsResponse, CpuUsage, FilesystemIdentifier, FilesystemUsage, LinuxPodSandboxStats,
    ListContainerStatsRequest, ListContainerStatsResponse, ListPodSandboxStatsRequest,
    ListPodSandboxStatsResponse, MemoryUsage, NetworkInterfaceUsage, NetworkUsage,
    PodSandboxAttributes, PodSandboxStats, PodSandboxStatsFilter, PodSandboxStatsRequest,
    PodSandboxStatsResponse, ProcessUsage, StreamContainerStatsRequest,
    StreamContainerStatsResponse, StreamPodSandboxStatsRequest, StreamPodSandboxStatsResponse,
    SwapUsage, UInt64Value,
};
use futures::{Stream, StreamExt as _};

use super::{Cri, Part, status};
use crate::live::Found;
use crate::simulate::usage::{self, Sampling, Usage};
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
        let (files, at) = (self.filesystem(), self.sandboxer.sampling());
        let stats = container.read_cri(|found| stats_of(found, &files, at))?;
        Ok(ContainerStatsResponse { stats: Some(stats) })
    }

    /// Lists the usage of the running containers that pass a filter.
    pub(super) async fn list_container_stats(
        &self,
        request: ListContainerStatsRequest,
    ) -> Result<ListContainerStatsResponse> {
        let read = self.containers_reader(request.filter)?;
        let stats = self.sandboxer.list_pods(read).await?;
        Ok(ListContainerStatsResponse { stats })
    }

    /// Streams the usage of the running containers that pass a filter.
    ///
    /// # Errors
    /// As [`Cri::list_container_stats`].
    pub(super) async fn stream_container_stats(
        &self,
        request: StreamContainerStatsRequest,
    ) -> Result<impl Stream<Item = Part<StreamContainerStatsResponse>> + use<>> {
        let parts = self
            .sandboxer
            .stream_pods(self.containers_reader(request.filter)?);
        Ok(parts.map(|container_stats| Ok(StreamContainerStatsResponse { container_stats })))
    }

    /// Returns what a list of containers' usage reads of each pod.
    fn containers_reader(
        &self,
        filter: Option<ContainerStatsFilter>,
    ) -> Result<impl Fn(&Key, &Slot, &CriPod, &mut Vec<ContainerStats>) + use<>> {
        let filter = self.container_stats_filter(filter)?;
        let at = self.sandboxer.sampling();
        let files = self.filesystem();
        Ok(
            move |key: &Key, slot: &Slot, pod: &CriPod, items: &mut Vec<_>| {
                if filter.admits_pod(key, slot, pod) {
                    let running = status::containers(key, slot, pod).filter(is_running);
                    let wanted = running.filter(|found| filter.admits(*found));
                    items.extend(wanted.map(|found| stats_of(found, &files, at)));
                }
            },
        )
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
        let (files, at) = (self.filesystem(), self.sandboxer.sampling());
        let stats = sandbox.read_pod(|key, slot, pod| pod_stats_of(key, slot, pod, &files, at))?;
        Ok(PodSandboxStatsResponse { stats: Some(stats) })
    }

    /// Lists the usage of the pods that pass a filter.
    pub(super) async fn list_pod_sandbox_stats(
        &self,
        request: ListPodSandboxStatsRequest,
    ) -> Result<ListPodSandboxStatsResponse> {
        let read = self.pods_reader(request.filter)?;
        let stats = self.sandboxer.list_pods(read).await?;
        Ok(ListPodSandboxStatsResponse { stats })
    }

    /// Streams the usage of the pods that pass a filter, of the oldest pod first.
    ///
    /// # Errors
    /// As [`Cri::list_pod_sandbox_stats`].
    pub(super) async fn stream_pod_sandbox_stats(
        &self,
        request: StreamPodSandboxStatsRequest,
    ) -> Result<impl Stream<Item = Part<StreamPodSandboxStatsResponse>> + use<>> {
        let parts = self
            .sandboxer
            .stream_pods(self.pods_reader(request.filter)?);
        Ok(parts.map(|pod_sandbox_stats| Ok(StreamPodSandboxStatsResponse { pod_sandbox_stats })))
    }

    /// Returns what a list of pods' usage reads of each pod.
    fn pods_reader(
        &self,
        filter: Option<PodSandboxStatsFilter>,
    ) -> Result<impl Fn(&Key, &Slot, &CriPod, &mut Vec<PodSandboxStats>) + use<>> {
        let filter = self.pod_stats_filter(filter)?;
        let at = self.sandboxer.sampling();
        let files = self.filesystem();
        Ok(
            move |key: &Key, slot: &Slot, pod: &CriPod, items: &mut Vec<_>| {
                if filter.admits(key, slot, pod) {
                    items.push(pod_stats_of(key, slot, pod, &files, at));
                }
            },
        )
    }

    /// Returns the file system of the images and of containers' files.
    pub(super) fn filesystem(&self) -> FilesystemIdentifier {
        FilesystemIdentifier {
            mountpoint: self.dir.display().to_string(),
        }
    }
}

fn stats_of(found: Found<'_>, files: &FilesystemIdentifier, at: Sampling) -> ContainerStats {
    let config = &found.cri.config;
    let usage = usage::usage(found.container, at);
    ContainerStats {
        attributes: Some(ContainerAttributes {
            id: found.container.id.clone(),
            metadata: config.metadata.clone(),
            labels: config.labels.clone(),
            annotations: config.annotations.clone(),
        }),
        cpu: Some(cpu(&usage, at)),
        memory: Some(memory(&usage, at)),
        writable_layer: Some(FilesystemUsage {
            timestamp: status::nanos(at.now.wall()),
            fs_id: Some(files.clone()),
            used_bytes: Some(number(0)),
            inodes_used: Some(number(0)),
        }),
        swap: Some(SwapUsage {
            timestamp: status::nanos(at.now.wall()),
            swap_available_bytes: Some(number(0)),
            swap_usage_bytes: Some(number(0)),
        }),
        // Nothing waits for a resource, so there is no pressure to tell.
        io: None,
    }
}

fn pod_stats_of(
    key: &Key,
    slot: &Slot,
    pod: &CriPod,
    files: &FilesystemIdentifier,
    at: Sampling,
) -> PodSandboxStats {
    let config = &pod.config;
    let usage = usage::sum(slot, at);
    let timestamp = status::nanos(at.now.wall());
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
            cpu: Some(cpu(&usage, at)),
            memory: Some(memory(&usage, at)),
            network: (!status::is_on_host_network(config)).then_some(network),
            process: Some(ProcessUsage {
                timestamp,
                process_count: Some(number(usage.pids)),
            }),
            containers: running.map(|found| stats_of(found, files, at)).collect(),
            io: None,
        }),
        windows: None,
    }
}

fn cpu(usage: &Usage, at: Sampling) -> CpuUsage {
    CpuUsage {
        timestamp: status::nanos(at.now.wall()),
        usage_core_nano_seconds: Some(number(usage.cpu_usec.saturating_mul(1000))),
        usage_nano_cores: Some(number(usage.nano_cores)),
        psi: None,
    }
}

fn memory(usage: &Usage, at: Sampling) -> MemoryUsage {
    let left = |limit: u64| limit.saturating_sub(usage.memory);
    MemoryUsage {
        timestamp: status::nanos(at.now.wall()),
        working_set_bytes: Some(number(usage.memory)),
        // Without a limit there is no number from which available memory could be computed.
        available_bytes: usage.memory_limit.map(left).map(number),
        usage_bytes: Some(number(usage.memory)),
        rss_bytes: Some(number(usage.memory)),
        page_faults: Some(number(0)),
        major_page_faults: Some(number(0)),
        psi: None,
    }
}
