//! Noise as measurements have it, for tests.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// How values vary about 0, with a standard deviation of 1 but for outliers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    /// The correlation of neighbours, from 0 to 1.
    pub(crate) resemblance: f64,
    /// The share of values that something disturbs, upwards and downwards alike.
    pub(crate) outliers: f64,
    /// How far the level moves over a whole series.
    pub(crate) drift: f64,
}

/// How much farther than others outliers lie from the middle.
const OUTLIER: f64 = 5.0;

impl Noise {
    /// So many values.
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

/// Random numbers of a seed.
#[derive(Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// From 0 to 1.
    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / f64::from(u32::MAX)
    }

    /// Normally distributed: the sum of twelve.
    pub(crate) fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
