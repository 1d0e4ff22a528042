//! Commands: each module has the options of one command and computes its answer.

pub mod capacity;
pub mod cost;
pub mod diff;
pub mod export;
pub mod fit;
pub mod inventory;
mod period;
mod places;
pub mod policy;
mod pricing;
pub mod profile;
pub mod schedule;
pub mod scheduler_options;
pub mod schema;
mod workload_colours;
