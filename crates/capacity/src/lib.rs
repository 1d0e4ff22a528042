//! How many nodes a load needs.
//!
//! # Modules
//!
//! - `shape`: nodes that can be bought, as they are written on a command line.
//! - `load`: pods that need nodes, by kind, and daemons that every node runs.
//! - `fleet`: nodes that exist and new ones, as a cluster of the scheduler.
//! - `trial`: one placement of a load.
//! - `least`: the least number of nodes on which the scheduler places every pod.
//! - `peak`: the same for pods that arrive and depart.
//! - `mix`: nodes of several shapes at the least cost.
//! - `loss`, `more`: pods that fit nowhere when nodes go; room for more pods.
//! - `packing`: bounds and optima of the packing alone, without a scheduler.

mod fleet;
mod least;
mod load;
mod loss;
mod mix;
mod more;
pub mod packing;
mod peak;
mod shape;
mod trial;

pub use fleet::{FIRST_DAEMON, FIRST_PRESENT, Fleet, PlanError, Present, ShapedNode};
pub use least::{Attempt, Least, PLACEMENTS};
pub use load::{Item, Kind, Load};
pub use loss::{Loss, Together, losses};
pub use mix::{Mix, Offer, mix, offer};
pub use more::{Room, room};
pub use peak::{Peak, peak};
pub use shape::{DEFAULT_PODS, Shape, ShapeError, ZONE, money};
pub use trial::{Trial, place, place_as_at};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
