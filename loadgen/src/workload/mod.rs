//! Descriptions of loads: scenarios, the pods of a scenario, their arrivals, and
//! traces of recorded pods, and pods from files.

mod draw;
pub mod manifest;
pub mod part;
pub mod plan;
pub mod resources;
pub mod runtime;
pub mod scenario;
pub mod schedule;
pub mod trace;
