//! Collects the seconds of a run while the threads deliver their measurements.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::record::tape::{Counters, INTERVAL, Listener, Part};
use crate::result::{self, Interval};

/// Creates an [`Interval`] for each second. Clones share the intervals.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    intervals: Arc<Mutex<Vec<Interval>>>,
}

/// Listener that adds the intervals to a timeline.
#[derive(Debug)]
pub struct Writer {
    timeline: Timeline,
    counters: Vec<Arc<Counters>>,
    operations: &'static [Operation],
    /// Number of pods that were begun in the intervals so far.
    begun: u64,
    /// Sum of the measured part and the warm-up; kept for its memory.
    both: Recorder,
}

impl Timeline {
    /// Returns a listener for a run with these counters of its threads. The intervals
    /// contain only the given operations.
    pub fn writer(&self, counters: &[Arc<Counters>], operations: &'static [Operation]) -> Writer {
        Writer {
            timeline: self.clone(),
            counters: counters.to_vec(),
            operations,
            begun: 0,
            both: Recorder::default(),
        }
    }

    /// Returns the intervals so far. `end` is the end of the run, at which the last
    /// interval is cut off.
    pub fn intervals(&self, end: Duration) -> Vec<Interval> {
        let mut intervals = self.lock().clone();
        if let Some(last) = intervals.last_mut() {
            last.duration_s = (end.as_secs_f64() - last.start_s).clamp(0.0, last.duration_s);
        }
        intervals
    }

    /// Returns the last `count` intervals so far.
    pub fn latest(&self, count: usize) -> Vec<Interval> {
        let intervals = self.lock();
        intervals[intervals.len().saturating_sub(count)..].to_vec()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Interval>> {
        // Each change adds a whole interval, so the list is consistent even after a
        // panic.
        self.intervals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Writer {
    fn interval(&mut self, number: u32, part: &Part) {
        self.both.clear();
        self.both.merge(&part.measured);
        self.both.merge(&part.warm_up);
        let both = &self.both;
        let mut operations = result::operations(both, self.operations);
        operations.retain(|operation| operation.count > 0);
        let begun = self
            .counters
            .iter()
            .map(|one| one.begun.load(Ordering::Relaxed));
        let begun: u64 = begun.sum();
        let before = std::mem::replace(&mut self.begun, begun);
        self.timeline.lock().push(Interval {
            start_s: (INTERVAL * number).as_secs_f64(),
            duration_s: INTERVAL.as_secs_f64(),
            begun: begun - before,
            pods: both.histogram(Operation::Pod).len(),
            rpcs: both.rpcs(),
            errors: both.errors_in_all(),
            in_flight: self.counters.iter().map(|one| one.in_flight()).sum(),
            operations,
        });
    }
}
