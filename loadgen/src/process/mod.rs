//! Reads CPU time, memory, threads and descriptors of processes, and confines them to CPUs.

pub mod affinity;
pub mod counters;
pub mod cpu_time;
pub mod sampler;
mod usage;

pub use self::usage::{Look, ProcessUsage, Sample, sample};
