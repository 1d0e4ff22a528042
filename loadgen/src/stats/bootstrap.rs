//! Confidence intervals from resampling: the spread that a statistic has if other
//! rounds are drawn.
//!
//! - Paired rounds are drawn as pairs, so that a disturbance of both cancels.
//! - Autocorrelated values are drawn in blocks of neighbours, on a circle (Politis
//!   and Romano, A Circular Block-Resampling Procedure, 1992). The block length grows
//!   with the cube root of the number of values (Hall, Horowitz and Jing, On Blocking
//!   Rules for the Bootstrap, 1995).
//! - The interval extends to both sides of the estimate by the quantile of Student's
//!   t for the number b of blocks, in standard errors. The standard error is that of
//!   the resampled statistic, times √(b/(b-1)) (Hesterberg, What Teachers Should Know
//!   About the Bootstrap, 2015, on "narrowness bias"). Percentiles of the resampled
//!   statistic were tried as well: for 8 to 15 autocorrelated values their 95 %
//!   intervals miss in 10 to 15 % of cases, these intervals in 2 to 7 %.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Interval, student};

/// Parameters of a resampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Seed of the random numbers.
    pub seed: u64,
    /// Number of resamples; each has as many values as the sample.
    pub resamples: usize,
    /// Number of neighbours drawn together.
    pub block: usize,
}

impl Bootstrap {
    /// Returns parameters for independent values.
    pub fn single(seed: u64) -> Self {
        Self {
            seed,
            resamples: 10_000,
            block: 1,
        }
    }

    /// Returns parameters for `count` values in time order.
    pub fn in_blocks(seed: u64, count: usize) -> Self {
        // The smallest block whose cube is not below the number.
        let block = (1..count).find(|side| side.pow(3) >= count).unwrap_or(1);
        Self {
            seed,
            // Gives the standard error to within some 3 %.
            resamples: 500,
            block,
        }
    }

    /// Returns one list of places per resample: `count` places from 0 to `count - 1`,
    /// drawn in blocks with replacement.
    pub fn draws(self, count: usize) -> impl Iterator<Item = Vec<usize>> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut draw = move || {
            let wide = u128::from(random.next_u64()) * count as u128;
            // Below `count`: the product of a number below 2^64 and `count`, shifted.
            usize::try_from(wide >> 64).unwrap_or_default()
        };
        let block = self.block.clamp(1, count.max(1));
        (0..self.resamples).map(move |_| {
            let mut places = Vec::with_capacity(count + block);
            while places.len() < count {
                let first = draw();
                places.extend((first..first + block).map(|place| place % count));
            }
            places.truncate(count);
            places
        })
    }

    /// Returns the statistic of each resample.
    pub fn values<T: Copy, S>(self, samples: &[T], mut statistic: impl FnMut(&[T]) -> S) -> Vec<S> {
        self.draws(samples.len())
            .map(|places| {
                let drawn: Vec<T> = places.into_iter().map(|place| samples[place]).collect();
                statistic(&drawn)
            })
            .collect()
    }

    /// Returns the confidence interval about the `estimate` of a statistic of `count`
    /// samples; `drawn` contains the statistic of each resample. The bounds are
    /// infinite if there are too few blocks.
    pub fn interval(self, estimate: f64, drawn: &[f64], count: usize, confidence: f64) -> Interval {
        let blocks = count as f64 / self.block.max(1) as f64;
        let squares: f64 = drawn.iter().map(|value| (value - estimate).powi(2)).sum();
        let error = (squares / drawn.len() as f64).sqrt();
        // A statistic without variation needs no factor; the factor may be infinite.
        let off = if error > 0.0 {
            let narrow = (blocks / (blocks - 1.0)).sqrt();
            error * narrow * student::t_quantile(confidence, blocks - 1.0)
        } else {
            error
        };
        let off = if off.is_nan() { f64::INFINITY } else { off };
        Interval {
            low: estimate - off,
            high: estimate + off,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::noise::Noise;
    use crate::stats::order::{mean, median};
    use proptest::prelude::*;

    /// Returns the share of intervals of a statistic of noise that miss the true
    /// value.
    fn misses(noise: &Noise, count: usize, statistic: fn(&[f64]) -> f64) -> f64 {
        const RUNS: u64 = 200;
        let missed = (0..RUNS).filter(|run| {
            let values = noise.series(*run, count);
            let bootstrap = Bootstrap {
                resamples: 200,
                ..Bootstrap::in_blocks(*run, count)
            };
            let drawn = bootstrap.values(&values, statistic);
            let estimate = statistic(&values);
            !bootstrap
                .interval(estimate, &drawn, count, 0.95)
                .contains(0.0)
        });
        missed.count() as f64 / RUNS as f64
    }

    #[test]
    fn intervals_of_few_autocorrelated_values_rarely_miss() {
        for count in [8, 15, 30, 60] {
            let noise = Noise {
                resemblance: 0.3,
                outliers: 0.05,
                drift: 0.0,
            };
            let of_mean = misses(&noise, count, mean);
            let of_median = misses(&noise, count, |values| median(values.to_vec()));
            // Three standard errors above 5 %.
            assert!(of_mean < 0.10, "mean of {count}: {of_mean}");
            assert!(of_median < 0.10, "median of {count}: {of_median}");
        }
    }

    #[test]
    fn a_single_value_has_an_interval_of_no_width() {
        let bootstrap = Bootstrap::single(1);
        let drawn = bootstrap.values(&[7.0], mean);
        let interval = bootstrap.interval(7.0, &drawn, 1, 0.95);
        assert!(interval.contains(7.0) && interval.high - interval.low < 1e-9);
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(Bootstrap::single(1).draws(0).next().unwrap(), [0; 0]);
    }

    proptest! {
        #[test]
        fn neighbours_stay_together(seed: u64, count in 1_usize..40, block in 1_usize..10) {
            let bootstrap = Bootstrap { seed, resamples: 3, block };
            for places in bootstrap.draws(count) {
                prop_assert_eq!(places.len(), count);
                for drawn in places.chunks(block.min(count)) {
                    for pair in drawn.windows(2) {
                        prop_assert_eq!(pair[1], (pair[0] + 1) % count);
                    }
                }
            }
        }

        #[test]
        fn the_same_seed_draws_the_same(seed: u64, count in 1_usize..40) {
            let of = |seed| Bootstrap::in_blocks(seed, count).draws(count).nth(3);
            prop_assert_eq!(of(seed), of(seed));
        }
    }
}
