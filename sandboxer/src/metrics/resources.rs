//! Metrics of the seven resources: over all sandboxes, per namespace and per pod.

use std::fmt;

use exposition::Descriptor;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};

use pod_resources::ResourceInfo;

/// The three metrics of one resource.
#[derive(Debug)]
pub(super) struct Resource {
    /// Metric over all sandboxes.
    pub(super) total: Descriptor,
    /// Metric of a namespace's sandboxes.
    pub(super) namespace: Descriptor,
    /// Metric of one pod.
    pub(super) pod: Descriptor,
    /// Returns the stated amount.
    value: fn(&ResourceInfo) -> Option<f64>,
}

macro_rules! resources {
    ($($field:ident as $name:literal in $unit:literal by $value:ident: $what:literal;)*) => {
        /// All resources.
        pub(super) const RESOURCES: &[Resource] = &[$(Resource {
            total: Descriptor {
                name: concat!("resource_slot_", $name),
                help: concat!($what, " of all sandboxes in a state"),
                unit: $unit,
            },
            namespace: Descriptor {
                name: concat!("resource_slot_namespace_", $name),
                help: concat!($what, " of a namespace's sandboxes with a handler, in a state"),
                unit: $unit,
            },
            pod: Descriptor {
                name: concat!("resource_slot_pod_", $name),
                help: concat!($what, " of a pod"),
                unit: $unit,
            },
            value: |info| info.$field.map($value),
        }),*];

        /// Fails to compile if a resource has no metric.
        const _: fn(ResourceInfo) = |info| {
            let ResourceInfo { $($field: _),* } = info;
        };
    };
}

resources! {
    cpu_request as "cpu_request" in "cores" by cores: "Requested CPU";
    cpu_limit as "cpu_limit" in "cores" by cores: "Limited CPU";
    memory_request as "memory_request" in "bytes" by count: "Requested memory";
    memory_limit as "memory_limit" in "bytes" by count: "Limited memory";
    pid_limit as "pid_limit" in "" by count: "Limited number of processes";
    storage_limit as "storage_limit" in "bytes" by count: "Limited local storage";
    network_bandwidth as "network_bandwidth" in "bytes_per_second" by bytes_of_bits:
        "Stated network bandwidth";
}

fn cores(cores: f64) -> f64 {
    cores
}

fn count(count: u64) -> f64 {
    count as f64
}

/// Converts to bytes, the base unit that promtool's lints ask for.
fn bytes_of_bits(bits: u64) -> f64 {
    bits as f64 / 8.0
}

impl Resource {
    /// Returns the stated amount of the resource.
    pub(super) fn of(&self, info: &ResourceInfo) -> Option<f64> {
        (self.value)(info)
    }

    /// Encodes one of the metrics, with a sample for each label set that states the
    /// resource.
    pub(super) fn encode<'a, L: EncodeLabelSet + 'a>(
        &self,
        descriptor: Descriptor,
        encoder: &mut DescriptorEncoder<'_>,
        series: impl Iterator<Item = (L, &'a ResourceInfo)>,
    ) -> fmt::Result {
        descriptor.gauge(encoder, |samples| {
            for (labels, info) in series {
                if let Some(value) = self.of(info) {
                    samples.value_of(&labels, value)?;
                }
            }
            Ok(())
        })
    }
}
