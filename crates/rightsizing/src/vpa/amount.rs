//! Whole amounts of resources out of fractions (`model/types.go`).

use super::float::truncate;

/// Largest amount of a resource (`MaxResourceAmount`).
const LARGEST: f64 = 1e14;

/// Returns an amount multiplied by a factor (`ScaleResource`).
pub(crate) fn scaled(amount: i64, factor: f64) -> i64 {
    whole(amount as f64 * factor)
}

/// Returns a number as a whole amount from 0 to 10^14 (`resourceAmountFromFloat`); a number that
/// is none, such as the product of nothing and no confidence, is 0.
pub(crate) fn whole(amount: f64) -> i64 {
    truncate(amount.clamp(0.0, LARGEST))
}
