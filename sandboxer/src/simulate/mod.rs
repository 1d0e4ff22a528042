//! How processes that do not exist behave: signals, lifetimes, streams, usage.

pub(crate) mod curve;
pub(crate) mod delay;
pub(crate) mod failure;
pub(crate) mod life;
pub(crate) mod lives;
pub(crate) mod logs;
pub(crate) mod pids;
pub(crate) mod random;
pub(crate) mod signal;
pub(crate) mod stated;
pub(crate) mod stdio;
pub(crate) mod usage;
