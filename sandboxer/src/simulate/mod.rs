//! Simulated behaviour of processes that do not exist.
//!
//! - `annotations` parses the annotations of pods and containers, `profile` is
//!   the behaviour file with the defaults, and `behaviour` draws the behaviour of one pod,
//!   container or process. - `delay`, `curve` and `failure` are the values of annotations;
//!   `random` is the source of all draws, seeded by the profile and by names. - `pids`,
//!   `signal` and `usage` stand in for the kernel. - `stdio` opens the FIFOs of processes,
//!   and `logs` writes the log files of the CRI API's containers.

pub(crate) mod annotations;
pub(crate) mod behaviour;
pub(crate) mod curve;
pub(crate) mod delay;
pub(crate) mod failure;
pub(crate) mod logs;
pub(crate) mod pids;
pub(crate) mod profile;
pub(crate) mod random;
pub(crate) mod signal;
pub(crate) mod stdio;
pub(crate) mod usage;
