//! Samples of a container: how long each holds, gaps, and several series in one order of time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use inventory::{Sample, Timestamp};

/// Time for which the only sample of a series holds, in nanoseconds.
const ALONE: i64 = 60_000_000_000;
/// Usual distances between samples above which a distance is a gap.
const GAP: i64 = 3;

/// Samples of one container of one pod, in the order of their times.
#[derive(Debug, Clone, Copy)]
pub struct Series<'a> {
    samples: &'a [Sample],
    step: i64,
}

/// Sample, with the pod that it is from and the time for which it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Number of the series.
    pub pod: usize,
    /// Sample.
    pub sample: Sample,
    /// Time for which the sample holds, in nanoseconds.
    pub nanos: i64,
}

/// Gaps of series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gaps {
    /// Number.
    pub count: u64,
    /// Time without a sample, in nanoseconds.
    pub nanos: i64,
}

impl<'a> Series<'a> {
    /// Returns a series; its usual step is the median of the distances between its samples.
    pub fn new(samples: &'a [Sample]) -> Self {
        let mut steps: Vec<_> = distances(samples).filter(|step| *step > 0).collect();
        let step = match steps.len() {
            0 => ALONE,
            count => *steps.select_nth_unstable(count / 2).1,
        };
        Self { samples, step }
    }

    /// Returns the samples.
    pub fn samples(self) -> &'a [Sample] {
        self.samples
    }

    /// Returns the gaps: distances above three usual steps, less one step for which the sample
    /// before still holds.
    pub fn gaps(self) -> Gaps {
        let gaps = distances(self.samples).filter(|distance| self.is_gap(*distance));
        gaps.fold(Gaps::default(), |gaps, distance| Gaps {
            count: gaps.count + 1,
            nanos: gaps.nanos.saturating_add(distance - self.step),
        })
    }

    /// Returns the time for which a sample holds: until the next one, and one usual step before
    /// a gap and at the end.
    fn held(self, index: usize) -> i64 {
        let Some(next) = self.samples.get(index + 1) else {
            return self.step;
        };
        let distance = distance(self.samples[index].time, next.time);
        if self.is_gap(distance) {
            self.step
        } else {
            distance
        }
    }

    fn is_gap(self, distance: i64) -> bool {
        distance > self.step.saturating_mul(GAP)
    }
}

fn distances(samples: &[Sample]) -> impl Iterator<Item = i64> {
    samples
        .windows(2)
        .map(|pair| distance(pair[0].time, pair[1].time))
}

fn distance(from: Timestamp, to: Timestamp) -> i64 {
    to.0.saturating_sub(from.0).max(0)
}

/// Returns the samples of several series in the order of their times; of samples at one time
/// that of the series with the smaller number is first.
pub fn merged<'a>(series: &'a [Series<'a>]) -> impl Iterator<Item = Held> + 'a {
    let first = |(pod, series): (usize, &Series<'_>)| {
        let sample = series.samples.first()?;
        Some(Reverse((sample.time, pod, 0)))
    };
    let mut next: BinaryHeap<_> = series.iter().enumerate().filter_map(first).collect();
    std::iter::from_fn(move || {
        let Reverse((_, pod, index)) = next.pop()?;
        let samples = series[pod].samples;
        if let Some(following) = samples.get(index + 1) {
            next.push(Reverse((following.time, pod, index + 1)));
        }
        Some(Held {
            pod,
            sample: samples[index],
            nanos: series[pod].held(index),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(minutes: &[i64]) -> Vec<Sample> {
        let sample = |minute: &i64| Sample {
            time: Timestamp::from_seconds(minute * 60),
            cpu_nanocores: Some(*minute),
            memory_bytes: None,
            oom_killed: false,
        };
        minutes.iter().map(sample).collect()
    }

    #[test]
    fn a_sample_holds_until_the_next_and_one_step_before_a_gap() {
        let samples = samples(&[0, 1, 2, 4, 60, 61]);
        let series = [Series::new(&samples)];
        let held: Vec<_> = merged(&series).map(|held| held.nanos / ALONE).collect();
        assert_eq!(held, [1, 1, 2, 1, 1, 1]);
        let gaps = series[0].gaps();
        assert_eq!((gaps.count, gaps.nanos / ALONE), (1, 55));
    }

    #[test]
    fn several_series_come_in_the_order_of_time() {
        let (one, two) = (samples(&[0, 2, 4]), samples(&[1, 2, 3]));
        let series = [Series::new(&one), Series::new(&two)];
        let order: Vec<_> = merged(&series)
            .map(|held| (held.sample.cpu_nanocores.unwrap(), held.pod))
            .collect();
        assert_eq!(order, [(0, 0), (1, 1), (2, 0), (2, 1), (3, 1), (4, 0)]);
    }

    #[test]
    fn absurd_times_make_no_panic() {
        let mut all = samples(&[0, 1]);
        all[0].time = Timestamp(i64::MIN);
        all[1].time = Timestamp(i64::MAX);
        let series = Series::new(&all);
        assert_eq!(series.gaps().count, 0);
        assert_eq!(merged(&[series]).count(), 2);
    }
}
