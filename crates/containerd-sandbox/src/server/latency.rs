//! A histogram of durations without locks, for records from many threads.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds of the buckets, in nanoseconds: 1, 2.5 and 5 in each decade, from 10 µs, the
/// time of a call that only reads memory, to 10 s, a common timeout of clients.
pub const BOUNDS_NS: [u64; 19] = [
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
];

/// Number of buckets: one for each bound, and one for longer durations.
pub const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// The histogram of the durations of calls.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
}

/// The contents of a [`Latency`] at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies {
    /// Number of durations in each bucket, not cumulated. The last bucket has no bound.
    pub buckets: [u64; BUCKETS],
    /// Sum of the durations. A duration recorded during the read may be in the sum and not in a
    /// bucket, or the other way round.
    pub sum: Duration,
}

impl Latency {
    /// Records one duration.
    pub fn record(&self, took: Duration) {
        let took_ns = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_NS.partition_point(|bound| *bound < took_ns);
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ns.fetch_add(took_ns, Ordering::Relaxed);
    }

    /// Reads the histogram.
    pub fn read(&self) -> Latencies {
        Latencies {
            buckets: std::array::from_fn(|bucket| self.buckets[bucket].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_ascend() {
        assert!(BOUNDS_NS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_duration_equal_to_a_bound_falls_below_it_and_the_last_bucket_takes_the_rest() {
        let latency = Latency::default();
        for ns in [0, 10_000, 10_001, 10_000_000_001] {
            latency.record(Duration::from_nanos(ns));
        }
        let read = latency.read();
        assert_eq!(read.buckets[..2], [2, 1]);
        assert_eq!(read.buckets[BUCKETS - 1], 1);
        assert_eq!(read.buckets.iter().sum::<u64>(), 4);
        assert_eq!(read.sum, Duration::from_nanos(10_000_020_002));
    }
}
