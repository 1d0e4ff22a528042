//! A workload: what pods there are, when they come, how long they stay.
//!
//! A scenario is a TOML document; some are shipped. Everything that a run asks
//! for follows from it, and from its seed everything random.

mod distribution;
mod entry;
pub mod limits;
mod model;
mod overrides;
mod parse;
mod presets;
mod print;
pub mod text;
mod value;

pub use self::model::{
    Arrivals, Closed, Distribution, Lifecycle, LoadShape, Phase, PodShape, Rate, Scenario,
    SignalChoice,
};
pub use self::overrides::{Mismatch, Overrides};
pub use self::parse::ScenarioError;
pub use self::presets::names;

#[cfg(test)]
mod tests;
