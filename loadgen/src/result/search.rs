//! The result of `loadgen search`, which is saved as `result.json`.

use serde::{Deserialize, Serialize};

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
    /// Highest rate that met the thresholds, in pods per second; absent if no rate did.
    pub met: Option<f64>,
    /// Lowest rate above it that missed them, in pods per second; absent if no rate did.
    pub missed: Option<f64>,
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

/// One run of the search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Offered pods per second.
    pub rate: f64,
    /// Whether the thresholds were met.
    pub met: bool,
    /// Whether the generator kept up: its lag (p99) is at most a tenth of the least time
    /// in the thresholds, or of the pods' median latency if no threshold is a time.
    /// Otherwise the run gives no information about the server.
    pub counts: bool,
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

impl Point {
    /// Returns the outcome in one word.
    pub fn verdict(&self) -> &'static str {
        match (self.counts, self.met) {
            (false, _) => "late",
            (true, true) => "met",
            (true, false) => "missed",
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
