//! Latencies beside those of the operations: on the wire, and without the generator's lag.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::operation::Operation;

/// Times on the wire of the successful calls of one operation, in nanoseconds, to three digits:
/// from the last byte of the request to the first byte of the reply. Of pods, the latencies
/// without the generator's queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WireResult {
    /// Operation that was measured.
    pub operation: Operation,
    /// Number of calls with a known time.
    pub count: u64,
    /// Mean, in nanoseconds.
    pub mean_ns: f64,
    /// Median, in nanoseconds.
    pub p50_ns: u64,
    /// 90th percentile, in nanoseconds.
    pub p90_ns: u64,
    /// 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// 99.9th percentile, in nanoseconds.
    pub p999_ns: u64,
    /// Maximum, in nanoseconds.
    pub max_ns: u64,
    /// The generator's queue: the median latency of the operation without the median on the
    /// wire, in nanoseconds; of pods, the sum over the calls.
    pub queue_ns: u64,
}

/// Validity of one latency that counts from the intended starts of pods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FigureResult {
    /// Operation of the figure.
    pub operation: Operation,
    /// Statistic of the figure, by the names of `--slo`: `p99`.
    pub statistic: String,
    /// Figure with the lag, as in `operations`, in nanoseconds.
    pub told_ns: f64,
    /// Least value that the figure could have had without the lag, in nanoseconds.
    pub least_ns: f64,
    /// Whether the lag changed the figure by at most a twentieth of its value.
    pub valid: bool,
    /// Reason against the validity; absent for a valid figure.
    #[serde(default)]
    pub reason: Option<String>,
}
