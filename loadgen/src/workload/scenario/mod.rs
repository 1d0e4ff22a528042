//! Scenarios: properties, arrivals and stays of pods.
//!
//! A scenario is a TOML document; some are shipped with the program. All requests of
//! a run follow from the scenario, and all random values from its seed.

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
