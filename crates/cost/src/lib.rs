//! Computes the costs of pods and nodes as OpenCost does, in exact integers.
//!
//! # Modules
//!
//! - `hours`, `resource`: time, CPU, memory and graphics processors, amounts and units.
//! - `money`: amounts of money; `wide`, `share`: exact division.
//! - `allocation`: costs of containers and nodes over a window; `idle`: the rest.
//! - [`prices`]: lists of prices, and the price of a node.
//! - `property`, `group`, `aggregate`: groups, with idle and shared costs laid on them.
//! - `containers`, `estimate`: the costs of everything in an inventory; `focus`: as a data set.
//! - `compare`: the costs before and after a change.
//!
//! The crate is pure: it reads no file, no clock and no network.

mod aggregate;
mod allocation;
mod compare;
mod containers;
mod estimate;
mod focus;
mod group;
mod hours;
mod idle;
mod money;
pub mod prices;
mod property;
mod resource;
mod share;
mod wide;

pub use aggregate::{Grouped, Grouping, Idle, Split, group};
pub use allocation::{
    Allocation, Container, CostError, Interval, Names, PricedNode, UnitPrices, Window, allocate,
    node_cost, price_of,
};
pub use compare::{Change, Side, WorkloadCost, changes};
pub use estimate::{Estimate, EstimateError, Period, extent};
pub use focus::{Account, COLUMNS, write_focus};
pub use group::{Group, GroupKind, IDLE, SHARED};
pub use hours::{HOUR_NS, MONTH_HOURS};
pub use idle::{NodeCost, node_costs};
pub use money::{Money, MoneyError};
pub use property::{Property, PropertyError, UNALLOCATED};
pub use resource::{PerResource, Quantities, Rates, Resource};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
