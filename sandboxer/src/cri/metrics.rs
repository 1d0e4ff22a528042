//! Metrics of pods and containers, named as cAdvisor's.

use containerd_sandbox::{Key, Result};
use cri_api::v1::{
    ContainerMetrics, LinuxContainerResources, ListMetricDescriptorsRequest,
    ListMetricDescriptorsResponse, ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse,
    PodSandboxMetadata, PodSandboxMetrics, StreamPodSandboxMetricsRequest,
    StreamPodSandboxMetricsResponse,
};
use futures::{Stream, StreamExt as _};

use super::cadvisor::{self, Facts, Labels};
use super::{Cri, Part, stats, status};
use crate::simulate::usage::{self, Sampling};
use slot::{CriPod, SandboxState, Slot};

impl Cri {
    /// Lists the metrics that exist.
    pub(super) async fn list_metric_descriptors(
        &self,
        _: ListMetricDescriptorsRequest,
    ) -> Result<ListMetricDescriptorsResponse> {
        Ok(ListMetricDescriptorsResponse {
            descriptors: cadvisor::descriptors(),
        })
    }

    /// Returns the metrics of the pods that are ready and of the containers that run.
    pub(super) async fn list_pod_sandbox_metrics(
        &self,
        _: ListPodSandboxMetricsRequest,
    ) -> Result<ListPodSandboxMetricsResponse> {
        Ok(ListPodSandboxMetricsResponse {
            pod_metrics: self
                .sandboxer
                .list_pods(reader(self.sandboxer.sampling()))
                .await?,
        })
    }

    /// Streams the metrics of the pods that are ready and of the containers that run, of the
    /// oldest pod first.
    pub(super) async fn stream_pod_sandbox_metrics(
        &self,
        _: StreamPodSandboxMetricsRequest,
    ) -> Result<impl Stream<Item = Part<StreamPodSandboxMetricsResponse>> + use<>> {
        let parts = self
            .sandboxer
            .stream_pods(reader(self.sandboxer.sampling()));
        Ok(parts.map(|pod_sandbox_metrics| {
            Ok(StreamPodSandboxMetricsResponse {
                pod_sandbox_metrics,
            })
        }))
    }
}

/// Returns what a list of metrics reads of each pod.
fn reader(at: Sampling) -> impl Fn(&Key, &Slot, &CriPod, &mut Vec<PodSandboxMetrics>) {
    let now = at.now.wall();
    move |key, slot, pod, items| {
        if slot.state != SandboxState::Ready {
            return;
        }
        let unnamed = PodSandboxMetadata::default();
        let metadata = pod.config.metadata.as_ref().unwrap_or(&unnamed);
        let is_on_host_network = status::is_on_host_network(&pod.config);
        let labels = Labels {
            container: "",
            id: key.id(),
            image: "",
            namespace: &metadata.namespace,
            pod: &metadata.name,
        };
        let unstated = LinuxContainerResources::default();
        let running = status::containers(key, slot, pod).filter(stats::is_running);
        let containers = running.map(|found| {
            let info = found.container.info;
            let facts = Facts {
                usage: usage::usage(found.container, at),
                linux: found.cri.linux_resources().unwrap_or(&unstated),
                memory_request: info.memory_request,
                storage_limit: info.storage_limit,
                pid_limit: info.pid_limit,
                started_at: found.cri.started_at.unwrap_or(now),
                is_on_host_network,
                now,
            };
            let own = found.cri.config.metadata.as_ref();
            let labels = Labels {
                container: own.map_or("", |metadata| &metadata.name),
                id: &found.container.id,
                image: found.cri.image_name(),
                ..labels
            };
            ContainerMetrics {
                container_id: found.container.id.clone(),
                metrics: cadvisor::of_container(&facts, &labels),
            }
        });
        let facts = Facts {
            usage: usage::sum(slot, at),
            linux: &unstated,
            memory_request: None,
            storage_limit: None,
            pid_limit: None,
            started_at: slot.created_at,
            is_on_host_network,
            now,
        };
        items.push(PodSandboxMetrics {
            pod_sandbox_id: key.id().to_owned(),
            metrics: cadvisor::of_pod(&facts, &labels),
            container_metrics: containers.collect(),
        });
    }
}
