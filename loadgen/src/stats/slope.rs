//! Least-squares line through points, with a confidence interval of the slope.
//!
//! Measurements over time are autocorrelated, and the textbook interval is too narrow
//! for them: it counts sixty samples of one slow wave as sixty independent points.
//! [`Errors::InTime`] therefore uses the effective number of points, n(1-r)/(1+r)
//! with r the correlation of neighbouring residuals, in the standard error and in the
//! degrees of freedom (Santer and others, Statistical Significance of Trends and
//! Trend Differences, 2000). After fitting a line, r is underestimated by about
//! (2+4r)/n (Kendall, Note on Bias in the Estimation of Autocorrelation, 1954, with a
//! trend), so this is added, and also three quarters of the standard error of r,
//! √((1-r²)/n). The share of three quarters was chosen by simulation (the tests of
//! this module), so that the promised error rate holds for a dozen points as well.

use super::{Interval, student};

/// Dependence between the distances of the points from the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errors {
    /// Independent, as for separate runs.
    Independent,
    /// Correlated between neighbours, as for samples of one process over time.
    InTime,
}

/// Fitted line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// Increase of y per unit of x.
    pub slope: f64,
    /// Value of y at x = 0.
    pub intercept: f64,
    /// Confidence interval of the slope; without bounds if there are too few points.
    pub interval: Interval,
    /// Number of independent points with the same information.
    pub effective_points: f64,
}

impl Slope {
    /// Fits a line to points (x, y), in time order for [`Errors::InTime`]. Returns
    /// `None` without two different values of x.
    pub fn of(points: &[(f64, f64)], errors: Errors, confidence: f64) -> Option<Self> {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
        let squares: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
        if points.len() < 2 || squares <= 0.0 {
            return None;
        }
        let products: f64 = points
            .iter()
            .map(|(x, y)| (x - mean_x) * (y - mean_y))
            .sum();
        let slope = products / squares;
        let intercept = mean_y - slope * mean_x;
        let residuals: Vec<f64> = points
            .iter()
            .map(|(x, y)| y - intercept - slope * x)
            .collect();
        let effective_points = match errors {
            Errors::Independent => count,
            Errors::InTime => effective(&residuals),
        };
        let freedom = effective_points - 2.0;
        let rest: f64 = residuals.iter().map(|residual| residual.powi(2)).sum();
        // 0 · ∞ if all points lie on the line but are too few for a confidence
        // interval.
        let off = if freedom < 1.0 {
            f64::INFINITY
        } else {
            (rest / freedom / squares).sqrt() * student::t_quantile(confidence, freedom)
        };
        Some(Self {
            slope,
            intercept,
            interval: Interval {
                low: slope - off,
                high: slope + off,
            },
            effective_points,
        })
    }
}

/// Returns the effective number of independent points of residuals in time order.
fn effective(residuals: &[f64]) -> f64 {
    let count = residuals.len() as f64;
    let squares: f64 = residuals.iter().map(|residual| residual.powi(2)).sum();
    if squares <= 0.0 {
        return count;
    }
    let products: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let found = products / squares;
    let too_small = (2.0 + 4.0 * found) / count;
    let margin = 0.75 * ((1.0 - found.powi(2)).max(0.0) / count).sqrt();
    let likeness = (found + too_small + margin).clamp(0.0, 0.99);
    count * (1.0 - likeness) / (1.0 + likeness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::noise::Noise;
    use proptest::prelude::*;

    fn in_time(values: &[f64]) -> Vec<(f64, f64)> {
        let place = |(place, value): (usize, &f64)| (place as f64, *value);
        values.iter().enumerate().map(place).collect()
    }

    /// Returns the share of slopes of level noise with an interval that misses 0.
    fn false_slopes(resemblance: f64, count: usize, errors: Errors) -> f64 {
        const RUNS: u64 = 600;
        let noise = Noise {
            resemblance,
            outliers: 0.03,
            drift: 0.0,
        };
        let found = (0..RUNS).filter(|run| {
            let points = in_time(&noise.series(*run, count));
            let slope = Slope::of(&points, errors, 0.95).unwrap();
            !slope.interval.contains(0.0)
        });
        found.count() as f64 / RUNS as f64
    }

    #[test]
    fn independent_points_have_the_textbooks_interval() {
        for count in [8, 20, 60] {
            let share = false_slopes(0.0, count, Errors::Independent);
            assert!(share < 0.075, "{count}: {share}");
        }
    }

    #[test]
    fn a_slow_wave_is_no_slope() {
        for count in [8, 12, 30, 60] {
            for resemblance in [0.0, 0.3, 0.6] {
                let share = false_slopes(resemblance, count, Errors::InTime);
                assert!(share < 0.08, "{count} points, {resemblance}: {share}");
            }
        }
        // The textbook interval fails on the same data.
        assert!(false_slopes(0.6, 60, Errors::Independent) > 0.2);
    }

    #[test]
    fn a_slope_in_a_slow_wave_is_found() {
        let noise = Noise {
            resemblance: 0.5,
            outliers: 0.03,
            drift: 8.0,
        };
        let found = (0..100).filter(|run| {
            let points = in_time(&noise.series(*run, 60));
            Slope::of(&points, Errors::InTime, 0.95)
                .unwrap()
                .interval
                .low
                > 0.0
        });
        assert!(found.count() > 95);
    }

    #[test]
    fn points_of_one_place_have_no_slope() {
        assert_eq!(Slope::of(&[], Errors::Independent, 0.95), None);
        let points = [(1.0, 2.0), (1.0, 3.0)];
        assert_eq!(Slope::of(&points, Errors::Independent, 0.95), None);
    }

    #[test]
    fn two_points_have_a_slope_and_no_certainty() {
        let slope = Slope::of(&[(0.0, 1.0), (2.0, 5.0)], Errors::Independent, 0.95).unwrap();
        assert!((slope.slope - 2.0).abs() < 1e-12 && (slope.intercept - 1.0).abs() < 1e-12);
        assert!(slope.interval.low.is_infinite());
    }

    proptest! {
        #[test]
        fn a_line_is_found_again(slope in -9.0..9.0_f64, intercept in -9.0..9.0_f64, count in 4_usize..40) {
            let points: Vec<_> = (0..count)
                .map(|place| (place as f64, intercept + slope * place as f64))
                .collect();
            let found = Slope::of(&points, Errors::Independent, 0.95).unwrap();
            prop_assert!((found.slope - slope).abs() < 1e-9);
            prop_assert!((found.intercept - intercept).abs() < 1e-8);
            prop_assert!(found.interval.high - found.interval.low < 1e-6);
        }
    }
}
