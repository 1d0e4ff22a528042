//! Runs loads on a server and observes them.

pub mod metrics;
pub mod observation;
pub mod session;
pub mod traced;
