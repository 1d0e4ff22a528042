//! Autocorrelated noise with outliers and drift, for tests of the statistics.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Variation about 0, with a standard deviation of 1 apart from outliers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    /// Correlation of neighbouring values, from 0 to 1.
    pub(crate) resemblance: f64,
    /// Share of values that are outliers, in both directions.
    pub(crate) outliers: f64,
    /// Rise of the level over a whole series.
    pub(crate) drift: f64,
}

/// Factor by which an outlier lies farther from the level than other values.
const OUTLIER: f64 = 5.0;

impl Noise {
    /// Returns `count` values.
    pub(crate) fn series(&self, seed: u64, count: usize) -> Vec<f64> {
        let mut random = Random::new(seed);
        let own = (1.0 - self.resemblance.powi(2)).sqrt();
        let mut last = random.normal();
        let values = (0..count).map(|place| {
            last = self.resemblance * last + own * random.normal();
            let far = if random.unit() < self.outliers {
                OUTLIER
            } else {
                1.0
            };
            last * far + self.drift * place as f64 / count as f64
        });
        values.collect()
    }
}

/// Seeded random numbers.
#[derive(Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Returns a number from 0 to 1, uniformly distributed.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    /// Returns a normally distributed number: the sum of twelve uniform ones, less 6.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
