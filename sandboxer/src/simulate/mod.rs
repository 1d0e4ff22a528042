//! How processes that do not exist behave: signals, lifetimes, streams, usage.

pub(crate) mod life;
pub(crate) mod logs;
pub(crate) mod pids;
pub(crate) mod signal;
pub(crate) mod stdio;
pub(crate) mod usage;
