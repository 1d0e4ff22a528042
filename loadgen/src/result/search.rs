//! The result of `loadgen search`, which is saved as `result.json`.

use serde::{Deserialize, Serialize};

use super::conclusion::{Conclusion, LineOutcome, Unknown};
use super::header::{Document, Header};

use crate::result::environment::Environment;
use crate::result::{LoadResult, OperationResult, ProcessResult, Scenario};

/// Rates that met the thresholds, and rates that missed them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchResult {
    /// Header, the same in every kind of document.
    #[serde(flatten)]
    pub header: Header,
    /// Whether the search came to its end.
    pub valid: bool,
    /// Reasons against the validity; empty if the result is valid.
    pub reasons: Vec<String>,
    /// Parameters of the run at the first rate.
    pub scenario: Scenario,
    /// SHA-256 over the requests at the first rate, in hexadecimal.
    pub plan_hash: String,
    /// Thresholds for each rate.
    pub slo: Vec<String>,
    /// Highest rate that met the thresholds and is below every rate that missed them, in pods
    /// per second; absent if there is no such rate.
    pub met: Option<f64>,
    /// Lowest rate that missed them, in pods per second; absent if no rate did.
    pub missed: Option<f64>,
    /// Sentences that follow from the points, which the table shows; empty in results of an
    /// older version.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conclusion: Vec<String>,
    /// Rate at which the curve of p99 over the rate turns upwards, in pods per second;
    /// absent if the curve has no such point.
    pub knee: Option<f64>,
    /// All runs, by rate.
    pub points: Vec<Point>,
    /// Machine of the measurement.
    pub environment: Environment,
}

impl Document for SearchResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.search";
    const VERSION: u32 = 1;
}

/// One run of the search, or several at the same rate together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Offered pods per second.
    pub rate: f64,
    /// Whether the thresholds were met.
    pub met: bool,
    /// Whether the outcome is known. Otherwise the lag of the generator, or a larger number of
    /// pods, could have changed it.
    pub counts: bool,
    /// Reason for which the outcome is unknown; absent if it is known, and in results of an
    /// older version, where it was the lag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Unknown>,
    /// Duration of a run with enough pods for the percentiles in the thresholds, in seconds;
    /// absent unless there were too few pods, and if it is impractically long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_s: Option<f64>,
    /// Number of runs whose measurements the point adds up.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub runs: u64,
    /// Thresholds and the measured values.
    pub slo: Vec<String>,
    /// Offered load, and the accuracy with which it was generated.
    pub load: LoadResult,
    /// Pods per second that have ended.
    pub pods_per_s: f64,
    /// Latencies of pods, from their intended starts.
    pub pod: Option<OperationResult>,
    /// Resource usage of the processes.
    pub processes: Vec<ProcessResult>,
}

fn one() -> u64 {
    1
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_one(runs: &u64) -> bool {
    *runs == 1
}

impl SearchResult {
    /// Draws the conclusion from the points.
    pub fn conclude(&self) -> Conclusion {
        conclude(&self.slo, &self.points)
    }
}

/// Draws the conclusion from points.
pub fn conclude(slo: &[String], points: &[Point]) -> Conclusion {
    let lines = points.iter().map(|point| (point.rate, point.outcome()));
    Conclusion::of(slo, lines)
}

impl Point {
    /// Returns the outcome.
    pub fn outcome(&self) -> LineOutcome {
        match (self.counts, self.met) {
            (true, true) => LineOutcome::Met,
            (true, false) => LineOutcome::Missed,
            (false, _) => LineOutcome::Unknown {
                why: self.unknown.unwrap_or(Unknown::Late),
                needed_s: self.needed_s,
            },
        }
    }

    /// Returns the outcome in a few words: `met`, `too few pods`, `missed in 3 runs together`.
    pub fn verdict(&self) -> String {
        let verdict = match self.outcome() {
            LineOutcome::Met => "met",
            LineOutcome::Missed => "missed",
            LineOutcome::Unknown { why, .. } => why.verdict(),
        };
        match self.runs {
            1 => verdict.to_owned(),
            runs => format!("{verdict} in {runs} runs together"),
        }
    }

    /// Returns the 99th percentile of the pods, in milliseconds.
    pub fn p99_ms(&self) -> f64 {
        self.pod.as_ref().map_or(0.0, |pod| pod.p99_ns as f64 / 1e6)
    }
}

/// Returns the run that decides about each rate, from points in the order of their rates:
/// of the runs that count, the one with the lowest 99th percentile.
pub fn best(points: &[Point]) -> Vec<&Point> {
    let mut best: Vec<&Point> = Vec::new();
    for point in points.iter().filter(|point| point.counts) {
        match best.last_mut() {
            Some(last) if last.rate.total_cmp(&point.rate).is_eq() => {
                if point.p99_ms() < last.p99_ms() {
                    *last = point;
                }
            }
            _ => best.push(point),
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::operation::Operation;
    use crate::result::fixture::example;

    fn point(rate: f64, p99_ms: u64, counts: bool) -> Point {
        let run = example();
        let mut pod = run.operations[0].clone();
        pod.operation = Operation::Pod;
        pod.p99_ns = p99_ms * 1_000_000;
        Point {
            rate,
            met: false,
            counts,
            unknown: None,
            needed_s: None,
            runs: 1,
            slo: Vec::new(),
            load: run.load,
            pods_per_s: rate,
            pod: Some(pod),
            processes: Vec::new(),
        }
    }

    #[test]
    fn a_rate_is_judged_by_its_best_run_that_counts() {
        let points = [
            point(100.0, 5, true),
            point(200.0, 1, false),
            point(200.0, 90, true),
            point(200.0, 40, true),
        ];
        assert_eq!(best(&points), [&points[0], &points[3]]);
    }
}
