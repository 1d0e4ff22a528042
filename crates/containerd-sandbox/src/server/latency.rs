//! A histogram of durations that many threads record in without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The upper bounds of the buckets, in nanoseconds: one, two and a half, and five in each
/// decade, from what a call takes that only looks something up to what a client's patience is.
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

/// How many buckets there are: one for each bound, and one for what is above them all.
pub const BUCKETS: usize = BOUNDS_NS.len() + 1;

/// How long calls took.
#[derive(Debug, Default)]
pub struct Latency {
    buckets: [AtomicU64; BUCKETS],
    sum_ns: AtomicU64,
}

/// What a [`Latency`] held at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latencies {
    /// How many durations are in each bucket alone. The last one has no bound.
    pub buckets: [u64; BUCKETS],
    /// Their sum. What was recorded while it was read may be in one and not in the other.
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

    /// What was recorded so far.
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
    fn bounds_rise() {
        assert!(BOUNDS_NS.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn a_bound_belongs_to_its_bucket_and_what_is_above_all_is_counted_too() {
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
