//! Limits of a scenario's numbers.

use std::time::Duration;

/// The most pods of a run, and the most that may be under way at once.
pub const MAX_PODS: u64 = 100_000_000;
/// The most workers.
pub const MAX_CONCURRENCY: u32 = 100_000;
/// The most connections.
pub const MAX_CONNECTIONS: u32 = 10_000;
/// The most threads.
pub const MAX_THREADS: u32 = 256;
/// The highest rate, in pods per second: far above what one machine makes.
pub const MAX_RATE: f64 = 1_000_000.0;
/// The lowest rate, in pods per second: about a pod a day.
pub const MIN_RATE: f64 = 1e-5;
/// The longest phase.
pub const MAX_DURATION: Duration = Duration::from_secs(30 * 24 * 3600);
