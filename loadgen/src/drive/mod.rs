//! Runs pods: an engine that keeps many pods in progress, the lifecycle of one pod, the
//! drivers that make its calls, and the checks of every reply.

pub mod bundle;
pub mod calls;
pub mod check;
pub mod driver;
pub mod engine;
pub mod lifecycle;
pub mod pacer;
