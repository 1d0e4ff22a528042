//! The result of `loadgen search`, as its `result.json` holds it.

use serde::{Deserialize, Serialize};

use super::header::{Document, Header};

use crate::result::environment::Environment;
use crate::result::{LoadResult, OperationResult, ProcessResult, Scenario};

/// Which rates met what was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchResult {
    /// The fields that every document begins with.
    #[serde(flatten)]
    pub header: Header,
    /// Whether the search came to its end.
    pub valid: bool,
    /// Why not, in words.
    pub reasons: Vec<String>,
    /// What was asked for at the first rate.
    pub scenario: Scenario,
    /// SHA-256 over the requests at the first rate, in hexadecimal.
    pub plan_hash: String,
    /// What each rate was held to.
    pub slo: Vec<String>,
    /// The highest rate that met it, in pods per second; absent if none did.
    pub met: Option<f64>,
    /// The lowest rate above that did not, in pods per second; absent if all did.
    pub missed: Option<f64>,
    /// Where the curve of p99 over the rate turns upwards, in pods per second, if it does.
    pub knee: Option<f64>,
    /// Every run, by rate.
    pub points: Vec<Point>,
    /// The machine.
    pub environment: Environment,
}

impl Document for SearchResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.search";
    const VERSION: u32 = 1;
}

/// One run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Pods per second that were to be started.
    pub rate: f64,
    /// Whether what was asked for was met.
    pub met: bool,
    /// Whether the generator kept up: it began pods late (p99) by at most a tenth of the
    /// least time in the threshold, or of their median latency if there is none. If not,
    /// the run says nothing of the server.
    pub counts: bool,
    /// What was asked for, and what was found.
    pub slo: Vec<String>,
    /// How the load was offered.
    pub load: LoadResult,
    /// Pods per second that came to their end.
    pub pods_per_s: f64,
    /// Latencies of pods, from their intended starts.
    pub pod: Option<OperationResult>,
    /// What the processes used.
    pub processes: Vec<ProcessResult>,
}

impl Point {
    /// What came of it, in a word.
    pub fn verdict(&self) -> &'static str {
        match (self.counts, self.met) {
            (false, _) => "late",
            (true, true) => "met",
            (true, false) => "missed",
        }
    }

    /// The pods' 99th percentile, in milliseconds.
    pub fn p99_ms(&self) -> f64 {
        self.pod.as_ref().map_or(0.0, |pod| pod.p99_ns as f64 / 1e6)
    }
}

/// The run that each rate is judged by, of points in the order of their rates: the
/// one with the lowest 99th percentile of those that count.
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
