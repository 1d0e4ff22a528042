//! Resource usage of the processes under test.

use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::process::{ProcessUsage, Sample};
use crate::stats::{CONFIDENCE, Errors, Slope};

/// Resource usage of a process during a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessResult {
    /// Role of the process: `sandboxer`, `containerd`, `runtime` (the server of a given
    /// CRI endpoint) or `loadgen`.
    pub role: String,
    /// Figures of the process.
    #[serde(flatten)]
    pub usage: ProcessUsage,
    /// Samples during the run, the first at its beginning, the last at its end.
    pub samples: Vec<Sample>,
}

/// Time range in which all pods were running while containers ended and were started
/// again. It begins with the start of the last pod.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HoldResult {
    /// Beginning, in seconds from the beginning of the load.
    pub start_s: f64,
    /// Duration, in seconds.
    pub duration_s: f64,
    /// Usage in this time of each process with at least two samples in it.
    pub processes: Vec<HeldProcess>,
}

/// Resource usage of a process while all pods were running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HeldProcess {
    /// Role, as in the processes of the run.
    pub role: String,
    /// CPU time divided by time, in cores.
    pub cpu_cores: f64,
    /// Resident memory in the second half, in bytes: the mean of the samples. The first
    /// half may include one-time allocations: caches, pools, a first snapshot.
    pub rss_bytes: f64,
    /// Growth of resident memory in the second half, in bytes per second: the slope of a
    /// line through the samples.
    pub rss_bytes_per_s: f64,
    /// Lower end of the 95 % confidence interval of the slope, in bytes per second;
    /// absent with too few samples.
    pub rss_low: Option<f64>,
    /// Upper end of the 95 % confidence interval, in bytes per second; absent with too
    /// few samples.
    pub rss_high: Option<f64>,
}

impl HoldResult {
    /// Computes the usage from the samples within a range of times since the beginning of
    /// the load.
    pub fn of(held: &Range<Duration>, processes: &[ProcessResult]) -> Self {
        Self {
            start_s: held.start.as_secs_f64(),
            duration_s: held.end.saturating_sub(held.start).as_secs_f64(),
            processes: processes
                .iter()
                .filter_map(|process| HeldProcess::of(held, process))
                .collect(),
        }
    }
}

impl HeldProcess {
    fn of(held: &Range<Duration>, process: &ProcessResult) -> Option<Self> {
        let within = held.start.as_secs_f64()..held.end.as_secs_f64();
        let looks = process.samples.iter();
        let looks: Vec<&Sample> = looks.filter(|look| within.contains(&look.at_s)).collect();
        let (first, last) = (looks.first()?, looks.last()?);
        let half = f64::midpoint(within.start, within.end);
        let points: Vec<_> = looks
            .iter()
            .filter(|look| look.at_s >= half)
            .map(|look| (look.at_s, look.rss_bytes as f64))
            .collect();
        let line = Slope::of(&points, Errors::InTime, CONFIDENCE)?;
        let bound = |value: f64| Some(value).filter(|value| value.is_finite());
        Some(Self {
            role: process.role.clone(),
            cpu_cores: (last.cpu_s - first.cpu_s) / (last.at_s - first.at_s),
            rss_bytes: points.iter().map(|(_, rss)| rss).sum::<f64>() / points.len() as f64,
            rss_bytes_per_s: line.slope,
            rss_low: bound(line.interval.low),
            rss_high: bound(line.interval.high),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a process with one sample in each of 30 seconds. It uses half a core, and
    /// grows by 1,000 bytes per second for ten seconds and then no more.
    fn ramped() -> ProcessResult {
        let sample = |second: u32| Sample {
            at_s: f64::from(second),
            cpu_s: f64::from(second) / 2.0,
            rss_bytes: 1_000_000 + 1000 * u64::from(second.min(10)),
            pss_bytes: None,
            threads: 1,
            fds: None,
            ctx_switches: 0,
            read_bytes: None,
            write_bytes: None,
        };
        ProcessResult {
            role: "sandboxer".to_owned(),
            usage: ProcessUsage {
                cpu_user_s: 0.0,
                cpu_system_s: 15.0,
                max_rss_bytes: 1_010_000,
                voluntary_ctx_switches: 0,
                involuntary_ctx_switches: 0,
            },
            samples: (0..30).map(sample).collect(),
        }
    }

    fn held(from_s: u64, to_s: u64) -> HoldResult {
        let held = Duration::from_secs(from_s)..Duration::from_secs(to_s);
        HoldResult::of(&held, &[ramped()])
    }

    #[test]
    fn cpu_is_of_the_whole_hold_and_memory_of_its_second_half() {
        let hold = held(0, 28);
        let [process] = &hold.processes[..] else {
            panic!("{hold:?}");
        };
        assert!((process.cpu_cores - 0.5).abs() < 1e-9);
        assert!(process.rss_bytes_per_s.abs() < 1e-9);
        assert!((process.rss_bytes - 1_010_000.0).abs() < 1e-6);
        assert!(process.rss_high.is_some_and(|high| high.abs() < 1e-6));
        let early = held(0, 10);
        assert!((early.processes[0].rss_bytes_per_s - 1000.0).abs() < 1e-6);
    }

    #[test]
    fn one_sample_gives_no_result() {
        assert!(held(3, 4).processes.is_empty());
        assert!(held(40, 50).processes.is_empty());
    }
}
