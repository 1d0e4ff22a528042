//! What is asked for: scenarios, the pods that follow from one, when they come, and
//! traces of pods that came before.

mod draw;
pub mod plan;
pub mod resources;
pub mod runtime;
pub mod scenario;
pub mod schedule;
pub mod trace;
