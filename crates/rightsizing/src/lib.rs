//! Requests that containers need, from their recorded usage.
//!
//! - [`vpa`]: the recommendation of the Vertical Pod Autoscaler.

mod resources;
pub mod vpa;

pub use resources::Resources;

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
