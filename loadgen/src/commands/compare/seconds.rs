//! Intervals of ratios between two runs from the seconds inside them.
//!
//! They contain the variation between the seconds of a run, and none between runs: a new
//! process with other places in memory, or a neighbour of the machine. So they say that two
//! runs differ, and nothing of the programs.

use std::time::Duration;

use super::latencies::Latencies;
use super::side::Side;
use crate::record::operation::Operation;
use crate::result::key_figure::{KeyFigure, Statistic};
use crate::result::{Interval as Second, ProcessResult, RunResult};
use crate::stats::{Bootstrap, CONFIDENCE, Interval};

/// Lowest number of seconds for an interval: fewer do not show the variation between
/// seconds.
pub const LEAST_SECONDS: usize = 8;

/// Result with its measured seconds.
struct Run<'a> {
    latencies: Option<&'a Latencies>,
    result: &'a RunResult,
    seconds: Vec<&'a Second>,
}

/// Function from resampled seconds to the logarithm of a statistic; logarithms turn
/// ratios into differences.
type LogOf = Box<dyn Fn(&[usize]) -> Option<f64>>;

impl<'a> Run<'a> {
    fn of(latencies: Option<&'a Latencies>, result: &'a RunResult) -> Self {
        let end = result
            .timeline
            .last()
            .map_or(0.0, |last| last.start_s + last.duration_s);
        // The middle of a second decides the phase of the second. The warm-up of a
        // closed loop is the time before the measured time.
        let counts = |second: &Second| {
            let middle = second.start_s + second.duration_s / 2.0;
            if result.phases.is_empty() {
                return middle >= end - result.wall_s;
            }
            result.phases.iter().any(|phase| {
                let since = middle - phase.start_s;
                phase.measured && since >= 0.0 && since < phase.duration_s
            })
        };
        Self {
            latencies,
            result,
            seconds: result.timeline.iter().filter(|s| counts(s)).collect(),
        }
    }

    /// Returns the numbers of the measured seconds.
    fn numbers(&self) -> Vec<u64> {
        let begins = self.seconds.iter().map(|second| second.start_s.max(0.0));
        let begins = begins.map(|start_s| Duration::try_from_secs_f64(start_s.round()));
        begins
            .map(|begin| begin.unwrap_or_default().as_secs())
            .collect()
    }

    /// Returns the logarithm of a figure in resampled seconds.
    fn log_of(&self, figure: &KeyFigure) -> LogOf {
        match figure.statistic {
            Statistic::P50 => self.latency(&figure.what, Some(0.5)),
            Statistic::P99 => self.latency(&figure.what, Some(0.99)),
            Statistic::Mean => self.latency(&figure.what, None),
            Statistic::Rate => {
                let seconds = self.seconds.iter();
                let parts = seconds.map(|second| (second.pods as f64, second.duration_s));
                log_of_sums(parts.collect())
            }
            Statistic::Cpu => self.cpu(&figure.what),
        }
    }

    /// Returns the logarithm of a quantile of the latencies, or of their mean.
    fn latency(&self, operation: &str, quantile: Option<f64>) -> LogOf {
        let operation = Operation::try_from(operation.to_owned()).ok();
        let (Some(latencies), Some(operation)) = (self.latencies, operation) else {
            return Box::new(|_| None);
        };
        let seconds = latencies.of(operation, &self.numbers());
        match quantile {
            None => log_of_sums(seconds.sums()),
            Some(quantile) => Box::new(move |places| {
                let ns = seconds.quantile(places, quantile)?;
                Some((ns.max(1) as f64).ln())
            }),
        }
    }

    fn cpu(&self, role: &str) -> LogOf {
        let mut processes = self.result.processes.iter();
        let Some(process) = processes.find(|process| process.role == role) else {
            return Box::new(|_| None);
        };
        // A few samples show only the CPU time of the whole run, not of its seconds.
        if process.samples.len() < LEAST_SECONDS {
            return Box::new(|_| None);
        }
        let parts = self.seconds.iter().map(|second| {
            let end = second.start_s + second.duration_s;
            let used = cpu_at(process, end) - cpu_at(process, second.start_s);
            (used, second.pods as f64)
        });
        log_of_sums(parts.collect())
    }
}

/// Returns the logarithm of a ratio of sums over seconds.
fn log_of_sums(parts: Vec<(f64, f64)>) -> LogOf {
    Box::new(move |places| {
        let sum = |of: fn(&(f64, f64)) -> f64| -> f64 {
            places.iter().map(|place| of(&parts[*place])).sum()
        };
        let (above, below) = (sum(|part| part.0), sum(|part| part.1));
        (above > 0.0 && below > 0.0).then(|| (above / below).ln())
    })
}

/// Returns the CPU time of a process at a time, interpolated between two samples.
fn cpu_at(process: &ProcessResult, at_s: f64) -> f64 {
    let looks = &process.samples;
    let after = looks.partition_point(|look| look.at_s < at_s);
    match (
        after.checked_sub(1).and_then(|i| looks.get(i)),
        looks.get(after),
    ) {
        (Some(one), Some(next)) => {
            let within = (at_s - one.at_s) / (next.at_s - one.at_s);
            one.cpu_s + (next.cpu_s - one.cpu_s) * within
        }
        (Some(only), None) | (None, Some(only)) => only.cpu_s,
        (None, None) => 0.0,
    }
}

/// Two runs, and their resampled seconds.
pub struct Within<'a> {
    a: Run<'a>,
    b: Run<'a>,
    draws: Option<Draws>,
}

impl<'a> Within<'a> {
    /// Resamples the seconds of the first run of each side.
    pub fn of(a: &'a Side, b: &'a Side) -> Option<Self> {
        let run = |side: &'a Side| Some(Run::of(side.latencies.as_ref(), side.runs.first()?));
        let (a, b) = (run(a)?, run(b)?);
        Some(Self {
            draws: Draws::of(a.seconds.len(), b.seconds.len(), a.result.scenario.seed),
            a,
            b,
        })
    }

    /// Returns the interval about the ratio B/A of a figure; `None` if a run was too short,
    /// or has no log of its latencies.
    pub fn interval(&self, figure: &KeyFigure, ratio: f64) -> Option<Interval> {
        let (log_a, log_b) = (self.a.log_of(figure), self.b.log_of(figure));
        self.draws.as_ref()?.interval(ratio, &log_a, &log_b)
    }
}

/// Returns the number of measured seconds of the shortest run of a side.
pub fn seconds(side: &Side) -> usize {
    let runs = side.runs.iter();
    let seconds = runs.map(|run| Run::of(None, run).seconds.len());
    seconds.min().unwrap_or(0)
}

/// Resampled seconds of both runs, shared by all figures.
struct Draws {
    seconds: (usize, usize),
    fewer: Bootstrap,
    drawn: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Draws {
    /// Resamples the seconds of both runs; `None` if one run has too few.
    fn of(in_a: usize, in_b: usize, seed: u64) -> Option<Self> {
        if in_a.min(in_b) < LEAST_SECONDS {
            return None;
        }
        // Two independent streams of random numbers.
        let of_a = Bootstrap::in_blocks(seed, in_a);
        let of_b = Bootstrap::in_blocks(seed ^ u64::MAX, in_b);
        Some(Self {
            seconds: (in_a, in_b),
            fewer: if in_a < in_b { of_a } else { of_b },
            drawn: of_a.draws(in_a).zip(of_b.draws(in_b)).collect(),
        })
    }

    /// Returns the interval of a ratio; `None` if the resampled seconds have no value
    /// of the figure.
    fn interval(&self, ratio: f64, log_a: &LogOf, log_b: &LogOf) -> Option<Interval> {
        let all = |count: usize| (0..count).collect::<Vec<_>>();
        // The estimate from the seconds may differ from the figure of the whole run
        // in the last digits, so the interval takes only its width from the seconds.
        let estimate = log_b(&all(self.seconds.1))? - log_a(&all(self.seconds.0))?;
        let logs: Vec<f64> = self
            .drawn
            .iter()
            .filter_map(|(a, b)| Some(log_b(b)? - log_a(a)?))
            .collect();
        if logs.is_empty() {
            return None;
        }
        let fewer = self.seconds.0.min(self.seconds.1);
        let logs = self.fewer.interval(estimate, &logs, fewer, CONFIDENCE);
        Some(Interval {
            low: ratio * (logs.low - estimate).exp(),
            high: ratio * (logs.high - estimate).exp(),
        })
    }
}
