//! Test for a slower program from differences between paired rounds.
//!
//! Wilcoxon's signed-rank test, exact, with the estimate and bounds that belong to
//! it. The estimate is the median of the means of all pairs of differences; the
//! bounds are the outermost of these means that the test does not reject (Hodges and
//! Lehmann, Estimates of Location Based on Rank Tests, 1963; Hollander, Wolfe and
//! Chicken, Nonparametric Statistical Methods, sections 3.1 to 3.3).
//!
//! The test assumes only that both signs of a difference are equally likely once the
//! true difference is subtracted. If a coin decided the order within each pair, this
//! holds by construction when there is no difference at all: any disturbance of the
//! machine would have hit the other program if the coin had fallen differently
//! (Fisher, The Design of Experiments, 1935). Drift, outliers and autocorrelated
//! rounds therefore reduce power and never raise the error rate above the promised
//! one. Ranks keep one outlier from deciding.

use super::order::quantile;

/// Differences, and the means of all pairs of them.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedRank {
    /// Means of all pairs of differences, a difference with itself included, sorted.
    means: Vec<f64>,
    /// Distribution of the test statistic: `below[w]` is the probability that at most
    /// `w` of the means lie on one side of the true difference.
    below: Vec<f64>,
}

impl SignedRank {
    /// Prepares the test for `differences`, at most some hundreds.
    pub fn of(differences: &[f64]) -> Self {
        let count = differences.len();
        let mut means = Vec::with_capacity(count * (count + 1) / 2);
        for (place, one) in differences.iter().enumerate() {
            means.extend(
                differences[place..]
                    .iter()
                    .map(|other| f64::midpoint(*one, *other)),
            );
        }
        means.sort_by(f64::total_cmp);
        Self {
            below: distribution(count),
            means,
        }
    }

    /// Returns the Hodges-Lehmann estimate of the difference: the median of the
    /// means; 0 without differences.
    pub fn estimate(&self) -> f64 {
        quantile(&self.means, 0.5)
    }

    /// Returns a lower bound of the difference: the true difference is below the
    /// bound with a probability of at most `error`. Negative infinity if there are
    /// too few differences.
    pub fn at_least(&self, error: f64) -> f64 {
        match self.cut(error) {
            Some(cut) => self.means[cut],
            None => f64::NEG_INFINITY,
        }
    }

    /// Returns an upper bound of the difference, like [`at_least`](Self::at_least);
    /// infinity if there are too few.
    pub fn at_most(&self, error: f64) -> f64 {
        match self.cut(error) {
            Some(cut) => self.means[self.means.len() - 1 - cut],
            None => f64::INFINITY,
        }
    }

    /// Returns the p-value of the one-sided test: the probability of differences so
    /// far above `difference` if that is the true one.
    pub fn p_above(&self, difference: f64) -> f64 {
        let not_above = self.means.partition_point(|mean| *mean <= difference);
        self.below.get(not_above).copied().unwrap_or(1.0)
    }

    /// Returns the number of means at one end that the test rejects together at this
    /// error.
    fn cut(&self, error: f64) -> Option<usize> {
        self.below
            .partition_point(|likely| *likely <= error)
            .checked_sub(1)
            .filter(|cut| *cut < self.means.len())
    }
}

/// Returns the cumulative distribution of the signed-rank sum of `count` differences
/// with random signs: at index `w`, the probability of a sum of at most `w`.
fn distribution(count: usize) -> Vec<f64> {
    let mut likely = vec![1.0];
    for rank in 1..=count {
        let mut with = vec![0.0; likely.len() + rank];
        for (sum, chance) in likely.iter().enumerate() {
            with[sum] += chance / 2.0;
            with[sum + rank] += chance / 2.0;
        }
        likely = with;
    }
    let mut sum = 0.0;
    for chance in &mut likely {
        sum += *chance;
        *chance = sum;
    }
    likely
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::noise::{Noise, Random};
    use proptest::prelude::*;

    #[test]
    fn the_distribution_is_that_of_the_tables() {
        // Hollander, Wolfe and Chicken, table A.4.
        let of = |count: usize, at_most: usize| distribution(count)[at_most];
        assert!((of(5, 0) - 0.03125).abs() < 1e-12);
        assert!((of(8, 3) - 0.0195).abs() < 5e-5);
        assert!((of(10, 8) - 0.0244).abs() < 5e-5);
        assert!((distribution(20).last().unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "halves are exact")]
    fn bounds_are_means_of_two() {
        let rank = SignedRank::of(&[1.0, 2.0, 4.0, 3.0, 5.0]);
        assert_eq!(rank.estimate(), 3.0);
        // With probability 1/32 all five have the same sign by chance.
        assert_eq!(rank.at_least(0.04), 1.0);
        assert_eq!(rank.at_most(0.04), 5.0);
        assert_eq!(rank.at_least(0.03), f64::NEG_INFINITY);
        assert_eq!(rank.at_most(0.03), f64::INFINITY);
        assert_eq!(rank.p_above(0.0), 1.0 / 32.0);
        assert_eq!(SignedRank::of(&[]).at_least(0.5), f64::NEG_INFINITY);
    }

    /// Returns paired differences between two equal programs, in random order, on a
    /// drifting machine.
    fn differences(run: u64, pairs: usize) -> Vec<f64> {
        let noise = Noise {
            resemblance: 0.6,
            outliers: 0.1,
            drift: 3.0,
        };
        let mut coin = Random::new(run ^ 0xC01);
        noise
            .series(run, 2 * pairs)
            .chunks(2)
            .map(|pair| {
                let difference = pair[1] - pair[0];
                if coin.unit() < 0.5 {
                    difference
                } else {
                    -difference
                }
            })
            .collect()
    }

    #[test]
    fn drift_outliers_and_likeness_raise_no_more_alarms_than_promised() {
        const RUNS: u64 = 2000;
        for pairs in [8, 16, 60] {
            let alarms = (0..RUNS)
                .filter(|run| SignedRank::of(&differences(*run, pairs)).at_least(0.05) > 0.0)
                .count();
            let share = alarms as f64 / RUNS as f64;
            // Three standard errors above 5 %.
            assert!(share < 0.065, "{pairs} pairs: {share}");
        }
    }

    proptest! {
        #[test]
        fn a_bound_above_a_value_and_a_small_p_are_the_same(
            values in prop::collection::vec(-9.0..9.0, 1..20),
            error in 0.001..0.4,
        ) {
            let rank = SignedRank::of(&values);
            prop_assert_eq!(rank.at_least(error) > 0.0, rank.p_above(0.0) <= error);
            prop_assert!(rank.at_least(error) <= rank.at_most(error));
            prop_assert!(rank.at_least(error) <= rank.estimate() + 1e-9);
        }

        #[test]
        fn negated_differences_have_negated_bounds(
            values in prop::collection::vec(-9.0..9.0, 6..20),
        ) {
            let turned: Vec<f64> = values.iter().map(|value| -value).collect();
            let (one, other) = (SignedRank::of(&values), SignedRank::of(&turned));
            prop_assert!((one.at_least(0.05) + other.at_most(0.05)).abs() < 1e-9);
            prop_assert!((one.estimate() + other.estimate()).abs() < 1e-9);
        }
    }
}
