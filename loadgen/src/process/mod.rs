//! Reads CPU time, memory, threads and descriptors of processes.

pub mod cpu_time;
pub mod sampler;
mod usage;

pub use self::usage::{Look, ProcessUsage, Sample, sample};
