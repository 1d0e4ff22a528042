//! Source 2: annotations.
//!
//! The keys `resources.*` are this project's own and use the resource names of a Kubernetes
//! container; the bandwidth keys are those of the CNI bandwidth plugin. Values are quantities.

use std::collections::HashMap;

use super::error::{InvalidResource, Origin, Reader};
use super::{ResourceInfo, cores};
use kube_resources::{Quantity, QuantityError};

/// Reading of a quantity; `Err` describes a valid value.
type Reading<T> = Result<Option<T>, &'static str>;

/// Reads the resources that `annotations` state.
///
/// Bandwidth is the larger of both directions: a full-duplex link that carries the larger one
/// carries the other beside it.
pub(super) fn read(
    annotations: &HashMap<String, String>,
    origin: Origin,
    reader: &mut Reader,
) -> Result<ResourceInfo, InvalidResource> {
    if annotations.is_empty() {
        return Ok(ResourceInfo::default());
    }
    let mut source = Source {
        annotations,
        origin,
        reader,
    };
    Ok(ResourceInfo {
        cpu_limit: source.get("resources.limits.cpu", cpu_limit)?,
        cpu_request: source.get("resources.requests.cpu", cpu)?,
        memory_limit: source.get("resources.limits.memory", limit)?,
        memory_request: source.get("resources.requests.memory", whole)?,
        pid_limit: source.get("resources.limits.pid", limit)?,
        storage_limit: source.get("resources.limits.ephemeral-storage", limit)?,
        network_bandwidth: source
            .get("kubernetes.io/ingress-bandwidth", bandwidth)?
            .max(source.get("kubernetes.io/egress-bandwidth", bandwidth)?),
    })
}

struct Source<'a, 'r> {
    annotations: &'a HashMap<String, String>,
    origin: Origin,
    reader: &'r mut Reader,
}

impl Source<'_, '_> {
    fn get<T>(
        &mut self,
        key: &'static str,
        read: fn(Quantity) -> Reading<T>,
    ) -> Result<Option<T>, InvalidResource> {
        let Some(text) = self.annotations.get(key) else {
            return Ok(None);
        };
        let reading = text
            .parse()
            .map_err(expected)
            .and_then(read)
            .map_err(|expected| InvalidResource::new(self.origin, key, text, expected));
        Ok(self.reader.accept(reading)?.flatten())
    }
}

fn expected(error: QuantityError) -> &'static str {
    match error {
        QuantityError::Malformed => "a quantity such as 500m, 1.5, 2Gi or 1e3",
        QuantityError::Negative => "a quantity that is not below zero",
        QuantityError::OutOfRange => "a quantity of at most 9223372036854775807",
        QuantityError::TooLong => "a quantity of at most 128 characters",
    }
}

fn cpu(quantity: Quantity) -> Reading<f64> {
    cores::from_nanos(quantity.nanos())
        .map(Some)
        .ok_or("at most 1000000 cores")
}

/// Reads a CPU limit; zero means no limit, as in kubelet.
fn cpu_limit(quantity: Quantity) -> Reading<f64> {
    Ok(cpu(quantity)?.filter(|cores| *cores > 0.0))
}

#[expect(clippy::unnecessary_wraps, reason = "one signature for all readings")]
fn whole(quantity: Quantity) -> Reading<u64> {
    Ok(Some(quantity.whole()))
}

fn limit(quantity: Quantity) -> Reading<u64> {
    Ok(whole(quantity)?.filter(|limit| *limit > 0))
}

/// Reads a bandwidth within the range that kubelet accepts (`pkg/util/bandwidth`).
fn bandwidth(quantity: Quantity) -> Reading<u64> {
    match quantity.whole() {
        bits @ 1_000..=1_000_000_000_000_000 => Ok(Some(bits)),
        _ => Err("a bandwidth from 1k to 1P bits per second"),
    }
}
