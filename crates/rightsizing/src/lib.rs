//! Requests that containers need, from their recorded usage.
//!
//! - [`vpa`]: the recommendation of the Vertical Pod Autoscaler.
//! - [`krr`]: the recommendation of krr.
//! - `percentile`, `series`: usage over time.
//! - `sizing`: requests and limits, today's and a strategy's.
//! - `workload`: containers of workloads, with their usage.
//! - `profile`: all of the above for one container.
//! - `back_test`: strategies on the recorded past.
//! - [`resize`]: new requests as a document, and on an inventory.
//! - `patch`: new requests as patches of the objects of the API.
//!
//! Each imports only modules above it.

mod back_test;
pub mod krr;
mod lack;
mod patch;
mod percentile;
mod profile;
pub mod resize;
mod resources;
mod series;
mod sizing;
pub mod vpa;
mod workload;

pub use back_test::{BackTest, Costs, back_test};
pub use lack::Lack;
pub use patch::Patch;
pub use percentile::{Distribution, Percent, PercentError, Summary};
pub use profile::{Bounds, Profile, Span, profile};
pub use resources::Resources;
pub use series::{Gaps, Held, Series, merged};
pub use sizing::{Amount, Sizing, Strategy, StrategyError, resized};
pub use workload::{ContainerUsage, Usage, Workload, WorkloadId, join};

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
