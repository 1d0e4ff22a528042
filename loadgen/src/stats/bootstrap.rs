//! How far a statistic would be off if other rounds had been drawn.
//!
//! - Rounds that are paired are drawn as pairs, so that what moves both does not
//!   count.
//! - Neighbours that resemble each other are drawn in blocks of neighbours, on a
//!   circle (Politis and Romano, A Circular Block-Resampling Procedure, 1992), of
//!   a length that grows with the cube root of their number (Hall, Horowitz and
//!   Jing, On Blocking Rules for the Bootstrap, 1995).
//! - The interval reaches as many standard errors to both sides of the estimate as
//!   Student's t for that many blocks says, the standard error being that of what was
//!   drawn, times √(b/(b-1)) for b blocks (Hesterberg, What Teachers Should Know About
//!   the Bootstrap, 2015, on "narrowness bias"). Percentiles of what was drawn were
//!   tried, too: of 8 to 15 values that resemble their neighbours their 95 % intervals
//!   miss in 10 to 15 %, these in 2 to 7 %.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::{Interval, student};

/// How values are drawn anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bootstrap {
    /// Where everything random comes from.
    pub seed: u64,
    /// How often as many as there are are drawn.
    pub resamples: usize,
    /// How many neighbours are drawn together.
    pub block: usize,
}

impl Bootstrap {
    /// For values that do not depend on their neighbours.
    pub fn single(seed: u64) -> Self {
        Self {
            seed,
            resamples: 10_000,
            block: 1,
        }
    }

    /// For `count` values in the order of time.
    pub fn in_blocks(seed: u64, count: usize) -> Self {
        // The smallest block whose cube is not below the number.
        let block = (1..count).find(|side| side.pow(3) >= count).unwrap_or(1);
        Self {
            seed,
            // A standard error to within some 3 %.
            resamples: 500,
            block,
        }
    }

    /// The places of `count` values, drawn with replacement, as many as there are,
    /// again and again.
    pub fn draws(self, count: usize) -> impl Iterator<Item = Vec<usize>> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        let mut draw = move || {
            let wide = u128::from(random.next_u64()) * count as u128;
            // Below `count`, as a random number below 2^64 was multiplied with it.
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

    /// A statistic of samples that were drawn, again and again.
    pub fn values<T: Copy, S>(self, samples: &[T], mut statistic: impl FnMut(&[T]) -> S) -> Vec<S> {
        self.draws(samples.len())
            .map(|places| {
                let drawn: Vec<T> = places.into_iter().map(|place| samples[place]).collect();
                statistic(&drawn)
            })
            .collect()
    }

    /// The interval about the `estimate` of a statistic of `count` samples, from
    /// what it was of those that were drawn; without bounds if there is too little
    /// to say.
    pub fn interval(self, estimate: f64, drawn: &[f64], count: usize, confidence: f64) -> Interval {
        let blocks = count as f64 / self.block.max(1) as f64;
        let squares: f64 = drawn.iter().map(|value| (value - estimate).powi(2)).sum();
        let error = (squares / drawn.len() as f64).sqrt();
        // Nothing that varies needs no factor, which may be infinite.
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

    /// How often the interval of a statistic of noise does not hold its true value.
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
    fn of_few_values_that_resemble_their_neighbours_few_intervals_miss() {
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
    fn one_value_says_what_it_is() {
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
