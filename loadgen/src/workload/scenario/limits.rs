//! Limits for the numbers in a scenario.

use std::time::Duration;

/// Highest number of pods of a run.
pub const MAX_PODS: u64 = 100_000_000;
/// Highest number of workers, and of pods under way at once.
pub const MAX_CONCURRENCY: u32 = 100_000;
/// Highest number of connections.
pub const MAX_CONNECTIONS: u32 = 10_000;
/// Highest number of threads.
pub const MAX_THREADS: u32 = 256;
/// Highest rate, in pods per second: far above the capacity of one machine.
pub const MAX_RATE: f64 = 1_000_000.0;
/// Lowest rate, in pods per second: about a pod a day.
pub const MIN_RATE: f64 = 1e-5;
/// Longest phase.
pub const MAX_DURATION: Duration = Duration::from_secs(30 * 24 * 3600);
