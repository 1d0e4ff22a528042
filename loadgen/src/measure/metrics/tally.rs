//! Counts the events of a run for its metrics.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use containerd_sandbox::server::{BOUNDS_NS, BUCKETS};
use hdrhistogram::Histogram;

use crate::drive::engine::{Load, Shape};
use crate::record::failure::FailureCode;
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::record::tape::{Counters, INTERVAL, Part};
use crate::workload::schedule::Schedule;

/// Counts of a run.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Number of pods of the load.
    pub(super) planned: u64,
    /// Number of pods that were due, and number of pods that were begun, in the last
    /// complete second. Both are `None` before its end; the first one is also `None` in a
    /// closed loop.
    pub(super) offered: Option<u64>,
    pub(super) achieved: Option<u64>,
    /// Outcomes of each operation, by [`Operation::ALL`].
    pub(super) operations: Vec<Outcomes>,
    /// Times from the intended start of pods until they were begun, in an open loop.
    pub(super) lag: Durations,
    counters: Vec<Arc<Counters>>,
    schedule: Option<Arc<Schedule>>,
}

/// Outcomes of the calls of one operation.
#[derive(Debug, Clone, Default)]
pub(super) struct Outcomes {
    /// Durations of the successful calls.
    pub(super) succeeded: Durations,
    /// Number of failed calls by code.
    pub(super) failed: BTreeMap<FailureCode, u64>,
}

/// Durations by the buckets of [`BOUNDS_NS`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Durations {
    /// Number of durations in each bucket alone.
    pub(super) buckets: [u64; BUCKETS],
    /// Sum of the durations, with the precision of the histograms.
    pub(super) sum: Duration,
}

impl Durations {
    fn add(&mut self, histogram: &Histogram<u64>) {
        for value in histogram.iter_recorded() {
            let (ns, count) = (value.value_iterated_to(), value.count_at_value());
            // The iterator returns the highest of the values that share a place in the
            // histogram.
            let ns = histogram.lowest_equivalent(ns);
            let bucket = BOUNDS_NS.partition_point(|bound| *bound < ns);
            self.buckets[bucket] += count;
            self.sum += Duration::from_nanos(ns.saturating_mul(count));
        }
    }

    /// Returns the number of durations.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

impl Tally {
    /// Begins the counts of a load.
    pub(super) fn new(load: &Load, counters: &[Arc<Counters>]) -> Self {
        Self {
            planned: load.pods(),
            counters: counters.to_vec(),
            operations: vec![Outcomes::default(); Operation::ALL.len()],
            schedule: match &load.shape {
                Shape::Closed(_) => None,
                Shape::Open { schedule, .. } => Some(Arc::clone(schedule)),
            },
            ..Self::default()
        }
    }

    /// Adds a complete second, also one of a warm-up.
    pub(super) fn add(&mut self, number: u32, part: &Part) {
        self.offered = self.schedule.as_ref().map(|schedule| due(schedule, number));
        self.achieved = Some(part.begun.len() as u64);
        for recorder in [&part.measured, &part.warm_up] {
            self.merge(recorder);
        }
    }

    fn merge(&mut self, recorder: &Recorder) {
        for (outcomes, operation) in self.operations.iter_mut().zip(Operation::ALL) {
            outcomes.succeeded.add(recorder.histogram(operation));
        }
        for ((operation, code, _), class) in recorder.errors() {
            if let Some(outcomes) = self.operations.get_mut(*operation as usize) {
                *outcomes.failed.entry(*code).or_default() += class.count;
            }
        }
        self.lag.add(recorder.lags());
    }

    /// Returns the number of pods that were begun so far.
    pub(super) fn begun(&self) -> u64 {
        let begun = |counters: &Arc<Counters>| counters.begun.load(Ordering::Relaxed);
        self.counters.iter().map(begun).sum()
    }

    /// Returns the number of pods that have ended so far, with success or without.
    pub(super) fn ended(&self) -> u64 {
        let ended = |counters: &Arc<Counters>| counters.pods.load(Ordering::Relaxed);
        self.counters.iter().map(ended).sum()
    }

    /// Returns the number of pods in progress.
    pub(super) fn in_flight(&self) -> u64 {
        self.counters
            .iter()
            .map(|counters| counters.in_flight())
            .sum()
    }
}

/// Returns the number of pods that are due in an interval.
fn due(schedule: &Schedule, number: u32) -> u64 {
    let arrivals = schedule.arrivals();
    let before = |at: Duration| arrivals.partition_point(|arrival| arrival.at < at) as u64;
    before(INTERVAL * number.saturating_add(1)) - before(INTERVAL * number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::failure::Failure;

    #[test]
    fn due_pods_are_counted_by_the_second() {
        let arrivals = [0, 999, 1000, 2500].map(Duration::from_millis);
        let schedule = Schedule::of(&arrivals);
        let seconds: Vec<u64> = (0..4).map(|number| due(&schedule, number)).collect();
        assert_eq!(seconds, [2, 1, 1, 0]);
    }

    #[test]
    fn calls_are_counted_by_kind_and_code_and_warm_ups_with_them() {
        let mut tally = Tally {
            operations: vec![Outcomes::default(); Operation::ALL.len()],
            ..Tally::default()
        };
        let mut part = Part::default();
        let took = Duration::from_micros(70);
        part.measured.success(Operation::TaskStart, took);
        part.warm_up.success(Operation::TaskStart, took);
        part.measured
            .failure(&Failure::wrong(Operation::TaskState, "no"));
        part.measured.lag(Duration::from_secs(60));
        tally.add(0, &part);
        tally.add(1, &part);
        let started = &tally.operations[Operation::TaskStart as usize];
        let bucket = BOUNDS_NS
            .iter()
            .position(|bound| *bound == 100_000)
            .unwrap();
        assert_eq!(started.succeeded.buckets[bucket], 4);
        assert_eq!(started.succeeded.count(), 4);
        let off = started.succeeded.sum.abs_diff(took * 4);
        assert!(off < took / 100, "{off:?}");
        let state = &tally.operations[Operation::TaskState as usize];
        assert_eq!(state.failed[&FailureCode::WrongAnswer], 2);
        assert_eq!(tally.lag.buckets[BUCKETS - 1], 2);
        assert_eq!((tally.offered, tally.achieved), (None, Some(0)));
    }
}
