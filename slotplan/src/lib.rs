//! Answers questions of planning from files: what a load needs, where it fits, what it may do,
//! what it costs.
//!
//! Each module imports only modules below it in this table:
//!
//! ```text
//! cli        the command line and its dispatch
//! commands   one module for each command: its options, its answer
//! placement  an inventory to a cluster of the scheduler
//! input      files and directories to an inventory
//! journal    directories of the sandboxer to pods
//! history    options for what was recorded
//! hashing    hashes of files, computed while they are read
//! admit      policies that decide on pods before a command computes
//! answer     text, JSON, Markdown and page of an answer; the header of documents
//! schema     JSON Schemas of documents
//! markdown   tables for a pull request
//! progress   a line on the terminal for long work
//! exit       exit codes
//! ```
//!
//! The computations are pure functions in crates of their own; this package opens files and
//! prints.

pub mod admit;
pub mod answer;
pub mod cli;
pub mod commands;
pub mod exit;
mod hashing;
pub mod history;
pub mod input;
mod journal;
mod markdown;
pub mod placement;
mod progress;
mod schema;

pub use cli::main;
