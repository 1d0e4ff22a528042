//! Figures of a comparison, with confidence intervals of their ratios.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::compared::Compared;
use super::verdict::Verdict;
use crate::record::operation::Operation;
use crate::result::{Interval as Second, OperationResult, ProcessResult, RunResult};
use crate::stats::{Bootstrap, CONFIDENCE, Interval};

/// Lowest number of seconds for an interval: fewer do not show the variation between
/// seconds.
pub const LEAST_SECONDS: usize = 8;

/// Figure of both results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Subject: name of an operation, `pods`, or role of a process.
    pub what: String,
    /// Statistic of the subject: `p50`, `p99`, `mean`, `rate` or `cpu`.
    pub statistic: Statistic,
    /// Value in A, in the unit of the statistic; `None` if A lacks it.
    pub a: Option<f64>,
    /// Value in B, in the unit of the statistic; `None` if B lacks it.
    pub b: Option<f64>,
    /// B divided by A; `None` without both values.
    pub ratio: Option<f64>,
    /// 95 % confidence interval of the ratio; `None` if a run was too short, lacks the
    /// figure, or has no log of its latencies.
    pub interval: Option<Interval>,
    /// Verdict from the interval.
    pub verdict: Verdict,
}

/// Compared statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// Median latency, in nanoseconds.
    P50,
    /// 99th percentile of latency, in nanoseconds.
    P99,
    /// Mean latency, in nanoseconds.
    Mean,
    /// Rate per second.
    Rate,
    /// CPU time per pod, in milliseconds.
    Cpu,
}

impl Statistic {
    /// Returns the latency in the figures of an operation, in nanoseconds.
    fn of(self, figures: &OperationResult) -> f64 {
        match self {
            Self::P50 => figures.p50_ns as f64,
            Self::P99 => figures.p99_ns as f64,
            Self::Mean | Self::Rate | Self::Cpu => figures.mean_ns,
        }
    }

    /// Returns the quantile of the statistic; `None` for a statistic that is not a
    /// quantile.
    fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P99 => Some(0.99),
            Self::Mean | Self::Rate | Self::Cpu => None,
        }
    }

    /// Returns whether a higher value is better.
    pub fn more_is_better(self) -> bool {
        self == Self::Rate
    }
}

/// Result with its measured seconds.
struct Run<'a> {
    compared: &'a Compared,
    result: &'a RunResult,
    seconds: Vec<&'a Second>,
}

/// Function from resampled seconds to the logarithm of a statistic; logarithms turn
/// ratios into differences.
type LogOf = Box<dyn Fn(&[usize]) -> Option<f64>>;

impl<'a> Run<'a> {
    fn of(compared: &'a Compared) -> Self {
        let result = &compared.result;
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
            compared,
            result,
            seconds: result.timeline.iter().filter(|s| counts(s)).collect(),
        }
    }

    fn operation(&self, operation: Operation) -> Option<&'a OperationResult> {
        let of = |list: &'a [OperationResult]| list.iter().find(|o| o.operation == operation);
        of(&self.result.operations).filter(|found| found.count > 0)
    }

    /// Returns the numbers of the measured seconds.
    fn numbers(&self) -> Vec<u64> {
        let begins = self.seconds.iter().map(|second| second.start_s.max(0.0));
        let begins = begins.map(|start_s| Duration::try_from_secs_f64(start_s.round()));
        begins
            .map(|begin| begin.unwrap_or_default().as_secs())
            .collect()
    }

    fn latency(&self, operation: Operation, statistic: Statistic) -> (Option<f64>, LogOf) {
        let whole = self.operation(operation);
        let Some(latencies) = &self.compared.latencies else {
            let figure = whole.map(|whole| statistic.of(whole));
            return (figure, Box::new(|_| None));
        };
        let seconds = latencies.of(operation, &self.numbers());
        let log_of: LogOf = match statistic.quantile() {
            None => log_of_sums(seconds.sums()),
            Some(quantile) => Box::new(move |places| {
                let ns = seconds.quantile(places, quantile)?;
                Some((ns.max(1) as f64).ln())
            }),
        };
        (whole.map(|whole| statistic.of(whole)), log_of)
    }

    fn rate(&self) -> (Option<f64>, LogOf) {
        let parts = self
            .seconds
            .iter()
            .map(|second| (second.pods as f64, second.duration_s))
            .collect();
        (Some(self.result.totals.pods_per_s), log_of_sums(parts))
    }

    fn process(&self, role: &str) -> Option<&'a ProcessResult> {
        self.result
            .processes
            .iter()
            .find(|process| process.role == role)
    }

    fn cpu(&self, role: &str) -> (Option<f64>, LogOf) {
        let Some(process) = self.process(role) else {
            return (None, Box::new(|_| None));
        };
        let totals = &self.result.totals;
        let pods = totals.pods + totals.pods_failed;
        let used_s = process.usage.cpu_user_s + process.usage.cpu_system_s;
        let whole = (pods > 0).then(|| used_s * 1000.0 / pods as f64);
        let parts = self
            .seconds
            .iter()
            .map(|second| {
                let end = second.start_s + second.duration_s;
                let used = cpu_at(process, end) - cpu_at(process, second.start_s);
                (used, second.pods as f64)
            })
            .collect();
        // A few samples show only the CPU time of the whole run, not of its seconds.
        if process.samples.len() < LEAST_SECONDS {
            return (whole, Box::new(|_| None));
        }
        (whole, log_of_sums(parts))
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

/// Returns all figures of two results: the operations of both in the order of a
/// lifecycle, the rate, and the processes.
pub fn all(a: &Compared, b: &Compared, min_effect: f64) -> Vec<Figure> {
    let (a, b) = (Run::of(a), Run::of(b));
    let draws = Draws::of(a.seconds.len(), b.seconds.len(), a.result.scenario.seed);
    let figure = |what: &str, statistic, (in_a, log_a): (_, LogOf), (in_b, log_b): (_, LogOf)| {
        let ratio = match (in_a, in_b) {
            (Some(a), Some(b)) if a > 0.0 && b > 0.0 => Some(b / a),
            _ => None,
        };
        let interval = ratio
            .zip(draws.as_ref())
            .and_then(|(ratio, draws)| draws.interval(ratio, &log_a, &log_b));
        Figure {
            what: what.to_owned(),
            statistic,
            a: in_a,
            b: in_b,
            ratio,
            interval,
            verdict: Verdict::of(interval, statistic.more_is_better(), min_effect),
        }
    };
    let mut figures = Vec::new();
    for operation in Operation::ALL {
        if a.operation(operation).is_some() || b.operation(operation).is_some() {
            for statistic in [Statistic::P50, Statistic::P99, Statistic::Mean] {
                figures.push(figure(
                    operation.name(),
                    statistic,
                    a.latency(operation, statistic),
                    b.latency(operation, statistic),
                ));
            }
        }
    }
    figures.push(figure("pods", Statistic::Rate, a.rate(), b.rate()));
    for process in &a.result.processes {
        let role = &process.role;
        figures.push(figure(role, Statistic::Cpu, a.cpu(role), b.cpu(role)));
    }
    figures
}

/// Returns the number of seconds of a result that intervals are computed from.
pub fn seconds(compared: &Compared) -> usize {
    Run::of(compared).seconds.len()
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
