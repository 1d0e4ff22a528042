//! The result of `loadgen density`, which is saved as `result.json`.

use serde::{Deserialize, Serialize};

use super::header::{Document, Header};

use crate::result::environment::Environment;
use crate::result::{ErrorResult, Scenario};
use crate::stats::{CONFIDENCE, Errors, Slope};

/// Memory and file descriptors of processes at several densities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DensityResult {
    /// Header, the same in every kind of document.
    #[serde(flatten)]
    pub header: Header,
    /// Whether every density was measured without an error.
    pub valid: bool,
    /// Reasons against the validity; empty if the result is valid.
    pub reasons: Vec<String>,
    /// Parameters of the measurement; its pods are those of the highest density.
    pub scenario: Scenario,
    /// SHA-256 over the requests of the highest density, in hexadecimal.
    pub plan_hash: String,
    /// Cost of one pod in each process.
    pub per_pod: Vec<PerPod>,
    /// Measured points, one for each density.
    pub points: Vec<Point>,
    /// Failures by operation, code and class of message.
    pub errors: Vec<ErrorResult>,
    /// Machine of the measurement.
    pub environment: Environment,
}

impl Document for DensityResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.density";
    const VERSION: u32 = 1;
}

/// Measurements while a number of pods was running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Number of running pods.
    pub pods: u64,
    /// Measurements of each process.
    pub processes: Vec<ProcessPoint>,
}

/// Memory, threads and file descriptors of one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessPoint {
    /// Role of the process, as in a run's result.
    pub role: String,
    /// Resident memory, in bytes.
    pub rss_bytes: u64,
    /// Proportional share of resident memory, in bytes; `None` if the kernel does not
    /// report it.
    pub pss_bytes: Option<u64>,
    /// Number of threads.
    pub threads: u64,
    /// Number of open file descriptors; `None` if they cannot be counted.
    pub fds: Option<u64>,
}

/// Cost of one pod in a process: the slopes of lines by least squares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerPod {
    /// Role of the process, as in a run's result.
    pub role: String,
    /// Resident memory per pod, in bytes.
    pub rss_bytes: f64,
    /// Lower end of its 95 % confidence interval.
    pub rss_low: Option<f64>,
    /// Upper end of its 95 % confidence interval.
    pub rss_high: Option<f64>,
    /// Resident memory without any pod according to the same line, in bytes.
    pub rss_without_pods: f64,
    /// File descriptors per pod.
    pub fds: Option<f64>,
}

/// Fits a line through the points of each process.
pub fn per_pod(points: &[Point]) -> Vec<PerPod> {
    let roles = points.first().map_or(&[][..], |point| &point.processes);
    roles
        .iter()
        .filter_map(|first| of_role(points, &first.role))
        .collect()
}

fn of_role(points: &[Point], role: &str) -> Option<PerPod> {
    let line = |of: &dyn Fn(&ProcessPoint) -> Option<u64>| {
        let through: Vec<(f64, f64)> = points
            .iter()
            .filter_map(|point| {
                let process = point.processes.iter().find(|p| p.role == role)?;
                Some((point.pods as f64, of(process)? as f64))
            })
            .collect();
        Slope::of(&through, Errors::Independent, CONFIDENCE)
    };
    let rss = line(&|process| Some(process.rss_bytes))?;
    let bound = |value: f64| Some(value).filter(|value| value.is_finite());
    Some(PerPod {
        role: role.to_owned(),
        rss_bytes: rss.slope,
        rss_low: bound(rss.interval.low),
        rss_high: bound(rss.interval.high),
        rss_without_pods: rss.intercept,
        fds: line(&|process| process.fds).map(|line| line.slope),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_costs_what_the_line_rises_by() {
        let points: Vec<Point> = [100, 200, 300, 400]
            .into_iter()
            .map(|pods| Point {
                pods,
                processes: vec![ProcessPoint {
                    role: "sandboxer".to_owned(),
                    rss_bytes: 5_000_000 + pods * 3000 + (pods / 100 % 2) * 500,
                    pss_bytes: None,
                    threads: 3,
                    fds: Some(10 + pods * 2),
                }],
            })
            .collect();
        let [cost] = &per_pod(&points)[..] else {
            panic!();
        };
        assert!((cost.rss_bytes - 3000.0).abs() < 10.0, "{cost:?}");
        assert!(cost.rss_low < Some(3000.0) && cost.rss_high > Some(3000.0));
        assert!((cost.rss_without_pods - 5_000_000.0).abs() < 2000.0);
        assert!((cost.fds.unwrap() - 2.0).abs() < 1e-9);
        assert!(per_pod(&points[..1]).is_empty() && per_pod(&[]).is_empty());
    }
}
