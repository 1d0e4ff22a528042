//! Times of pods in a replay.

use std::time::Duration;

use inventory::{Pod, Timestamp};

use super::ByNode;

/// Span of time of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeline {
    /// First arrival, from which times count.
    pub start: Timestamp,
    /// Time until which pods without a departure stay.
    pub end: Timestamp,
}

impl Timeline {
    /// Returns the span from the first arrival of a pod on any node to `stay` after the last
    /// arrival or departure.
    pub fn of(by_node: &ByNode<'_>, stay: Duration) -> Self {
        let pods = || by_node.nodes.values().flatten();
        let arrivals = || pods().filter_map(|pod| pod.arrival);
        let departures = pods().filter_map(|pod| pod.departure);
        let start = arrivals().min().unwrap_or_default();
        let last = arrivals().chain(departures).max().unwrap_or(start);
        let stay = i64::try_from(stay.as_nanos()).unwrap_or(i64::MAX);
        Self {
            start,
            end: Timestamp(last.0.saturating_add(stay)),
        }
    }

    /// Returns the arrival of a pod in nanoseconds since the start; a pod that is there from the
    /// start arrives then.
    pub(super) fn arrival_ns(&self, pod: &Pod) -> u64 {
        nanoseconds(self.start, pod.arrival.unwrap_or(self.start))
    }

    /// Returns the time that a pod stays, in milliseconds.
    pub(super) fn stay_ms(&self, pod: &Pod) -> u64 {
        let arrival = pod.arrival.unwrap_or(self.start);
        nanoseconds(arrival, pod.departure.unwrap_or(self.end)) / 1_000_000
    }
}

/// Returns the time from one moment to a later one; 0 to an earlier one.
fn nanoseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(i128::from(to.0) - i128::from(from.0)).unwrap_or(0)
}
