//! The figures that are compared, and how sure their ratios are.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::compared::Compared;
use super::verdict::Verdict;
use crate::record::operation::Operation;
use crate::result::{Interval as Second, OperationResult, ProcessResult, RunResult};
use crate::stats::{Bootstrap, CONFIDENCE, Interval};

/// Fewer seconds than this say nothing of how much the next one would differ.
pub const LEAST_SECONDS: usize = 8;

/// One figure of both results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// What: an operation's name, `pods`, or a process's role.
    pub what: String,
    /// What of it: `p50`, `p99`, `mean`, `rate` or `cpu`.
    pub statistic: Statistic,
    /// In A, in the statistic's unit.
    pub a: Option<f64>,
    /// In B.
    pub b: Option<f64>,
    /// B by A; `None` without both.
    pub ratio: Option<f64>,
    /// Where the ratio is believed to lie, with 95 % confidence; `None` if the runs were
    /// too short to tell.
    pub interval: Option<Interval>,
    /// What follows.
    pub verdict: Verdict,
}

/// What of something is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// The median latency, in nanoseconds.
    P50,
    /// The 99th percentile, in nanoseconds.
    P99,
    /// The mean, in nanoseconds.
    Mean,
    /// A number per second.
    Rate,
    /// CPU time per pod, in milliseconds.
    Cpu,
}

impl Statistic {
    /// Returns the latency in an operation's figures, in nanoseconds.
    fn of(self, figures: &OperationResult) -> f64 {
        match self {
            Self::P50 => figures.p50_ns as f64,
            Self::P99 => figures.p99_ns as f64,
            Self::Mean | Self::Rate | Self::Cpu => figures.mean_ns,
        }
    }

    /// Returns the quantile that it is; `None` for one that is none.
    fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P99 => Some(0.99),
            Self::Mean | Self::Rate | Self::Cpu => None,
        }
    }

    /// Whether more of it is better.
    pub fn more_is_better(self) -> bool {
        self == Self::Rate
    }
}

/// A result, and the seconds of it that count.
struct Run<'a> {
    compared: &'a Compared,
    result: &'a RunResult,
    seconds: Vec<&'a Second>,
}

/// A statistic of seconds that were drawn: its logarithm, for ratios.
type LogOf = Box<dyn Fn(&[usize]) -> Option<f64>>;

impl<'a> Run<'a> {
    fn of(compared: &'a Compared) -> Self {
        let result = &compared.result;
        let end = result
            .timeline
            .last()
            .map_or(0.0, |last| last.start_s + last.duration_s);
        // The middle of a second says what it belongs to. A closed loop's warm-up is what
        // there is before the time that its figures are of.
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

    /// Returns the numbers of the seconds that count.
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
        // One look is none: it says nothing of any second.
        if process.samples.len() < LEAST_SECONDS {
            return (whole, Box::new(|_| None));
        }
        (whole, log_of_sums(parts))
    }
}

/// The logarithm of a ratio of sums over seconds.
fn log_of_sums(parts: Vec<(f64, f64)>) -> LogOf {
    Box::new(move |places| {
        let sum = |of: fn(&(f64, f64)) -> f64| -> f64 {
            places.iter().map(|place| of(&parts[*place])).sum()
        };
        let (above, below) = (sum(|part| part.0), sum(|part| part.1));
        (above > 0.0 && below > 0.0).then(|| (above / below).ln())
    })
}

/// What a process had used at a time, evenly between two looks.
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

/// All figures of two results: the operations of both in the order of a lifecycle,
/// the rate, and the processes.
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

/// The seconds of a result that intervals come from.
pub fn seconds(compared: &Compared) -> usize {
    Run::of(compared).seconds.len()
}

/// The seconds of both runs, drawn anew again and again, the same for all figures.
struct Draws {
    seconds: (usize, usize),
    fewer: Bootstrap,
    drawn: Vec<(Vec<usize>, Vec<usize>)>,
}

impl Draws {
    /// Of so many seconds; `None` if they are too few.
    fn of(in_a: usize, in_b: usize, seed: u64) -> Option<Self> {
        if in_a.min(in_b) < LEAST_SECONDS {
            return None;
        }
        // Two streams of random numbers.
        let of_a = Bootstrap::in_blocks(seed, in_a);
        let of_b = Bootstrap::in_blocks(seed ^ u64::MAX, in_b);
        Some(Self {
            seconds: (in_a, in_b),
            fewer: if in_a < in_b { of_a } else { of_b },
            drawn: of_a.draws(in_a).zip(of_b.draws(in_b)).collect(),
        })
    }

    /// The interval of a ratio; `None` if what was drawn holds nothing of it.
    fn interval(&self, ratio: f64, log_a: &LogOf, log_b: &LogOf) -> Option<Interval> {
        let all = |count: usize| (0..count).collect::<Vec<_>>();
        // What the seconds say of themselves, which the figure of the whole run need not
        // be to the last digit: only how far it varies is taken from them.
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
