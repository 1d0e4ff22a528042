//! Buckets of histograms: each is 5 % wider than the one before.

use super::float::{ln, power, truncate};

/// Width of a bucket divided by the width of the one before (`DefaultHistogramBucketSizeGrowth`).
const RATIO: f64 = 1.0 + 0.05;

/// Bounds of the buckets of a histogram (`exponentialHistogramOptions` in
/// `pkg/recommender/util/histogram_options.go`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Buckets {
    first: f64,
    count: usize,
}

impl Buckets {
    /// Returns the buckets of CPU usage in cores: the first is 0.01 wide, the last contains 1000
    /// (`cpuHistogramOptions`).
    pub(crate) fn cpu() -> Self {
        Self::new(1000.0, 0.01)
    }

    /// Returns the buckets of memory in bytes: the first is 10^7 wide, the last contains 10^12
    /// (`memoryHistogramOptions`).
    pub(crate) fn memory() -> Self {
        Self::new(1e12, 1e7)
    }

    fn new(largest: f64, first: f64) -> Self {
        let count = log_ratio(largest * (RATIO - 1.0) / first + 1.0).ceil();
        Self {
            first,
            count: usize::try_from(truncate(count)).unwrap_or(0) + 1,
        }
    }

    /// Returns the number of buckets.
    pub(crate) fn count(self) -> usize {
        self.count
    }

    /// Returns the bucket of a value; the last one for a value beyond all.
    pub(crate) fn of(self, value: f64) -> usize {
        if value < self.first {
            return 0;
        }
        let bucket = truncate(log_ratio(value * (RATIO - 1.0) / self.first + 1.0));
        usize::try_from(bucket).unwrap_or(0).min(self.count - 1)
    }

    /// Returns the lower bound of a bucket.
    pub(crate) fn start(self, bucket: usize) -> f64 {
        if bucket == 0 {
            return 0.0;
        }
        let exponent = i32::try_from(bucket).unwrap_or(i32::MAX);
        self.first * (power(RATIO, exponent) - 1.0) / (RATIO - 1.0)
    }
}

fn log_ratio(x: f64) -> f64 {
    ln(x) / ln(RATIO)
}
