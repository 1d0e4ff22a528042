//! RPCs by API and method.

use std::fmt;

use containerd_sandbox::server::{BOUNDS_NS, Calls, MethodCalls};
use exposition::Descriptor;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;

const HANDLED: Descriptor = Descriptor {
    name: "resource_slot_rpcs",
    help: "Answered RPCs by API, method and code; Cancelled if the caller went away",
    unit: "",
};
const IN_FLIGHT: Descriptor = Descriptor {
    name: "resource_slot_rpcs_in_flight",
    help: "RPCs in flight; a Wait lasts until the end that it waits for",
    unit: "",
};
const DURATION: Descriptor = Descriptor {
    name: "resource_slot_rpc_duration",
    help: "Duration of RPCs, successful or not",
    unit: "seconds",
};

/// Encodes the counts and durations of the RPCs of each API.
#[derive(Debug)]
pub(super) struct Rpcs(pub(super) [Calls; 5]);

impl Collector for Rpcs {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let methods: Vec<MethodCalls<'_>> = self.0.iter().flat_map(Calls::read).collect();
        let labels =
            |m: &MethodCalls<'_>| [("api", m.api.to_owned()), ("method", m.method.to_owned())];
        HANDLED.counter(&mut encoder, |samples| {
            for method in &methods {
                let failed = method.failed.iter().filter(|(_, count)| *count > 0);
                let failed = failed.map(|(code, count)| (code.to_string(), *count));
                // The success count is shown while it is zero, so that the first success
                // shows as an increase.
                for (code, count) in [("OK".to_owned(), method.succeeded)]
                    .into_iter()
                    .chain(failed)
                {
                    samples.count_of(&(labels(method), [("code", code)]), count)?;
                }
            }
            Ok(())
        })?;
        let called = || methods.iter().filter(|m| m.in_flight > 0 || has_ended(m));
        IN_FLIGHT.gauge(&mut encoder, |samples| {
            called().try_for_each(|m| samples.value_of(&labels(m), m.in_flight as f64))
        })?;
        DURATION.histogram(&mut encoder, |samples| {
            called().try_for_each(|m| {
                let (buckets, sum) = (&m.latencies.buckets, m.latencies.sum);
                samples.durations_of(&labels(m), &BOUNDS_NS, buckets, sum)
            })
        })
    }
}

/// Returns whether any RPC of the method has ended.
fn has_ended(method: &MethodCalls<'_>) -> bool {
    method.latencies.buckets.iter().any(|count| *count > 0)
}
