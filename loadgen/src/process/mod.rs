//! Reads CPU time, memory, threads, descriptors and programs of processes, and confines them to
//! CPUs and cgroups.

pub mod accounting;
pub mod affinity;
pub mod cgroup;
pub mod counters;
pub mod cpu_time;
pub mod pprof;
pub mod program;
pub mod sampler;
pub mod tree;
mod usage;

pub use self::usage::{Look, ProcessUsage, Sample, sample};
