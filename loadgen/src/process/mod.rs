//! Reads CPU time, memory, threads, descriptors and programs of processes, and confines them to
//! CPUs.

pub mod affinity;
pub mod counters;
pub mod cpu_time;
pub mod program;
pub mod sampler;
mod usage;

pub use self::usage::{Look, ProcessUsage, Sample, sample};
