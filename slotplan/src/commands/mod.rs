//! Commands: each module has the options of one command and computes its answer.

pub mod inventory;
pub mod profile;
