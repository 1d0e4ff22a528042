//! Looks at processes: CPU time, memory, threads and descriptors.

pub mod cpu_time;
pub mod sampler;
mod usage;

pub use self::usage::{Look, ProcessUsage, Sample, sample};
