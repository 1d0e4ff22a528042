//! Simulated behaviour of processes that do not exist.
//!
//! - `annotations` parses the annotations of pods and containers, `profile` is the
//!   behaviour file with the defaults, and `behaviour` draws the behaviour of one pod,
//!   container or process.
//! - `delay`, `curve` and `failure` are the values of annotations; `random` is the source
//!   of all draws, seeded by the profile and by names.
//! - `image_pattern` selects images, and `tries` counts calls by their object.
//! - `ports` reads the ports that containers declare, and `probe` has their answers to probes.
//! - `pids`, `signal` and `usage` stand in for the kernel.
//!
//! Nothing here does I/O, apart from reading the behaviour file.

pub(crate) mod annotations;
pub(crate) mod behaviour;
pub(crate) mod curve;
pub(crate) mod delay;
pub(crate) mod failure;
mod image_pattern;
pub(crate) mod pids;
pub(crate) mod ports;
pub(crate) mod probe;
pub(crate) mod profile;
pub(crate) mod random;
pub(crate) mod signal;
mod tries;
pub(crate) mod usage;
