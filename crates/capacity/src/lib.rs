//! How many nodes a load needs.
//!
//! # Modules
//!
//! - `shape`: nodes that can be bought, as they are written on a command line.
//! - `load`: pods that need nodes, by kind, and daemons that every node runs.
//! - `fleet`: nodes that exist and new ones, as a cluster of the scheduler.
//! - `trial`: one placement of a load.
//! - `least`: the least number of nodes on which the scheduler places every pod.
//! - `packing`: bounds and optima of the packing alone, without a scheduler.

mod fleet;
mod least;
mod load;
pub mod packing;
mod shape;
mod trial;

pub use fleet::{FIRST_PRESENT, Fleet, PlanError, ShapedNode};
pub use least::{Attempt, Least, PLACEMENTS};
pub use load::{Item, Kind, Load};
pub use shape::{DEFAULT_PODS, Shape, ShapeError, ZONE, money};
pub use trial::{Trial, place};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
