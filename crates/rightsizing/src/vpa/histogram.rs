//! Histograms in which a sample loses half of its weight in a half-life.
//!
//! Order and kind of every operation are those of `histogram` and `decayingHistogram` in
//! `pkg/recommender/util`, as the results have to agree to the last bit. That includes their
//! treatment of buckets outside of the first and the last one that weigh at least [`EPSILON`]:
//! a change of the reference time does not scale their weights.

use std::collections::BTreeMap;

use super::buckets::Buckets;
use super::float::{exp2, scale, truncate};
use super::moment::Moment;

/// Weight below which a bucket is empty (`epsilon` in `model/aggregations_config.go`).
const EPSILON: f64 = 0.0001;
/// Half-lives between the reference time and a sample above which the reference time moves
/// (`maxDecayExponent` in `util/decaying_histogram.go`).
const LARGEST_EXPONENT: i128 = 100;
/// Weight of the heaviest bucket of a checkpoint (`MaxCheckpointWeight` in `util/histogram.go`).
const CHECKPOINT_WEIGHT: f64 = 10_000.0;

/// Histogram whose samples lose half of their weight in a half-life.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Histogram {
    buckets: Buckets,
    half_life: i64,
    weights: Box<[f64]>,
    total: f64,
    first: usize,
    last: usize,
    reference: Moment,
}

/// Contents of a histogram, as VPA saves them (`HistogramCheckpoint`).
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Time relative to which samples are weighted: a multiple of the half-life since the year 1.
    pub reference: Moment,
    /// Weights of the buckets that are not empty, of which the heaviest is 10,000.
    pub bucket_weights: BTreeMap<usize, u32>,
    /// Sum of the weights of all samples.
    pub total_weight: f64,
}

impl Histogram {
    /// Returns an empty histogram with a half-life in nanoseconds.
    pub(crate) fn new(buckets: Buckets, half_life: i64) -> Self {
        Self {
            buckets,
            half_life,
            weights: vec![0.0; buckets.count()].into(),
            total: 0.0,
            first: buckets.count() - 1,
            last: 0,
            reference: Moment::ZERO,
        }
    }

    /// Adds a sample.
    pub(crate) fn add(&mut self, value: f64, weight: f64, time: Moment) {
        let weight = weight * self.decay(time);
        let bucket = self.buckets.of(value);
        self.weights[bucket] += weight;
        self.total += weight;
        if self.weights[bucket] >= EPSILON {
            self.first = self.first.min(bucket);
            self.last = self.last.max(bucket);
        }
    }

    /// Removes a sample that was added before.
    pub(crate) fn remove(&mut self, value: f64, weight: f64, time: Moment) {
        let weight = weight * self.decay(time);
        let bucket = self.buckets.of(value);
        self.total = difference(self.total, weight);
        self.weights[bucket] = difference(self.weights[bucket], weight);
        self.skip_empty();
    }

    /// Returns the upper bound of the bucket in which a part of the weight is reached, 0 if the
    /// histogram is empty.
    pub(crate) fn percentile(&self, part: f64) -> f64 {
        if self.is_empty() {
            return 0.0;
        }
        let threshold = part * self.total;
        let mut sum = 0.0;
        let mut bucket = self.first;
        while bucket < self.last {
            sum += self.weights[bucket];
            if sum >= threshold {
                break;
            }
            bucket += 1;
        }
        self.buckets
            .start((bucket + 1).min(self.buckets.count() - 1))
    }

    /// Returns whether no bucket has weight.
    pub(crate) fn is_empty(&self) -> bool {
        self.weights[self.first] < EPSILON
    }

    /// Returns the contents as VPA saves them.
    pub(crate) fn checkpoint(&self) -> Checkpoint {
        let weights = || (self.first..=self.last).map(|bucket| (bucket, self.weights[bucket]));
        let heaviest = weights().fold(
            0.0,
            |heaviest, (_, weight)| {
                if weight > heaviest { weight } else { heaviest }
            },
        );
        let ratio = CHECKPOINT_WEIGHT / heaviest;
        let whole = |weight: f64| u32::try_from(truncate((weight * ratio + 0.5).floor()));
        Checkpoint {
            reference: self.reference,
            bucket_weights: weights()
                .map(|(bucket, weight)| (bucket, whole(weight).unwrap_or(0)))
                .filter(|(_, weight)| *weight > 0)
                .collect(),
            total_weight: self.total,
        }
    }

    /// Returns the factor of the weight of a sample at a time, after moving the reference time
    /// if it is too far away.
    fn decay(&mut self, time: Moment) -> f64 {
        let allowed = self
            .reference
            .plus(i128::from(self.half_life) * LARGEST_EXPONENT);
        if time > allowed {
            self.move_reference(time);
        }
        exp2(time.since(self.reference) as f64 / self.half_life as f64)
    }

    fn move_reference(&mut self, to: Moment) {
        let to = to.round(self.half_life);
        let exponent = self.reference.since(to) as f64 / self.half_life as f64;
        let factor = scale(1.0, truncate((exponent + 0.5).floor()));
        if self.first <= self.last {
            for weight in &mut self.weights[self.first..=self.last] {
                *weight *= factor;
            }
        }
        self.total *= factor;
        self.skip_empty();
        self.reference = to;
    }

    fn skip_empty(&mut self) {
        while self.weights[self.first] < EPSILON && self.first < self.buckets.count() - 1 {
            self.first += 1;
        }
        while self.weights[self.last] < EPSILON && self.last > 0 {
            self.last -= 1;
        }
    }
}

/// Returns a difference, 0 if it is next to nothing (`safeSubtract`).
fn difference(value: f64, less: f64) -> f64 {
    let value = value - less;
    if value < EPSILON { 0.0 } else { value }
}
