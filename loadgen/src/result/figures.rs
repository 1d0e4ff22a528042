//! Computes the parts of a result from the measurements.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::{ErrorResult, Lag, LoadMode, LoadResult, OperationResult, PhaseResult, Totals};
use crate::drive::engine::{Measured, Shape};
use crate::record::operation::Operation;
use crate::record::recorder::{PhaseTally, Recorder};

impl Lag {
    /// Computes the percentiles of a histogram of nanoseconds.
    pub fn new(lags: &Histogram<u64>) -> Self {
        Self {
            p50_ns: lags.value_at_quantile(0.5),
            p99_ns: lags.value_at_quantile(0.99),
            max_ns: lags.max(),
        }
    }
}

impl OperationResult {
    /// Computes the figures of a histogram of nanoseconds.
    pub fn new(operation: Operation, histogram: &Histogram<u64>, errors: u64) -> Self {
        Self {
            operation,
            count: histogram.len(),
            errors,
            mean_ns: histogram.mean(),
            min_ns: histogram.min(),
            p50_ns: histogram.value_at_quantile(0.5),
            p90_ns: histogram.value_at_quantile(0.9),
            p95_ns: Some(histogram.value_at_quantile(0.95)),
            p99_ns: histogram.value_at_quantile(0.99),
            p999_ns: histogram.value_at_quantile(0.999),
            max_ns: histogram.max(),
        }
    }
}

/// Computes the figures of the given operations. Operations that many runs do not have are
/// left out without measurements.
pub fn operations(recorder: &Recorder, operations: &[Operation]) -> Vec<OperationResult> {
    let of = |operation: &Operation| {
        let errors = recorder.error_count(*operation);
        OperationResult::new(*operation, recorder.histogram(*operation), errors)
    };
    operations
        .iter()
        .map(of)
        .filter(|figures| {
            figures.count > 0 || figures.errors > 0 || !figures.operation.is_optional()
        })
        .collect()
}

/// Describes the offered load.
pub fn offered(shape: &Shape, measured: &Measured) -> LoadResult {
    let Shape::Open { schedule, .. } = shape else {
        return LoadResult {
            mode: LoadMode::Closed,
            offered_pods_per_s: None,
            started_pods_per_s: None,
            lag: None,
            max_in_flight: measured.most_in_flight,
        };
    };
    let tallies = measured.recorder.phases();
    let (mut offered, mut started) = (0, 0);
    for (number, _) in schedule
        .phases()
        .iter()
        .enumerate()
        .filter(|(_, p)| p.measured)
    {
        offered += schedule.pods_of(number);
        started += tallies.get(number).map_or(0, |tally| tally.started);
    }
    let seconds = schedule.measured_time().as_secs_f64();
    let lags = measured.recorder.lags();
    LoadResult {
        mode: LoadMode::Open,
        offered_pods_per_s: Some(offered as f64 / seconds),
        started_pods_per_s: Some(started as f64 / seconds),
        lag: Some(Lag::new(lags)),
        max_in_flight: measured.most_in_flight,
    }
}

/// Computes the results of the phases of an open loop.
pub fn phases(shape: &Shape, recorder: &Recorder) -> Vec<PhaseResult> {
    let Shape::Open { schedule, .. } = shape else {
        return Vec::new();
    };
    let none = PhaseTally::default();
    let phases = schedule.phases().iter().enumerate();
    phases
        .map(|(number, phase)| {
            let tally = recorder.phases().get(number).unwrap_or(&none);
            PhaseResult {
                name: phase.name.clone(),
                measured: phase.measured,
                start_s: schedule.start_of(number).as_secs_f64(),
                duration_s: phase.duration.as_secs_f64(),
                offered: schedule.pods_of(number),
                started: tally.started,
                pod: OperationResult::new(Operation::Pod, &tally.pod, 0),
            }
        })
        .collect()
}

/// Lists the failures, the most frequent class first.
pub fn errors(recorder: &Recorder) -> Vec<ErrorResult> {
    let mut errors: Vec<_> = recorder
        .errors()
        .iter()
        .map(|((operation, code, class), seen)| ErrorResult {
            operation: *operation,
            code: code.to_string(),
            class: class.clone(),
            example: seen.example.clone(),
            count: seen.count,
        })
        .collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.count));
    errors
}

/// Computes the sums of a run of this duration. Calls outside of the recorder are unknown.
pub fn totals(recorder: &Recorder, wall: Duration) -> Totals {
    let (pods, rpcs) = (recorder.histogram(Operation::Pod).len(), recorder.rpcs());
    let per_second = |number: u64| {
        if wall.is_zero() {
            0.0
        } else {
            number as f64 / wall.as_secs_f64()
        }
    };
    Totals {
        pods,
        pods_failed: recorder.failed(),
        pods_left_behind: recorder.left_behind(),
        rpcs,
        warm_up_rpcs: None,
        abandoned: None,
        errors: recorder.errors_in_all(),
        pods_per_s: per_second(pods),
        rpcs_per_s: per_second(rpcs),
    }
}
