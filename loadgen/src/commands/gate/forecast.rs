//! Forecast of a gate: the increases that it can find on this machine, and the time that they
//! take. Pure.
//!
//! The noise is the standard deviation of the differences between head and base from block to
//! block. It says nothing about the level of the differences, so that a gate may plan its
//! length by it. With n blocks, the error of the estimate is noise/√n, and an increase is found in
//! nine of ten gates if it exceeds the lower bound's quantile by 1.28 errors, and the minimum
//! effect by as much. The signed-rank test needs 3/π times the blocks of a test that knows the
//! distribution to be normal (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods,
//! section 3.11, on the asymptotic relative efficiency).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use super::decide::Rule;
use crate::result::calibration::{GateFinds, IncreaseTime};

/// Share of gates in which a forecast holds.
pub const POWER: f64 = 0.9;

/// Increases whose times are told, as shares.
const INCREASES: [f64; 3] = [0.03, 0.05, 0.10];

/// Forecast of a gate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Number of blocks that the forecast is computed from.
    pub blocks: usize,
    /// Standard deviation of the logarithm of the ratio of costs from block to block: 0.01
    /// for 1 %.
    pub noise: f64,
    /// Duration of a block, in seconds.
    pub seconds_per_block: f64,
    /// Smallest increase that the gate finds in nine of ten cases with all its blocks, as a
    /// share.
    pub finds: f64,
    /// Time until a head as fast as the base passes in nine of ten cases, in minutes.
    pub pass_minutes: f64,
}

impl Forecast {
    /// Computes the forecast from the differences of logarithms of the blocks so far.
    pub fn of(differences: &[f64], seconds_per_block: f64, rule: &Rule) -> Self {
        let noise = deviation(differences);
        let mut forecast = Self {
            blocks: differences.len(),
            noise,
            seconds_per_block,
            finds: 0.0,
            pass_minutes: 0.0,
        };
        let error = noise / (rule.most_blocks() as f64 * EFFICIENCY).sqrt();
        let certain = (normal(rule.alarm()) + normal(1.0 - POWER)) * error;
        let matters = rule.min_effect.ln_1p() + normal(1.0 - POWER) * error;
        forecast.finds = certain.max(matters).exp_m1();
        let margin = rule.min_effect.ln_1p();
        let blocks = forecast.blocks_for(margin, normal(rule.miss()) + normal(1.0 - POWER));
        forecast.pass_minutes = forecast.minutes(blocks, rule);
        forecast
    }

    /// Returns what a gate of this length finds.
    pub fn finds(&self, rule: &Rule, length: Duration) -> GateFinds {
        let time_of = |increase| {
            let minutes = self.minutes_to_find(increase, rule)?;
            Some(IncreaseTime { increase, minutes })
        };
        GateFinds {
            blocks: self.blocks,
            noise: self.noise,
            seconds_per_block: self.seconds_per_block,
            max_minutes: length.as_secs_f64() / 60.0,
            finds: self.finds,
            pass_minutes: self.pass_minutes,
            increases: INCREASES.into_iter().filter_map(time_of).collect(),
        }
    }

    /// Returns the time until this increase is found in nine of ten gates, in minutes; `None` if
    /// it is not above the minimum effect.
    pub fn minutes_to_find(&self, increase: f64, rule: &Rule) -> Option<f64> {
        let increase = increase.ln_1p();
        let beyond = increase - rule.min_effect.ln_1p();
        (beyond > 0.0).then(|| {
            let certain = self.blocks_for(increase, normal(rule.alarm()) + normal(1.0 - POWER));
            let matters = self.blocks_for(beyond, normal(1.0 - POWER));
            self.minutes(certain.max(matters), rule)
        })
    }

    /// Returns the time after which a gate with this estimate would be decided, in minutes: its
    /// distance from the minimum effect, or from 0, is then beyond chance.
    pub fn minutes_to_decide(&self, change: f64, rule: &Rule) -> f64 {
        let change = change.ln_1p();
        let least = rule.min_effect.ln_1p();
        let blocks = if change < least {
            self.blocks_for(least - change, normal(rule.miss()))
        } else {
            self.blocks_for(change, normal(rule.alarm()))
        };
        self.minutes(blocks, rule)
    }

    /// Returns the number of blocks with which `quantile` errors are at most this distance.
    fn blocks_for(&self, distance: f64, quantile: f64) -> f64 {
        (quantile * self.noise / distance).powi(2) / EFFICIENCY
    }

    /// Returns the duration of these blocks, at least until the first look, in minutes.
    fn minutes(&self, blocks: f64, rule: &Rule) -> f64 {
        let first = rule.looks.first().copied().map_or(0.0, f64::from);
        blocks.max(first).ceil() * self.seconds_per_block / 60.0
    }
}

/// Efficiency of the signed-rank test for normal differences.
const EFFICIENCY: f64 = 3.0 / std::f64::consts::PI;

/// Returns the quantile of the standard normal distribution that is exceeded with this
/// probability.
fn normal(exceeded: f64) -> f64 {
    let normal = Normal::standard();
    normal.inverse_cdf(1.0 - exceeded.clamp(1e-12, 1.0))
}

fn deviation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::INFINITY;
    }
    let mean = crate::stats::mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::gate::decide::{Metric, Terms};
    use proptest::prelude::*;

    fn rule(most: u32) -> Rule {
        let terms = Terms {
            min_effect: 0.03,
            min_latency_effect: 0.1,
            alpha: 0.01,
            cost: Metric::CpuPerPod,
        };
        Rule::new(terms, most).unwrap()
    }

    #[test]
    fn a_quiet_machine_finds_little_more_than_the_minimum_effect_at_the_first_look() {
        let forecast = Forecast::of(&[0.001, -0.001, 0.001, -0.001], 1.2, &rule(100));
        assert!((0.03..0.031).contains(&forecast.finds), "{forecast:?}");
        assert!((forecast.pass_minutes - 0.2).abs() < 1e-9, "{forecast:?}");
        let five = forecast.minutes_to_find(0.05, &rule(100)).unwrap();
        assert!((five - 0.2).abs() < 1e-9, "{five}");
    }

    #[test]
    fn twice_the_noise_takes_four_times_as_long() {
        let rule = rule(1000);
        let of = |noise: f64| {
            let forecast = Forecast::of(&[noise, -noise, noise, -noise], 1.0, &rule);
            forecast.minutes_to_find(0.05, &rule).unwrap()
        };
        let (one, two) = (of(0.05), of(0.1));
        // Both are whole numbers of blocks.
        assert!((two / one - 4.0).abs() < 0.2, "{one} {two}");
    }

    #[test]
    fn nothing_at_or_below_the_minimum_effect_is_ever_found() {
        let forecast = Forecast::of(&[0.01, -0.01], 1.0, &rule(40));
        assert_eq!(forecast.minutes_to_find(0.03, &rule(40)), None);
        assert!(forecast.minutes_to_decide(0.03, &rule(40)).is_finite());
    }

    proptest! {
        #[test]
        fn more_blocks_find_smaller_increases(
            differences in prop::collection::vec(-0.2..0.2_f64, 3..20),
            most in 20_u32..200,
        ) {
            let few = Forecast::of(&differences, 1.0, &rule(most));
            let many = Forecast::of(&differences, 1.0, &rule(4 * most));
            prop_assert!(many.finds <= few.finds + 1e-12);
        }

        #[test]
        fn the_level_of_the_differences_does_not_matter(
            differences in prop::collection::vec(-0.2..0.2_f64, 3..20),
            level in -0.5..0.5_f64,
        ) {
            let moved: Vec<f64> = differences.iter().map(|one| one + level).collect();
            let one = Forecast::of(&differences, 1.0, &rule(40));
            let other = Forecast::of(&moved, 1.0, &rule(40));
            prop_assert!((one.noise - other.noise).abs() < 1e-9);
            prop_assert!((one.finds - other.finds).abs() < 1e-9);
        }
    }
}
