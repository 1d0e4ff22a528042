//! Points at which the level of a series changes.
//!
//! Hierarchical divisions by the energy distance (E-divisive with means: Matteson and James, A
//! Nonparametric Approach for Multiple Change Point Analysis of Multivariate Data, 2014), which
//! found changes of speed in years of continuous integration (Daly, Brown, Ingo, O'Leary and
//! Bradford, The Use of Change Point Detection to Identify Software Performance Regressions in a
//! Continuous Integration System, 2020).
//!
//! The series is divided where both parts differ most, then one of its parts, and so on, as long
//! as a permutation test finds the division beyond chance: with values of each part in a random
//! order, so large a distance must have a probability of at most the level. If the level of a
//! series never changes, the probability of any change point is at most the level, with any
//! distribution of independent values: the first division has to pass the test before any other.
//!
//! The energy distance needs no assumption about the distribution. A part has at least
//! [`LEAST`] values, so a single outlier is no change.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Lowest number of values between two change points.
pub const LEAST: usize = 3;

/// Number of random orders of the permutation test.
const ORDERS: u32 = 999;

/// A point at which the level of a series changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChangePoint {
    /// Place of the first value with the new level.
    pub at: usize,
    /// Probability of so large a distance without a change.
    pub p: f64,
}

/// A division of a part of the series.
#[derive(Debug, Clone, Copy)]
struct Division {
    at: usize,
    distance: f64,
}

/// Returns the change points of a series, in its order. Values must have a scale on which
/// differences are comparable, such as logarithms.
pub fn change_points(values: &[f64], level: f64, seed: u64) -> Vec<ChangePoint> {
    let mut coin = ChaCha8Rng::seed_from_u64(seed);
    let mut found: Vec<ChangePoint> = Vec::new();
    loop {
        let ends = ends(&found, values.len());
        let Some(best) = best(values, &ends) else {
            break;
        };
        let mut shuffled = values.to_vec();
        let mut as_far = 0;
        for _ in 0..ORDERS {
            for part in ends.windows(2) {
                shuffle(&mut shuffled[part[0]..part[1]], &mut coin);
            }
            let other = self::best(&shuffled, &ends).map_or(0.0, |other| other.distance);
            as_far += u32::from(other >= best.distance);
        }
        let p = f64::from(as_far + 1) / f64::from(ORDERS + 1);
        if p > level {
            break;
        }
        found.push(ChangePoint { at: best.at, p });
        found.sort_by_key(|point| point.at);
    }
    found
}

/// Returns the ends of all parts, from 0 to the number of values.
fn ends(found: &[ChangePoint], count: usize) -> Vec<usize> {
    let inner = found.iter().map(|point| point.at);
    [0].into_iter().chain(inner).chain([count]).collect()
}

/// Returns the division with the largest distance of all parts.
fn best(values: &[f64], ends: &[usize]) -> Option<Division> {
    let divisions = ends.windows(2).filter_map(|part| {
        let found = divide(&values[part[0]..part[1]])?;
        Some(Division {
            at: part[0] + found.at,
            ..found
        })
    });
    divisions.max_by(|one, other| one.distance.total_cmp(&other.distance))
}

/// Returns the division of a part with the largest energy distance, weighted by the numbers of
/// values; `None` for too short a part, or one without any distance.
fn divide(values: &[f64]) -> Option<Division> {
    let distance = |a: usize, b: usize| (values[a] - values[b]).abs();
    let to_others = |at: usize, others: std::ops::Range<usize>| -> f64 {
        others.map(|other| distance(at, other)).sum()
    };
    let count = values.len();
    // Sums of the distances within the left and the right part, and between them.
    let (mut left, mut between) = (0.0, 0.0);
    let mut right: f64 = (0..count).map(|at| to_others(at, at + 1..count)).sum();
    let mut best: Option<Division> = None;
    for at in 0..count {
        // The value moves from the right part to the left one.
        let (to_left, to_right) = (to_others(at, 0..at), to_others(at, at + 1..count));
        left += to_left;
        right -= to_right;
        between += to_right - to_left;
        let (m, n) = (at + 1, count - at - 1);
        if m < LEAST || n < LEAST {
            continue;
        }
        let pairs = |count: usize| count as f64 * (count as f64 - 1.0) / 2.0;
        let (of_m, of_n) = (m as f64, n as f64);
        let energy = 2.0 * between / (of_m * of_n) - left / pairs(m) - right / pairs(n);
        let weighted = energy * of_m * of_n / (of_m + of_n);
        if weighted > best.map_or(0.0, |best| best.distance) {
            best = Some(Division {
                at: m,
                distance: weighted,
            });
        }
    }
    best
}

/// Puts values in a random order (Fisher and Yates).
fn shuffle(values: &mut [f64], coin: &mut impl Rng) {
    for last in (1..values.len()).rev() {
        let drawn = coin.next_u64() % (last as u64 + 1);
        values.swap(last, usize::try_from(drawn).unwrap_or(last));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEVEL: f64 = 0.01;

    /// Returns values around 0 with a standard deviation of 1, with heavier tails than a normal
    /// distribution: a sum of four uniform ones, and every twentieth value four times as far.
    fn noise(count: usize, seed: u64) -> Vec<f64> {
        let mut coin = ChaCha8Rng::seed_from_u64(seed);
        let mut uniform = || f64::from(coin.next_u32()) / f64::from(u32::MAX) - 0.5;
        let mut value = || {
            let sum = uniform() + uniform() + uniform() + uniform();
            let far = if uniform() > 0.45 { 4.0 } else { 1.0 };
            sum * 3.0_f64.sqrt() * far
        };
        (0..count).map(|_| value()).collect()
    }

    fn places(values: &[f64]) -> Vec<usize> {
        let found = change_points(values, LEVEL, 1);
        found.iter().map(|point| point.at).collect()
    }

    #[test]
    fn clear_steps_are_found_where_they_are() {
        let step = |at: usize| {
            let level = match at {
                0..10 => 0.0,
                10..25 => 10.0,
                _ => 4.0,
            };
            level + [0.0, 0.3, -0.2][at % 3]
        };
        let values: Vec<f64> = (0..40).map(step).collect();
        assert_eq!(places(&values), [10, 25]);
    }

    #[test]
    fn an_unchanged_series_and_one_outlier_have_no_change() {
        assert_eq!(places(&[]), [] as [usize; 0]);
        assert_eq!(places(&[1.0; 30]), [] as [usize; 0]);
        assert_eq!(places(&[1.0, 2.0, 9.0, 9.0, 9.0]), [] as [usize; 0]);
        let mut values = noise(30, 3);
        values[17] = 50.0;
        assert_eq!(places(&values), [] as [usize; 0]);
    }

    /// 200 series without a change: at most as many alarms as the level allows, with the
    /// uncertainty of the count.
    #[test]
    fn false_alarms_are_as_rare_as_stated() {
        let alarms = (0..200).filter(|seed| !places(&noise(24, 1000 + seed)).is_empty());
        // With a probability of 1 %, more than 6 of 200 have a probability of 0.4 %.
        let alarms = alarms.count();
        assert!(alarms <= 6, "{alarms}");
    }

    /// A step of two standard deviations, eight values before the end of the series.
    #[test]
    fn a_step_of_twice_the_noise_is_found() {
        let mut near = 0;
        for seed in 0..50 {
            let mut values = noise(30, 5000 + seed);
            for value in &mut values[22..] {
                *value += 3.0;
            }
            near += u32::from(places(&values).iter().any(|at| at.abs_diff(22) <= 2));
        }
        assert!(near >= 40, "{near}");
    }

    /// A drift is a change of level, which the division shows as one step or several.
    #[test]
    fn a_drift_has_change_points() {
        let drift: Vec<f64> = noise(40, 8)
            .iter()
            .enumerate()
            .map(|(at, value)| value + at as f64 * 0.2)
            .collect();
        assert!(!places(&drift).is_empty());
    }

    proptest! {
        #[test]
        fn parts_are_long_enough_and_neither_scale_nor_sign_matters(
            values in proptest::collection::vec(-9.0..9.0f64, 0..25),
            step in 0.0..40.0f64,
        ) {
            let half = values.len() / 2;
            let with_step = |(at, value): (usize, &f64)| if at < half { *value } else { value + step };
            let values: Vec<f64> = values.iter().enumerate().map(with_step).collect();
            let found = change_points(&values, 0.05, 7);
            let points: Vec<_> = found.iter().map(|point| point.at).collect();
            for part in ends(&found, values.len()).windows(2) {
                prop_assert!(points.is_empty() || part[1] - part[0] >= LEAST);
            }
            let scaled: Vec<f64> = values.iter().map(|value| value * -4.0).collect();
            let scaled: Vec<_> = change_points(&scaled, 0.05, 7).iter().map(|p| p.at).collect();
            prop_assert_eq!(points, scaled);
        }
    }
}
