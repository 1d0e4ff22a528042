//! Tables of an inventory and of results about it, for programs that query them, and traces that
//! make a placement happen.
//!
//! The caller opens the files: [`Exporter`] asks it for a writer by the path of the file. The same
//! input gives the same bytes.
//!
//! # Modules
//!
//! - `value`, `table`, `day`: values, columns and partitions.
//! - `format`: Parquet and CSV.
//! - `place`: the places of files: the cluster, and the function that opens a file.
//! - `sheet`: the files of one table.
//! - `rows`: the tables, each with the rows of an inventory or of results.
//! - `results`: the documents of other commands that are read.
//! - `replay`: pods with their nodes as traces of loadgen.
//! - `exporter`: all tables of an inventory.

mod day;
mod error;
mod exporter;
mod format;
mod place;
pub mod replay;
mod results;
mod rows;
mod sheet;
mod table;
mod value;

pub use error::ExportError;
pub use exporter::Exporter;
pub use format::Format;
pub use place::{Cluster, ClusterError, Opener};
pub use results::{CostLine, Document, Placement, ResultError, Results, Schedule, read_result};
pub use rows::TABLES;
pub use sheet::{Sum, TableSummary};
pub use table::{Column, Kind, Table};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
