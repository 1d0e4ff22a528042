//! Judges the thresholds of a search against the measurements at one rate.
//!
//! A threshold is met or missed only if neither the lag of the generator nor the number of
//! pods could have changed that; otherwise its outcome is unknown.
//!
//! - Number of pods: a percentile is judged if its confidence interval lies on one side of the
//!   limit; see [`crate::stats::binomial`]. The pods are taken as independent, although
//!   neighbours in time resemble each other. A mean, a maximum, a rate and a number of errors
//!   are compared as measured.
//! - Lag: it can only have made latencies larger and rates lower. So a figure on the right side
//!   is met however late the generator was, and a figure on the wrong side is missed if it
//!   would be there without the lag as well, or if the lag is negligible.

use std::fmt;

use hdrhistogram::Histogram;

use super::figures::operations;
use super::slo::{Comparison, Outcome, Slo, Statistic, Unit};
use super::{LoadResult, OperationResult, validity};
use crate::record::operation::Operation;
use crate::record::recorder::Recorder;
use crate::stats::binomial::{self, Side};

/// Outcome of a threshold, or of all thresholds of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// The threshold is met.
    Met,
    /// The threshold is missed.
    Missed,
    /// The measurement does not tell.
    Unknown(Cause),
}

/// Reason for which an outcome is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Without the lag of the generator the threshold might have been met.
    Late,
    /// The confidence interval of the percentile contains the limit.
    TooFewPods {
        /// Number of pods at which a measurement with the same shares would tell; `None` if
        /// it is impractically large.
        needed: Option<u64>,
    },
}

/// Measurements at a rate: those of one run, or the sum of several.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// Latencies and lags.
    pub recorder: &'a Recorder,
    /// Operations of the target.
    pub operations: &'static [Operation],
    /// Time of the measurement, in seconds.
    pub wall_s: f64,
    /// Offered load.
    pub load: &'a LoadResult,
    /// Time over which the load was offered in one run, in seconds.
    pub offered_s: f64,
}

/// A threshold with its outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Comparison of the measured value with the limit.
    pub outcome: Outcome,
    /// Judgement about it.
    pub judgement: Judgement,
}

/// Outcomes of all thresholds at a rate.
#[derive(Debug, Clone, PartialEq)]
pub struct RateJudgement {
    /// Thresholds, in their order.
    pub thresholds: Vec<Judged>,
    /// Whether the server let the generator start the pods that were offered.
    pub starts: Judgement,
    /// Whether the rate would be met if every figure were exact.
    pub appears_met: bool,
}

impl RateJudgement {
    /// Judges all thresholds.
    pub fn of(slos: &[Slo], evidence: &Evidence<'_>) -> Self {
        let figures = operations(evidence.recorder, evidence.operations);
        let judge = |slo: &Slo| {
            let outcome = slo.check_figures(&figures, evidence.wall_s);
            Judged {
                outcome,
                judgement: judge(&outcome, &figures, evidence),
            }
        };
        let thresholds: Vec<_> = slos.iter().map(judge).collect();
        Self {
            starts: starts(evidence),
            appears_met: !validity::too_few(evidence.load)
                && thresholds.iter().all(|judged| judged.outcome.met),
            thresholds,
        }
    }

    /// Returns the outcome of the rate: missed if any threshold is, met if all are.
    pub fn judgement(&self) -> Judgement {
        let all = || {
            let thresholds = self.thresholds.iter().map(|judged| judged.judgement);
            thresholds.chain([self.starts])
        };
        let unknown = |judgement: &Judgement| matches!(judgement, Judgement::Unknown(_));
        if all().any(|judgement| judgement == Judgement::Missed) {
            Judgement::Missed
        } else {
            all().find(unknown).unwrap_or(Judgement::Met)
        }
    }
}

impl fmt::Display for Judged {
    /// Formats one line: `unknown: pod.p99 is 18.2ms, to be below 20.0ms (too few pods)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.judgement {
            Judgement::Met | Judgement::Missed => self.outcome.fmt(f),
            Judgement::Unknown(cause) => {
                let cause = match cause {
                    Cause::Late => "the generator was late",
                    Cause::TooFewPods { .. } => "too few pods",
                };
                write!(f, "unknown: {} ({cause})", self.outcome.finding())
            }
        }
    }
}

/// Judges whether the server let the pods start. Pods that are due before the end of the load
/// less the largest lag were reached in time by the generator, so only the others may be
/// missing because of it.
fn starts(evidence: &Evidence<'_>) -> Judgement {
    if !validity::too_few(evidence.load) {
        return Judgement::Met;
    }
    let late_s = evidence.load.lag.map_or(0.0, |lag| lag.max_ns as f64 / 1e9);
    let offered = evidence.load.offered_pods_per_s.unwrap_or_default();
    let without_lag = LoadResult {
        started_pods_per_s: evidence
            .load
            .started_pods_per_s
            .map(|started| started + offered * late_s / evidence.offered_s),
        ..evidence.load.clone()
    };
    if validity::too_few(&without_lag) {
        Judgement::Missed
    } else {
        Judgement::Unknown(Cause::Late)
    }
}

fn judge(outcome: &Outcome, figures: &[OperationResult], evidence: &Evidence<'_>) -> Judgement {
    let Slo {
        operation,
        statistic,
        comparison,
        limit,
    } = outcome.slo;
    let lag = evidence.load.lag;
    // Without a measurement a threshold is not met.
    if outcome.found.is_none() {
        return Judgement::Missed;
    }
    if let Some(quantile) = statistic.quantile() {
        return judge_quantile(outcome.slo, quantile, evidence);
    }
    // Whether the lag works against the threshold.
    let against = match statistic.unit() {
        Unit::Nanoseconds => comparison.is_upper(),
        Unit::PerSecond => !comparison.is_upper(),
        Unit::Number | Unit::Percent => return plain(outcome.met),
    };
    if outcome.met == against {
        return plain(outcome.met);
    }
    let lags = evidence.recorder.lags();
    let found = outcome.found.unwrap_or_default();
    let figure = |operation| figures.iter().find(|figure| figure.operation == operation);
    let service = service_of(operation).filter(|_| comparison.is_upper());
    let value = |of: fn(&OperationResult) -> f64| service.and_then(figure).map(of);
    let without_lag = match statistic {
        Statistic::Mean => value(|f| f.mean_ns).unwrap_or(0.0).max(found - lags.mean()),
        Statistic::Max => value(|f| f.max_ns as f64)
            .unwrap_or(0.0)
            .max(found - lags.max() as f64),
        Statistic::Rate => {
            let late_s = lag.map_or(0.0, |lag| lag.max_ns as f64 / 1e9);
            found * evidence.wall_s / (evidence.wall_s - late_s).max(f64::MIN_POSITIVE)
        }
        _ => found,
    };
    let negligible = match statistic.unit() {
        Unit::Nanoseconds => !validity::too_late(evidence.load, limit),
        _ => lag.is_none(),
    };
    if negligible || comparison.holds(without_lag, limit) == outcome.met {
        plain(outcome.met)
    } else {
        Judgement::Unknown(Cause::Late)
    }
}

fn plain(met: bool) -> Judgement {
    if met {
        Judgement::Met
    } else {
        Judgement::Missed
    }
}

/// Returns the same operation as measured from the first request, without the lag.
fn service_of(operation: Operation) -> Option<Operation> {
    match operation {
        Operation::Pod => Some(Operation::PodService),
        Operation::PodStart => Some(Operation::PodStartService),
        _ => None,
    }
}

fn judge_quantile(slo: Slo, quantile: f64, evidence: &Evidence<'_>) -> Judgement {
    let recorder = evidence.recorder;
    let latencies = recorder.histogram(slo.operation);
    let upper = slo.comparison.is_upper();
    // Share of values on the wrong side that the threshold allows.
    let allowed = if upper { 1.0 - quantile } else { quantile };
    let wrong = beyond(latencies, slo.comparison, slo.limit);
    let side = binomial::side(wrong, latencies.len(), allowed);
    let negligible = !validity::too_late(evidence.load, slo.limit);
    match (side, upper) {
        (Side::Below, true) | (Side::Above, false) => plain(side == Side::Below),
        (Side::Below, false) if negligible => Judgement::Met,
        (Side::Above, true) if negligible || is_missed_without_lag(slo, allowed, recorder) => {
            Judgement::Missed
        }
        (Side::Undecided, _) if negligible => Judgement::Unknown(Cause::TooFewPods {
            needed: binomial::needed(wrong, latencies.len(), allowed),
        }),
        _ => Judgement::Unknown(Cause::Late),
    }
}

/// Returns whether an upper limit is missed by the part of the latencies that is not lag.
///
/// If a latency is beyond the limit by more than `g`, it is beyond the limit without a lag of
/// up to `g` as well. So for any `g`, at least as many values are beyond the limit without the
/// lag as are beyond the limit by more than `g`, less the lags above `g`.
fn is_missed_without_lag(slo: Slo, allowed: f64, recorder: &Recorder) -> bool {
    let misses = |wrong: u64, of: u64| binomial::side(wrong, of, allowed) == Side::Above;
    if let Some(service) = service_of(slo.operation) {
        let service = recorder.histogram(service);
        if misses(beyond(service, slo.comparison, slo.limit), service.len()) {
            return true;
        }
    }
    let (latencies, lags) = (recorder.histogram(slo.operation), recorder.lags());
    if latencies.is_empty() || lags.is_empty() {
        return false;
    }
    let latencies = values(latencies);
    let of: u64 = latencies.iter().map(|(_, count)| count).sum();
    let share = of as f64 / lags.len() as f64;
    let mut above = lags.len();
    let mut most = 0;
    for lag in lags.iter_recorded() {
        above = above.saturating_sub(lag.count_since_last_iteration());
        let lag_ns = lags.highest_equivalent(lag.value_iterated_to());
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a number of lags, scaled to the number of latencies"
        )]
        let excused = (above as f64 * share).ceil() as u64;
        let wrong = wrong_of(&latencies, slo.comparison, slo.limit + lag_ns as f64);
        most = most.max(wrong.saturating_sub(excused));
    }
    misses(most, of)
}

/// Returns the number of values that are not in the required relation to a limit.
fn beyond(histogram: &Histogram<u64>, comparison: Comparison, limit: f64) -> u64 {
    wrong_of(&values(histogram), comparison, limit)
}

/// Returns the values of a histogram with their counts. Like a percentile, each value is the
/// highest that the histogram does not tell from it.
fn values(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    let recorded = histogram.iter_recorded();
    recorded
        .map(|value| {
            let highest = histogram.highest_equivalent(value.value_iterated_to());
            (highest, value.count_since_last_iteration())
        })
        .collect()
}

fn wrong_of(values: &[(u64, u64)], comparison: Comparison, limit: f64) -> u64 {
    let wrong = values
        .iter()
        .filter(|(value, _)| !comparison.holds(*value as f64, limit));
    wrong.map(|(_, count)| count).sum()
}

#[cfg(test)]
mod tests;
