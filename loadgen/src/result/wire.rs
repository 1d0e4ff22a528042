//! Times of calls on the wire, beside the latencies that callers see.

use hdrhistogram::Histogram;

use super::latency::WireResult;
use super::{LoadMode, OperationResult};
use crate::record::operation::Operation;
use display::human;

/// Share of the pods' median latency that the queue of the generator may take in a closed loop
/// without a remark.
const MUCH: f64 = 0.1;

impl WireResult {
    fn new(told: &OperationResult, times: &Histogram<u64>) -> Self {
        let p50_ns = times.value_at_quantile(0.5);
        Self {
            operation: told.operation,
            count: times.len(),
            mean_ns: times.mean(),
            p50_ns,
            p90_ns: times.value_at_quantile(0.9),
            p99_ns: times.value_at_quantile(0.99),
            p999_ns: times.value_at_quantile(0.999),
            max_ns: times.max(),
            queue_ns: told.p50_ns.saturating_sub(p50_ns),
        }
    }

    /// Returns the share of the median latency that the generator's queue takes.
    pub fn queue_share(&self) -> f64 {
        let told = self.p50_ns.saturating_add(self.queue_ns).max(1);
        self.queue_ns as f64 / told as f64
    }
}

/// Computes the times on the wire of the operations that have some.
pub fn wire<'a>(
    told: &[OperationResult],
    times: impl Fn(Operation) -> Option<&'a Histogram<u64>>,
) -> Vec<WireResult> {
    told.iter()
        .filter_map(|told| Some((told, times(told.operation)?)))
        .filter(|(_, times)| !times.is_empty())
        .map(|(told, times)| WireResult::new(told, times))
        .collect()
}

/// Returns the remark on a closed loop whose latencies are largely the generator's queue.
pub fn remark(mode: LoadMode, wire: &[WireResult]) -> Option<String> {
    let pod = wire.iter().find(|one| one.operation == Operation::Pod)?;
    (mode == LoadMode::Closed && pod.queue_share() > MUCH).then(|| {
        format!(
            "{:.0} % of the pods' median latency ({} of {}) is the generator's own queue, not \
             the server: use more --threads if there are idle cores, or a lower --concurrency",
            pod.queue_share() * 100.0,
            human::nanoseconds(pod.queue_ns),
            human::nanoseconds(pod.p50_ns + pod.queue_ns),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::recorder::histogram;

    fn measured(told_us: u64, wire_us: u64) -> Vec<WireResult> {
        let (mut told, mut times) = (histogram(), histogram());
        told.record_n(told_us * 1000, 100).unwrap();
        times.record_n(wire_us * 1000, 100).unwrap();
        let told = [Operation::TaskStart, Operation::Pod]
            .map(|operation| OperationResult::new(operation, &told, 0));
        wire(&told, |operation| {
            (operation == Operation::Pod).then_some(&times)
        })
    }

    #[test]
    fn the_queue_is_the_difference_of_the_medians() {
        let found = measured(500, 400);
        let [pod] = &found[..] else {
            panic!("{found:?}")
        };
        assert_eq!((pod.operation, pod.count), (Operation::Pod, 100));
        assert!(pod.queue_ns.abs_diff(100_000) < 1000, "{pod:?}");
        assert!((pod.queue_share() - 0.2).abs() < 0.01);
    }

    #[test]
    fn a_queue_over_a_tenth_of_a_closed_loop_is_remarked() {
        let text = remark(LoadMode::Closed, &measured(500, 400)).unwrap();
        assert!(text.starts_with("20 % of the pods' median"), "{text}");
        assert_eq!(remark(LoadMode::Closed, &measured(500, 460)), None);
        assert_eq!(remark(LoadMode::Open, &measured(500, 400)), None);
        assert_eq!(remark(LoadMode::Closed, &[]), None);
    }
}
