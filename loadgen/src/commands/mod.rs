//! Command line and its commands. Only this layer uses `clap` types, combines the
//! errors of all other modules, and decides the exit code.

pub mod any_result;
pub mod bare;
pub mod calibrate;
pub mod cli;
pub mod compare;
pub mod density;
pub mod dispatch;
pub mod error;
mod execution;
pub mod exit;
pub mod export;
pub mod gate;
mod level;
pub mod merge;
pub mod overhead;
pub mod plan;
pub mod pod;
pub mod print;
pub mod record;
mod repeat;
pub mod report;
pub mod run;
mod save;
pub mod search;
pub mod trend;
