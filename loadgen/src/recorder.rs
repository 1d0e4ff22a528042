//! What one thread measures, and how the threads' measurements become one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::failure::{Failure, FailureCode};
use crate::operation::Operation;

/// The range of the histograms, in nanoseconds: up to an hour.
const HIGHEST_NS: u64 = 3_600_000_000_000;

/// The significant decimal digits that the histograms keep.
const DIGITS: u8 = 3;

/// How many classes of errors are told apart; the rest are counted together.
const MAX_CLASSES: usize = 500;

/// The class of errors beyond [`MAX_CLASSES`].
const OTHER: &str = "(other messages)";

/// What a reporter may look at while the load runs.
#[derive(Debug, Default)]
pub struct Counters {
    /// Pods that came to their end, well or not.
    pub pods: AtomicU64,
    /// RPCs that were answered as the plan wants.
    pub rpcs: AtomicU64,
    /// Calls that were not.
    pub errors: AtomicU64,
}

/// Failures that are one and the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorClass {
    /// How many there were.
    pub count: u64,
    /// The first one's message.
    pub example: String,
}

/// What groups failures: the call, the code, and the message without ids and numbers.
pub type ErrorKey = (Operation, FailureCode, String);

/// The measurements of one thread; nothing in it is shared but the counters.
#[derive(Debug)]
pub struct Recorder {
    histograms: Vec<Histogram<u64>>,
    errors: BTreeMap<ErrorKey, ErrorClass>,
    left_behind: u64,
    uncompared: u64,
    counters: Arc<Counters>,
}

impl Recorder {
    /// Nothing measured yet; `counters` are kept up to date for a reporter.
    ///
    /// # Panics
    /// Never: the histograms' bounds are constants within what the crate allows.
    pub fn new(counters: Arc<Counters>) -> Self {
        // Each one anew: a copy would touch memory that most of them never need.
        let empty = |_| {
            Histogram::new_with_bounds(1, HIGHEST_NS, DIGITS)
                .expect("1 < an hour, and 3 digits are at most 5")
        };
        Self {
            histograms: Operation::ALL.into_iter().map(empty).collect(),
            errors: BTreeMap::new(),
            left_behind: 0,
            uncompared: 0,
            counters,
        }
    }

    /// A call that was answered as the plan wants.
    pub fn success(&mut self, operation: Operation, took: Duration) {
        let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.histograms[operation as usize].saturating_record(nanoseconds.max(1));
        if operation.is_rpc() {
            self.counters.rpcs.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A call that was not.
    pub fn failure(&mut self, failure: &Failure) {
        self.counters.errors.fetch_add(1, Ordering::Relaxed);
        let class = ErrorClass {
            count: 1,
            example: failure.message.clone(),
        };
        self.add((failure.operation, failure.code, failure.class()), class);
    }

    /// A pod that came to its end.
    pub fn pod_ended(&mut self) {
        self.counters.pods.fetch_add(1, Ordering::Relaxed);
    }

    /// A pod that could not be removed after a failure.
    pub fn pod_left_behind(&mut self) {
        self.left_behind += 1;
    }

    /// A status that did not say what its pod asks for, and need not.
    pub fn uncompared(&mut self) {
        self.uncompared += 1;
    }

    /// Takes in what another thread measured.
    ///
    /// # Panics
    /// Never: all recorders' histograms have the same bounds.
    pub fn merge(&mut self, other: Self) {
        let used = other.histograms.iter().enumerate();
        for (place, theirs) in used.filter(|(_, theirs)| !theirs.is_empty()) {
            self.histograms[place]
                .add(theirs)
                .expect("every recorder's histograms have the same bounds");
        }
        for (key, class) in other.errors {
            self.add(key, class);
        }
        self.left_behind += other.left_behind;
        self.uncompared += other.uncompared;
    }

    /// The successes of one operation, in nanoseconds.
    pub fn histogram(&self, operation: Operation) -> &Histogram<u64> {
        &self.histograms[operation as usize]
    }

    /// The failures, grouped.
    pub fn errors(&self) -> &BTreeMap<ErrorKey, ErrorClass> {
        &self.errors
    }

    /// How many failures one operation had.
    pub fn error_count(&self, operation: Operation) -> u64 {
        self.errors
            .iter()
            .filter(|((of, ..), _)| *of == operation)
            .map(|(_, class)| class.count)
            .sum()
    }

    /// How many pods could not be removed after a failure.
    pub fn left_behind(&self) -> u64 {
        self.left_behind
    }

    /// How many statuses did not say what their pods ask for, and need not.
    pub fn uncompared_statuses(&self) -> u64 {
        self.uncompared
    }

    fn add(&mut self, mut key: ErrorKey, class: ErrorClass) {
        if self.errors.len() >= MAX_CLASSES && !self.errors.contains_key(&key) {
            OTHER.clone_into(&mut key.2);
        }
        self.errors
            .entry(key)
            .and_modify(|known| known.count += class.count)
            .or_insert(class);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> Recorder {
        Recorder::new(Arc::default())
    }

    #[test]
    fn a_merge_adds_up_counts_and_errors() {
        let (mut a, mut b) = (recorder(), recorder());
        a.success(Operation::TaskKill, Duration::from_micros(100));
        b.success(Operation::TaskKill, Duration::from_micros(300));
        a.failure(&Failure::wrong(Operation::TaskWait, "pid 1"));
        b.failure(&Failure::wrong(Operation::TaskWait, "pid 2"));
        b.failure(&Failure::wrong(Operation::TaskState, "pid 2"));
        b.pod_left_behind();
        a.merge(b);
        assert_eq!(a.histogram(Operation::TaskKill).len(), 2);
        assert_eq!(a.histogram(Operation::TaskKill).min(), 99_968);
        assert_eq!(a.error_count(Operation::TaskWait), 2);
        assert_eq!(a.error_count(Operation::TaskKill), 0);
        assert_eq!(a.errors().len(), 2);
        let (key, class) = a.errors().last_key_value().unwrap();
        assert_eq!((&*key.2, &*class.example), ("pid #", "pid 1"));
        assert_eq!(a.left_behind(), 1);
    }

    #[test]
    fn a_failure_never_gets_into_a_histogram() {
        let mut recorder = recorder();
        recorder.failure(&Failure::wrong(Operation::Pod, "x"));
        assert!(recorder.histogram(Operation::Pod).is_empty());
    }

    #[test]
    fn a_time_out_of_range_is_kept_at_the_bound() {
        let mut recorder = recorder();
        recorder.success(Operation::Pod, Duration::ZERO);
        recorder.success(Operation::Pod, Duration::from_secs(7200));
        let histogram = recorder.histogram(Operation::Pod);
        assert_eq!((histogram.len(), histogram.min()), (2, 1));
        assert!(histogram.max() >= HIGHEST_NS);
    }

    #[test]
    fn only_rpcs_count_as_rpcs() {
        let counters = Arc::new(Counters::default());
        let mut recorder = Recorder::new(Arc::clone(&counters));
        recorder.success(Operation::Pod, Duration::from_millis(1));
        recorder.success(Operation::TaskStart, Duration::from_millis(1));
        assert_eq!(counters.rpcs.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn endless_kinds_of_errors_are_counted_together() {
        let mut recorder = recorder();
        for n in 0..MAX_CLASSES + 20 {
            let word: String = n.to_string().bytes().map(|b| (b + 50) as char).collect();
            recorder.failure(&Failure::wrong(Operation::Pod, &word));
        }
        assert_eq!(recorder.errors().len(), MAX_CLASSES + 1);
        let total = recorder.error_count(Operation::Pod);
        assert_eq!(total, MAX_CLASSES as u64 + 20);
    }
}
