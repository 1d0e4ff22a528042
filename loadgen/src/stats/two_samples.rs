//! Difference between two groups of runs, with its confidence interval.
//!
//! The estimate is that of Hodges and Lehmann (Estimates of Location Based on Rank Tests,
//! 1963): the median of the differences of all pairs, which one disturbed run hardly moves.
//! The interval extends from it by Welch's standard error and Student's t (Welch, The
//! Generalization of "Student's" Problem When Several Different Population Variances Are
//! Involved, 1947). A disturbed run widens the interval, so heavy tails make it miss less
//! often than promised; a test counts this.

use super::order::{mean, quantile};
use super::{Interval, student};

/// Values of a figure in the runs of two groups; logarithms turn ratios into differences.
#[derive(Debug, Clone, PartialEq)]
pub struct TwoSamples {
    a: Vec<f64>,
    b: Vec<f64>,
}

impl TwoSamples {
    /// Takes the values of both groups.
    pub fn of(mut a: Vec<f64>, mut b: Vec<f64>) -> Self {
        // Sums then have the same rounding errors in each order of the runs.
        a.sort_by(f64::total_cmp);
        b.sort_by(f64::total_cmp);
        Self { a, b }
    }

    /// Returns the estimate of B less A; 0 if a group is empty.
    pub fn difference(&self) -> f64 {
        let mut pairs: Vec<f64> = self
            .a
            .iter()
            .flat_map(|a| self.b.iter().map(move |b| b - a))
            .collect();
        pairs.sort_by(f64::total_cmp);
        quantile(&pairs, 0.5)
    }

    /// Returns the confidence interval of the difference; infinite unless each group has two
    /// runs.
    pub fn interval(&self, confidence: f64) -> Interval {
        let (a, b) = (Spread::of(&self.a), Spread::of(&self.b));
        let (of_a, of_b) = (a.of_mean(), b.of_mean());
        let variance = of_a + of_b;
        let freedom = if variance > 0.0 {
            variance.powi(2) / (of_a.powi(2) / a.freedom() + of_b.powi(2) / b.freedom())
        } else {
            a.freedom() + b.freedom()
        };
        self.within(variance.sqrt(), freedom, confidence)
    }

    /// Returns the prediction interval of the difference from a known standard deviation
    /// between runs, which was estimated with so many degrees of freedom: with one run in each
    /// group, the difference has the variance 2 s².
    pub fn predicted(&self, deviation: f64, freedom: f64, confidence: f64) -> Interval {
        let share = |runs: &[f64]| 1.0 / runs.len() as f64;
        let error = deviation * (share(&self.a) + share(&self.b)).sqrt();
        self.within(error, freedom, confidence)
    }

    /// Returns the standard deviation of the runs about the mean of their group; `None`
    /// without two runs in a group.
    pub fn deviation(&self) -> Option<f64> {
        let (a, b) = (Spread::of(&self.a), Spread::of(&self.b));
        let freedom = a.freedom() + b.freedom();
        (freedom > 0.0).then(|| ((a.squares + b.squares) / freedom).sqrt())
    }

    fn within(&self, error: f64, freedom: f64, confidence: f64) -> Interval {
        let off = error * student::t_quantile(confidence, freedom);
        // Zero times infinity: runs without spread, too few to know.
        let off = if off.is_nan() { f64::INFINITY } else { off };
        Interval {
            low: self.difference() - off,
            high: self.difference() + off,
        }
    }
}

/// Returns the standard deviation of some values; 0 with fewer than two.
pub fn deviation(values: &[f64]) -> f64 {
    let spread = Spread::of(values);
    if spread.freedom() > 0.0 {
        (spread.squares / spread.freedom()).sqrt()
    } else {
        0.0
    }
}

/// Number of runs, and the sum of squares about their mean.
struct Spread {
    runs: f64,
    squares: f64,
}

impl Spread {
    fn of(values: &[f64]) -> Self {
        let middle = mean(values);
        Self {
            runs: values.len() as f64,
            squares: values.iter().map(|value| (value - middle).powi(2)).sum(),
        }
    }

    fn freedom(&self) -> f64 {
        (self.runs - 1.0).max(0.0)
    }

    /// Returns the variance of the mean; not a number with one run.
    fn of_mean(&self) -> f64 {
        self.squares / self.freedom() / self.runs
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::noise::Noise;

    #[test]
    fn the_interval_is_welchs() {
        // Both groups have a variance of 2.5 and five runs: 8 degrees of freedom.
        let samples = TwoSamples::of(
            vec![1.0, 2.0, 3.0, 4.0, 5.0],
            vec![12.0, 11.0, 13.0, 15.0, 14.0],
        );
        assert!((samples.difference() - 10.0).abs() < 1e-12);
        let interval = samples.interval(0.95);
        assert!((interval.high - 10.0 - 2.306).abs() < 0.001, "{interval:?}");
        assert!((interval.low - 10.0 + 2.306).abs() < 0.001, "{interval:?}");
        assert!((samples.deviation().unwrap() - 2.5_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_prediction_of_two_runs_has_twice_the_variance() {
        let samples = TwoSamples::of(vec![1.0], vec![1.5]);
        let interval = samples.predicted(0.1, 7.0, 0.95);
        let off = 0.1 * 2.0_f64.sqrt() * 2.365;
        assert!((interval.high - 0.5 - off).abs() < 1e-3, "{interval:?}");
        assert_eq!(samples.deviation(), None);
        assert!(samples.interval(0.95).high.is_infinite());
    }

    #[test]
    fn one_disturbed_run_hardly_moves_the_difference() {
        let samples = TwoSamples::of(vec![0.0, 0.01, 0.02, 0.03, 0.9], vec![0.01; 5]);
        assert!(samples.difference().abs() < 0.02, "{samples:?}");
    }

    #[test]
    fn intervals_of_few_runs_with_outliers_rarely_miss() {
        const COMPARISONS: u64 = 1000;
        let noise = Noise {
            resemblance: 0.0,
            outliers: 0.05,
            drift: 0.0,
        };
        for runs in [2, 3, 5, 10] {
            let missed = (0..COMPARISONS).filter(|seed| {
                let all = noise.series(*seed, 2 * runs);
                let samples = TwoSamples::of(all[..runs].to_vec(), all[runs..].to_vec());
                !samples.interval(0.95).contains(0.0)
            });
            let share = missed.count() as f64 / COMPARISONS as f64;
            // 5 %, plus two standard errors.
            assert!(share <= 0.064, "{runs} runs: {share}");
        }
    }

    proptest! {
        #[test]
        fn an_exchange_of_the_groups_negates_difference_and_interval(
            a in prop::collection::vec(-9.0..9.0_f64, 1..9),
            b in prop::collection::vec(-9.0..9.0_f64, 1..9),
        ) {
            let (there, back) = (TwoSamples::of(a.clone(), b.clone()), TwoSamples::of(b, a));
            prop_assert!((there.difference() + back.difference()).abs() < 1e-9);
            let (one, other) = (there.interval(0.95), back.interval(0.95));
            let close = |a: f64, b: f64| a.to_bits() == b.to_bits() || (a - b).abs() < 1e-9;
            prop_assert!(close(one.low, -other.high) && close(one.high, -other.low));
            prop_assert!(one.contains(there.difference()));
        }

        #[test]
        fn the_order_of_the_runs_is_irrelevant(
            a in prop::collection::vec(-9.0..9.0_f64, 1..9),
            b in prop::collection::vec(-9.0..9.0_f64, 1..9),
        ) {
            let (mut turned, mut also) = (a.clone(), b.clone());
            turned.reverse();
            also.reverse();
            let (one, other) = (TwoSamples::of(a, b), TwoSamples::of(turned, also));
            prop_assert_eq!(one.difference().to_bits(), other.difference().to_bits());
            prop_assert_eq!(one.interval(0.95).low.to_bits(), other.interval(0.95).low.to_bits());
        }
    }
}
