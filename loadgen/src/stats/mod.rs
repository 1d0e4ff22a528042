//! What can be said of measurements that vary. Pure: everything random comes from
//! a seed, and nothing looks at a clock.
//!
//! ```text
//! order        mean, median, quantile
//! student      how much wider an interval of few values must be
//! bootstrap    how far a statistic would be off if other rounds had been drawn
//! signed_rank  is one of two slower, of rounds in pairs whose order was drawn
//! slope        does it grow, and by how much
//! ```
//!
//! Measurements of this kind are few (8 to 60 rounds or seconds), have heavy tails
//! (another process, a page fault) and resemble their neighbours (a clock that
//! changes its speed, a busy neighbour). Each module says what it does about that,
//! and has a test with such data that counts how often it errs.
//!
//! Student's t is that of the crate `statrs`, without its default features (matrices and
//! random numbers). It has neither a bootstrap in blocks nor the exact distribution of
//! signed ranks, so both are written here.

pub mod bootstrap;
#[cfg(test)]
pub(crate) mod noise;
pub mod order;
pub mod signed_rank;
pub mod slope;
pub mod student;

pub use self::bootstrap::Bootstrap;
pub use self::order::{mean, median, quantile};
pub use self::signed_rank::SignedRank;
pub use self::slope::{Errors, Slope};

use serde::{Deserialize, Serialize};

/// The confidence of the intervals that are shown.
pub const CONFIDENCE: f64 = 0.95;

/// Where a value is believed to lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies in it.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}
