//! The seven resources, as metrics of all sandboxes, of a namespace and of a pod.

use std::fmt;

use exposition::Descriptor;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};

use pod_resources::ResourceInfo;

/// One resource's three metrics.
#[derive(Debug)]
pub(super) struct Resource {
    /// Of all sandboxes together.
    pub(super) total: Descriptor,
    /// Of those of a namespace.
    pub(super) namespace: Descriptor,
    /// Of one.
    pub(super) pod: Descriptor,
    /// How much of it is stated.
    value: fn(&ResourceInfo) -> Option<f64>,
}

macro_rules! resources {
    ($($field:ident as $name:literal in $unit:literal by $value:ident: $what:literal;)*) => {
        /// Every resource.
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

        /// A resource that has no metric does not compile.
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

/// Bytes are the base unit, as promtool's lints have it.
fn bytes_of_bits(bits: u64) -> f64 {
    bits as f64 / 8.0
}

impl Resource {
    /// How much of it is stated.
    pub(super) fn of(&self, info: &ResourceInfo) -> Option<f64> {
        (self.value)(info)
    }

    /// One of its metrics, of those that state it.
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
