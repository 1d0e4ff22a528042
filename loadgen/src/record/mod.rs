//! Records calls during a load: latencies and failures by operation, on each thread;
//! merges them once per second and writes them to a log of histograms.

pub mod failure;
pub mod hdr_log;
pub mod operation;
pub mod recorder;
pub mod tape;
