//! Measurements, and the sum of several sets of measurements.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::record::failure::{Failure, FailureCode};
use crate::record::operation::Operation;

/// Lowest discernible value of the histograms, in nanoseconds.
pub const LOWEST_NS: u64 = 1;

/// Highest value of the histograms, in nanoseconds: one hour. Larger values are recorded
/// as this one.
pub const HIGHEST_NS: u64 = 3_600_000_000_000;

/// Number of significant decimal digits that the histograms keep.
pub const DIGITS: u8 = 3;

/// Maximum number of separate classes of errors. Further classes are counted together.
const MAX_CLASSES: usize = 500;

/// Class of the errors beyond [`MAX_CLASSES`].
const OTHER: &str = "(other messages)";

/// Count and example of equal failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorClass {
    /// Number of failures.
    pub count: u64,
    /// Message of the first failure.
    pub example: String,
}

/// Key by which failures are grouped: operation, code, and message without ids and
/// numbers.
pub type ErrorKey = (Operation, FailureCode, String);

/// Latencies, failures, and the accuracy with which the load was generated.
#[derive(Debug)]
pub struct Recorder {
    latencies: ByOperation,
    /// Times on the wire.
    wire: ByOperation,
    /// Latencies from the real start on.
    without_lag: ByOperation,
    errors: BTreeMap<ErrorKey, ErrorClass>,
    /// Times from the intended start of a pod until it was begun.
    lag: Histogram<u64>,
    phases: Vec<PhaseTally>,
    failed: u64,
    left_behind: u64,
    uncompared: u64,
}

/// Measurements of the pods of one phase of an open loop.
#[derive(Debug, Clone)]
pub struct PhaseTally {
    /// Number of pods that were begun before the end of the phase.
    pub started: u64,
    /// Latencies of the pods from their intended starts, in nanoseconds.
    pub pod: Histogram<u64>,
}

/// A histogram of nanoseconds for each operation. A histogram takes some 100 KiB, and a load
/// has few of the operations, so that each is created for its first value.
#[derive(Debug)]
struct ByOperation(Vec<Option<Histogram<u64>>>);

impl Default for ByOperation {
    fn default() -> Self {
        Self(vec![None; Operation::ALL.len()])
    }
}

impl ByOperation {
    fn of(&self, operation: Operation) -> &Histogram<u64> {
        static EMPTY: LazyLock<Histogram<u64>> = LazyLock::new(histogram);
        self.0[operation as usize].as_ref().unwrap_or(&EMPTY)
    }

    fn record(&mut self, operation: Operation, took: Duration) {
        self.0[operation as usize]
            .get_or_insert_with(histogram)
            .saturating_record(nanoseconds(took));
    }

    fn add(&mut self, other: &Self) {
        for (ours, theirs) in self.0.iter_mut().zip(&other.0) {
            if let Some(theirs) = theirs {
                add(ours.get_or_insert_with(histogram), theirs);
            }
        }
    }

    /// Removes all values, but keeps the memory.
    fn clear(&mut self) {
        let used = self.0.iter_mut().flatten();
        used.filter(|histogram| !histogram.is_empty())
            .for_each(Histogram::reset);
    }
}

/// Creates an empty histogram of nanoseconds, with the bounds that all histograms have.
///
/// # Panics
/// Never: the bounds are constants that the crate accepts.
pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(LOWEST_NS, HIGHEST_NS, DIGITS)
        .expect("1 < an hour, and 3 digits are at most 5")
}

fn nanoseconds(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1)
}

impl Default for PhaseTally {
    fn default() -> Self {
        Self {
            started: 0,
            pod: histogram(),
        }
    }
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            latencies: ByOperation::default(),
            wire: ByOperation::default(),
            without_lag: ByOperation::default(),
            errors: BTreeMap::new(),
            lag: histogram(),
            phases: Vec::new(),
            failed: 0,
            left_behind: 0,
            uncompared: 0,
        }
    }
}

impl Recorder {
    /// Records a successful operation.
    pub fn success(&mut self, operation: Operation, took: Duration) {
        self.latencies.record(operation, took);
    }

    /// Records the part of a successful operation that was spent on the wire and in the
    /// server.
    pub fn wire(&mut self, operation: Operation, took: Duration) {
        self.wire.record(operation, took);
    }

    /// Records the latency of a successful operation without the lag of its pod.
    pub fn without_lag(&mut self, operation: Operation, took: Duration) {
        self.without_lag.record(operation, took);
    }

    /// Records a failure.
    pub fn failure(&mut self, failure: &Failure) {
        let class = ErrorClass {
            count: 1,
            example: failure.message.clone(),
        };
        self.add((failure.operation, failure.code, failure.class()), class);
    }

    /// Records the time between the intended start of a pod and its actual one.
    pub fn lag(&mut self, late: Duration) {
        self.lag.saturating_record(nanoseconds(late));
    }

    /// Returns the measurements of the pods of a phase.
    pub fn phase(&mut self, phase: usize) -> &mut PhaseTally {
        if self.phases.len() <= phase {
            self.phases.resize_with(phase + 1, PhaseTally::default);
        }
        &mut self.phases[phase]
    }

    /// Records a successful pod of a phase.
    pub fn pod_of_phase(&mut self, phase: usize, took: Duration) {
        self.phase(phase).pod.saturating_record(nanoseconds(took));
    }

    /// Counts a pod that failed.
    pub fn pod_failed(&mut self) {
        self.failed += 1;
    }

    /// Counts a pod that could not be removed after a failure.
    pub fn pod_left_behind(&mut self) {
        self.left_behind += 1;
    }

    /// Counts a status that omits the resources that its pod requests, where it may omit
    /// them.
    pub fn uncompared(&mut self) {
        self.uncompared += 1;
    }

    /// Adds the measurements of another recorder.
    ///
    /// # Panics
    /// Never: the histograms of all recorders have the same bounds.
    pub fn merge(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        self.wire.add(&other.wire);
        self.without_lag.add(&other.without_lag);
        for (key, class) in &other.errors {
            self.add(key.clone(), class.clone());
        }
        add(&mut self.lag, &other.lag);
        for (number, theirs) in other.phases.iter().enumerate() {
            let ours = self.phase(number);
            ours.started += theirs.started;
            add(&mut ours.pod, &theirs.pod);
        }
        self.failed += other.failed;
        self.left_behind += other.left_behind;
        self.uncompared += other.uncompared;
    }

    /// Removes all measurements, but keeps the allocated memory.
    pub fn clear(&mut self) {
        self.latencies.clear();
        self.wire.clear();
        self.without_lag.clear();
        self.lag.reset();
        self.errors.clear();
        self.phases.clear();
        self.failed = 0;
        self.left_behind = 0;
        self.uncompared = 0;
    }

    /// Returns the times between the intended and the actual starts of pods, in
    /// nanoseconds.
    pub fn lags(&self) -> &Histogram<u64> {
        &self.lag
    }

    /// Returns the measurements of the phases. Phases without pods may be absent at the
    /// end.
    pub fn phases(&self) -> &[PhaseTally] {
        &self.phases
    }

    /// Returns the latencies of the successful calls of an operation, in nanoseconds.
    pub fn histogram(&self, operation: Operation) -> &Histogram<u64> {
        self.latencies.of(operation)
    }

    /// Returns the times of the successful calls of an operation on the wire, in
    /// nanoseconds; of pods, the latencies without the generator's queue.
    pub fn wire_times(&self, operation: Operation) -> &Histogram<u64> {
        self.wire.of(operation)
    }

    /// Returns the latencies of an operation without the lag of its pods, in nanoseconds.
    /// Only operations of an open loop that count from the intended start have them.
    pub fn latencies_without_lag(&self) -> impl Iterator<Item = (Operation, &Histogram<u64>)> {
        let all = Operation::ALL.into_iter();
        let all = all.map(|operation| (operation, self.without_lag.of(operation)));
        all.filter(|(_, histogram)| !histogram.is_empty())
    }

    /// Returns the failures in groups.
    pub fn errors(&self) -> &BTreeMap<ErrorKey, ErrorClass> {
        &self.errors
    }

    /// Returns the number of failures of an operation.
    pub fn error_count(&self, operation: Operation) -> u64 {
        self.errors
            .iter()
            .filter(|((of, ..), _)| *of == operation)
            .map(|(_, class)| class.count)
            .sum()
    }

    /// Returns the number of failed pods.
    pub fn failed(&self) -> u64 {
        self.failed
    }

    /// Returns the number of pods that could not be removed after a failure.
    pub fn left_behind(&self) -> u64 {
        self.left_behind
    }

    /// Returns the number of statuses that omitted the resources of their pods, where
    /// they may.
    pub fn uncompared_statuses(&self) -> u64 {
        self.uncompared
    }

    /// Returns the number of all failures.
    pub fn errors_in_all(&self) -> u64 {
        self.errors.values().map(|class| class.count).sum()
    }

    /// Returns the number of successful RPCs.
    pub fn rpcs(&self) -> u64 {
        let rpcs = Operation::ALL
            .into_iter()
            .filter(|operation| operation.is_rpc());
        rpcs.map(|operation| self.histogram(operation).len()).sum()
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

fn add(ours: &mut Histogram<u64>, theirs: &Histogram<u64>) {
    // An addition iterates over all counts of both histograms.
    if !theirs.is_empty() {
        ours.add(theirs)
            .expect("every recorder's histograms have the same bounds");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorder() -> Recorder {
        Recorder::default()
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
        a.merge(&b);
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
        let mut recorder = recorder();
        recorder.success(Operation::Pod, Duration::from_millis(1));
        recorder.success(Operation::TaskStart, Duration::from_millis(1));
        assert_eq!(recorder.rpcs(), 1);
    }

    #[test]
    fn a_cleared_recorder_is_like_a_new_one() {
        let mut recorder = recorder();
        recorder.success(Operation::Pod, Duration::from_millis(1));
        recorder.lag(Duration::from_micros(5));
        recorder.wire(Operation::Pod, Duration::from_micros(5));
        recorder.without_lag(Operation::Pod, Duration::from_micros(5));
        recorder.failure(&Failure::wrong(Operation::Pod, "x"));
        recorder.pod_of_phase(1, Duration::from_millis(3));
        recorder.pod_left_behind();
        recorder.clear();
        assert!(recorder.histogram(Operation::Pod).is_empty() && recorder.lags().is_empty());
        assert!(recorder.wire_times(Operation::Pod).is_empty());
        assert!(
            recorder
                .latencies_without_lag()
                .all(|(_, times)| times.is_empty())
        );
        assert!(recorder.errors().is_empty() && recorder.phases().is_empty());
        assert_eq!(recorder.left_behind(), 0);
    }

    #[test]
    fn phases_are_merged_each_with_its_like() {
        let (mut a, mut b) = (recorder(), recorder());
        a.phase(0).started = 2;
        b.phase(1).started = 3;
        b.pod_of_phase(1, Duration::from_millis(3));
        a.merge(&b);
        let started: Vec<u64> = a.phases().iter().map(|phase| phase.started).collect();
        assert_eq!(started, [2, 3]);
        assert_eq!(a.phases()[1].pod.len(), 1);
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
