//! Statistics of noisy measurements. Pure: random numbers come from a seed, and no
//! function reads a clock.
//!
//! ```text
//! order        mean, median, quantile
//! binomial     on which side of a limit does a quantile lie
//! student      quantiles of Student's t: wider intervals for few values
//! bootstrap    confidence intervals of any statistic by resampling
//! signed_rank  is one of two programs slower: paired rounds in random order
//! slope        trend over time, with its confidence interval
//! two_samples  difference between two groups of runs, with its confidence interval
//! permutation  is one of two programs slower: groups of runs, several figures together
//! change_points  points at which the level of a series changes
//! ```
//!
//! Measurements of this kind are few (8 to 60 rounds or seconds), have heavy tails
//! (another process, a page fault) and are autocorrelated (a changing clock
//! frequency, a busy neighbour). Each module documents its method for such data and
//! has a test that counts its errors on them.
//!
//! Student's t is that of the crate `statrs`, without its default features (matrices and
//! random numbers). That crate has neither a bootstrap in blocks nor the exact distribution
//! of signed ranks, so both are written here.

pub mod binomial;
pub mod bootstrap;
pub mod change_points;
#[cfg(test)]
pub(crate) mod noise;
pub mod order;
pub mod permutation;
pub mod signed_rank;
pub mod slope;
pub mod student;
pub mod two_samples;

pub use self::bootstrap::Bootstrap;
pub use self::order::{mean, median, quantile};
pub use self::signed_rank::SignedRank;
pub use self::slope::{Errors, Slope};
pub use self::two_samples::TwoSamples;

use serde::{Deserialize, Serialize};

/// Confidence level of the intervals in results and tables.
pub const CONFIDENCE: f64 = 0.95;

/// Confidence interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Returns whether a value lies in the interval, ends included.
    pub fn contains(self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}
