//! Exposes the tally of a run as metrics.

use std::fmt;
use std::sync::{Arc, Mutex};

use containerd_sandbox::server::BOUNDS_NS;
use exposition::Descriptor;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

use super::lock;
use super::tally::{Durations, Outcomes, Tally};
use crate::record::operation::Operation;

const fn descriptor(name: &'static str, help: &'static str, unit: &'static str) -> Descriptor {
    Descriptor { name, help, unit }
}

const BUILD: Descriptor = descriptor("loadgen_build", "The version of loadgen", "");
const PLANNED: Descriptor = descriptor(
    "loadgen_planned_pods",
    "Pods of the load, with those of a warm-up",
    "",
);
const BEGUN: Descriptor = descriptor("loadgen_pods_begun", "Pods that were begun", "");
const ENDED: Descriptor = descriptor(
    "loadgen_pods_ended",
    "Pods that have ended, with success or without",
    "",
);
const IN_FLIGHT: Descriptor = descriptor("loadgen_pods_in_flight", "Pods in progress", "");
const OFFERED: Descriptor = descriptor(
    "loadgen_offered",
    "Pods that were due in the last second; absent in a closed loop",
    "pods_per_second",
);
const ACHIEVED: Descriptor = descriptor(
    "loadgen_achieved",
    "Pods that were begun in the last second",
    "pods_per_second",
);
const OPERATIONS: Descriptor = descriptor(
    "loadgen_operations",
    "Operations by kind and code; OK for a right reply",
    "",
);
const DURATION: Descriptor = descriptor(
    "loadgen_operation_duration",
    "Durations of successful operations; those of pods from their intended start",
    "seconds",
);
const LAG: Descriptor = descriptor(
    "loadgen_lag",
    "Times from the intended start of pods until they were begun, in an open loop",
    "seconds",
);

/// Collector of the metrics of a run.
#[derive(Debug)]
pub(super) struct Exposed(pub(super) Arc<Mutex<Tally>>);

impl Collector for Exposed {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let encoder = &mut encoder;
        let tally = lock(&self.0);
        BUILD.info(encoder, &[("version", env!("CARGO_PKG_VERSION"))])?;
        PLANNED.gauge(encoder, |s| s.value(tally.planned as f64))?;
        BEGUN.counter(encoder, |s| s.count(tally.begun()))?;
        ENDED.counter(encoder, |s| s.count(tally.ended()))?;
        IN_FLIGHT.gauge(encoder, |s| s.value(tally.in_flight() as f64))?;
        for (descriptor, pods) in [(OFFERED, tally.offered), (ACHIEVED, tally.achieved)] {
            descriptor.gauge(encoder, |s| {
                pods.map_or(Ok(()), |pods| s.value(pods as f64))
            })?;
        }
        let called = || {
            let outcomes = Operation::ALL.iter().zip(&tally.operations);
            outcomes.filter(|(_, o)| o.succeeded.count() > 0 || !o.failed.is_empty())
        };
        OPERATIONS.counter(encoder, |s| {
            called().try_for_each(|(operation, outcomes)| {
                codes(outcomes).try_for_each(|(code, count)| {
                    let labels = [("operation", operation.name()), ("code", &code)];
                    s.count_of(&labels, count)
                })
            })
        })?;
        DURATION.histogram(encoder, |s| {
            called().try_for_each(|(operation, outcomes)| {
                let Durations { buckets, sum } = &outcomes.succeeded;
                let labels = [("operation", operation.name())];
                s.durations_of(&labels, &BOUNDS_NS, buckets, *sum)
            })
        })?;
        LAG.histogram(encoder, |s| {
            let Durations { buckets, sum } = &tally.lag;
            let none: [(&str, &str); 0] = [];
            match tally.lag.count() {
                0 => Ok(()),
                _ => s.durations_of(&none, &BOUNDS_NS, buckets, *sum),
            }
        })
    }
}

fn codes(outcomes: &Outcomes) -> impl Iterator<Item = (String, u64)> {
    let failed = outcomes.failed.iter();
    let failed = failed.map(|(code, count)| (code.to_string(), *count));
    std::iter::once(("OK".to_owned(), outcomes.succeeded.count())).chain(failed)
}
