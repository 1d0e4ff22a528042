//! Metrics of pods and containers, named as cAdvisor's.

use containerd_sandbox::{Key, Result};
use cri_api::v1::{
    ContainerMetrics, ListMetricDescriptorsRequest, ListMetricDescriptorsResponse,
    ListPodSandboxMetricsRequest, ListPodSandboxMetricsResponse, Metric, MetricDescriptor,
    MetricType, PodSandboxMetadata, PodSandboxMetrics, StreamPodSandboxMetricsRequest,
    StreamPodSandboxMetricsResponse,
};
use futures::{Stream, StreamExt as _};

use super::{Cri, Part, stats, status};
use crate::simulate::usage::{self, Usage};
use slot::{CriPod, SandboxState, Slot, Timestamp};

/// Labels of every metric, sorted. A pod's own metrics have an empty `container`.
const LABELS: [&str; 5] = ["container", "id", "image", "namespace", "pod"];

/// A metric: name, help text, type, and value. Values are whole numbers.
struct Row {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    value: fn(&Usage) -> u64,
}

const ROWS: [Row; 5] = [
    Row {
        name: "container_cpu_usage_seconds_total",
        help: "Cumulative CPU time consumed, in whole seconds.",
        kind: MetricType::Counter,
        value: |usage| usage.cpu_usec / 1_000_000,
    },
    Row {
        name: "container_memory_usage_bytes",
        help: "Memory in use, in bytes.",
        kind: MetricType::Gauge,
        value: |usage| usage.memory,
    },
    Row {
        name: "container_memory_working_set_bytes",
        help: "Working set of memory, in bytes.",
        kind: MetricType::Gauge,
        value: |usage| usage.memory,
    },
    Row {
        name: "container_spec_memory_limit_bytes",
        help: "Memory limit, in bytes; 0 without one.",
        kind: MetricType::Gauge,
        value: |usage| usage.memory_limit.unwrap_or(0),
    },
    Row {
        name: "container_processes",
        help: "Number of processes.",
        kind: MetricType::Gauge,
        value: |usage| usage.pids,
    },
];

impl Cri {
    /// Lists the metrics that exist.
    pub(super) async fn list_metric_descriptors(
        &self,
        _: ListMetricDescriptorsRequest,
    ) -> Result<ListMetricDescriptorsResponse> {
        let descriptors = ROWS.iter().map(|row| MetricDescriptor {
            name: row.name.to_owned(),
            help: row.help.to_owned(),
            label_keys: LABELS.map(str::to_owned).to_vec(),
        });
        Ok(ListMetricDescriptorsResponse {
            descriptors: descriptors.collect(),
        })
    }

    /// Returns the metrics of the pods that are ready and of the containers that run.
    pub(super) async fn list_pod_sandbox_metrics(
        &self,
        _: ListPodSandboxMetricsRequest,
    ) -> Result<ListPodSandboxMetricsResponse> {
        Ok(ListPodSandboxMetricsResponse {
            pod_metrics: self.sandboxer.list_pods(reader()).await?,
        })
    }

    /// Streams the metrics of the pods that are ready and of the containers that run, of the
    /// oldest pod first.
    pub(super) async fn stream_pod_sandbox_metrics(
        &self,
        _: StreamPodSandboxMetricsRequest,
    ) -> Result<impl Stream<Item = Part<StreamPodSandboxMetricsResponse>> + use<>> {
        let parts = self.sandboxer.stream_pods(reader());
        Ok(parts.map(|pod_sandbox_metrics| {
            Ok(StreamPodSandboxMetricsResponse {
                pod_sandbox_metrics,
            })
        }))
    }
}

/// Returns what a list of metrics reads of each pod.
fn reader() -> impl Fn(&Key, &Slot, &CriPod, &mut Vec<PodSandboxMetrics>) {
    let now = Timestamp::now();
    move |key, slot, pod, items| {
        if slot.state != SandboxState::Ready {
            return;
        }
        let unnamed = PodSandboxMetadata::default();
        let metadata = pod.config.metadata.as_ref().unwrap_or(&unnamed);
        let labels = |container: &str, id: &str, image: &str| {
            [container, id, image, &metadata.namespace, &metadata.name].map(str::to_owned)
        };
        let running = status::containers(key, slot, pod).filter(stats::is_running);
        let containers = running.map(|found| {
            let own = found.cri.config.metadata.as_ref();
            let name = own.map_or("", |metadata| &metadata.name);
            let id = &found.container.id;
            let labels = labels(name, id, &found.cri.image_ref);
            ContainerMetrics {
                container_id: id.clone(),
                metrics: metrics(&usage::usage(found.container, now), &labels),
            }
        });
        items.push(PodSandboxMetrics {
            pod_sandbox_id: key.id().to_owned(),
            metrics: metrics(&usage::sum(slot, now), &labels("", key.id(), "")),
            container_metrics: containers.collect(),
        });
    }
}

fn metrics(usage: &Usage, labels: &[String; LABELS.len()]) -> Vec<Metric> {
    let of_row = |row: &Row| Metric {
        name: row.name.to_owned(),
        // Zero says that the value was read for this reply.
        timestamp: 0,
        metric_type: row.kind.into(),
        label_values: labels.to_vec(),
        value: Some(stats::number((row.value)(usage))),
    };
    ROWS.iter().map(of_row).collect()
}
