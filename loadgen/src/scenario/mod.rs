//! A workload: what pods there are, when they come, how long they stay.
//!
//! A scenario is a TOML document; some are shipped. Everything that a run asks
//! for follows from it, and from its seed everything random.

mod model;

pub use self::model::{
    Arrivals, Closed, Distribution, Life, LoadShape, Phase, PodShape, Rate, Scenario,
};
