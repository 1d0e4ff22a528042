//! `loadgen search`: the highest rate that meets what is asked for.

mod ascent;

pub use self::ascent::{Ascent, Steps, knee};
