//! Thresholds for a run: `pod.p99<20ms`.
//!
//! A threshold is `OPERATION.STATISTIC`, one of `<`, `<=`, `>`, `>=`, and a limit: a time
//! for `mean`, `p50`, `p90`, `p95`, `p99`, `p999` and `max` (`ns`, `us` or `µs`, `ms`, `s`), a
//! number per second for `rate` (`100/s`), a plain number for `errors`, or with `%` the share of
//! calls that failed (`0.1%`).
//!
//! ```
//! use loadgen::result::slo::Slo;
//!
//! let slo: Slo = "pod.p99 < 20ms".parse()?;
//! assert_eq!(slo.to_string(), "pod.p99<20ms");
//! # Ok::<(), loadgen::result::slo::SloError>(())
//! ```

use std::fmt;
use std::str::FromStr;

use crate::record::operation::Operation;
use crate::result::lag;
use crate::result::{OperationResult, RunResult};
use crate::similar;
use display::human;

/// A threshold for a statistic of an operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slo {
    /// Operation of the threshold.
    pub operation: Operation,
    /// Statistic of the threshold.
    pub statistic: Statistic,
    /// Required relation between the measured value and the limit.
    pub comparison: Comparison,
    /// Limit, in the unit of the statistic: see [`Statistic::unit`].
    pub limit: f64,
}

/// Statistic of an operation that a threshold can limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// Mean latency.
    Mean,
    /// Median latency.
    P50,
    /// 90th percentile of the latencies.
    P90,
    /// 95th percentile of the latencies.
    P95,
    /// 99th percentile of the latencies.
    P99,
    /// 99.9th percentile of the latencies.
    P999,
    /// Largest latency.
    Max,
    /// Successful calls per second.
    Rate,
    /// Number of failures.
    Errors,
    /// Share of the calls that failed.
    ErrorShare,
}

/// Unit of a statistic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanoseconds.
    Nanoseconds,
    /// A number per second.
    PerSecond,
    /// A plain number.
    Number,
    /// Hundredths.
    Percent,
}

/// Required relation of a value to a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// Result of the check of a threshold against a run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The threshold.
    pub slo: Slo,
    /// Measured value, in the unit of the statistic; `None` if there is no measurement.
    pub found: Option<f64>,
    /// Whether the threshold is met. Without a measurement it is not met.
    pub met: bool,
    /// Whether the measured value is a valid figure. If it is not, `met` may be wrong.
    pub known: bool,
}

/// Reason for which a text is no threshold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SloError {
    /// The text contains no comparison.
    #[error(
        "{0:?} contains no comparison: OPERATION.STATISTIC, then <, <=, > or >=, then a limit, as in pod.p99<20ms"
    )]
    NoComparison(String),
    /// The text before the comparison contains no dot.
    #[error("{0:?} is not OPERATION.STATISTIC, as in pod.p99")]
    NoStatistic(String),
    /// No operation has this name.
    #[error(
        "unknown operation {0:?}{hint}; one of {all}",
        hint = similar::hint(.0, Operation::ALL.map(Operation::name)),
        all = names(Operation::ALL.map(Operation::name))
    )]
    Operation(String),
    /// No statistic has this name.
    #[error("unknown statistic {0:?}; one of mean, p50, p90, p95, p99, p999, max, rate, errors")]
    Statistic(String),
    /// The limit is no number, or its unit does not fit the statistic.
    #[error("{limit:?} is no limit for {statistic}: {wanted}")]
    Limit {
        /// Limit in the text.
        limit: String,
        /// Name of the statistic.
        statistic: &'static str,
        /// Description of a valid limit.
        wanted: &'static str,
    },
}

fn names<const N: usize>(names: [&str; N]) -> String {
    names.join(", ")
}

impl Statistic {
    /// Every statistic.
    pub const ALL: [Self; 10] = [
        Self::Mean,
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
        Self::P999,
        Self::Max,
        Self::Rate,
        Self::Errors,
        Self::ErrorShare,
    ];

    /// Returns the name of the statistic in a threshold.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::P999 => "p999",
            Self::Max => "max",
            Self::Rate => "rate",
            Self::Errors | Self::ErrorShare => "errors",
        }
    }

    /// Returns the unit of the limit.
    pub fn unit(self) -> Unit {
        match self {
            Self::Mean | Self::P50 | Self::P90 | Self::P95 | Self::P99 | Self::P999 | Self::Max => {
                Unit::Nanoseconds
            }
            Self::Rate => Unit::PerSecond,
            Self::Errors => Unit::Number,
            Self::ErrorShare => Unit::Percent,
        }
    }

    /// Returns the quantile of the latencies that the statistic is, from 0 to 1; `None` for
    /// other statistics.
    pub fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::P999 => Some(0.999),
            Self::Mean | Self::Max | Self::Rate | Self::Errors | Self::ErrorShare => None,
        }
    }

    /// Returns the value of the statistic. Without successful calls only `rate` and
    /// `errors` have a value, and without any call a share of errors has none.
    fn of(self, operation: &OperationResult, seconds: f64) -> Option<f64> {
        let latency = |ns: f64| (operation.count > 0).then_some(ns);
        match self {
            Self::Mean => latency(operation.mean_ns),
            Self::P50 => latency(operation.p50_ns as f64),
            Self::P90 => latency(operation.p90_ns as f64),
            Self::P95 => operation.p95_ns.and_then(|ns| latency(ns as f64)),
            Self::P99 => latency(operation.p99_ns as f64),
            Self::P999 => latency(operation.p999_ns as f64),
            Self::Max => latency(operation.max_ns as f64),
            Self::Rate => (seconds > 0.0).then(|| operation.count as f64 / seconds),
            Self::Errors => Some(operation.errors as f64),
            Self::ErrorShare => {
                let calls = operation.count + operation.errors;
                (calls > 0).then(|| operation.errors as f64 / calls as f64 * 100.0)
            }
        }
    }
}

impl Unit {
    /// Returns the suffixes of a limit and the size of each in this unit, with longer
    /// suffixes before their own endings.
    fn suffixes(self) -> &'static [(&'static str, f64)] {
        match self {
            Self::Nanoseconds => &[
                ("ns", 1.0),
                ("us", 1e3),
                ("µs", 1e3),
                ("μs", 1e3),
                ("ms", 1e6),
                ("s", 1e9),
            ],
            Self::PerSecond => &[("/s", 1.0), ("", 1.0)],
            Self::Number => &[("", 1.0)],
            Self::Percent => &[("%", 1.0)],
        }
    }

    fn wanted(self) -> &'static str {
        match self {
            Self::Nanoseconds => "a time such as 500us, 20ms or 1.5s (ns, us, ms, s)",
            Self::PerSecond => "a number per second such as 100/s",
            Self::Number => "a number such as 0, or a share such as 0.1%",
            Self::Percent => "a share such as 0.1%",
        }
    }

    fn read(self, text: &str) -> Option<f64> {
        self.suffixes()
            .iter()
            .filter_map(|(suffix, size)| Some((text.strip_suffix(suffix)?, size)))
            .find_map(|(number, size)| Some(number.trim_end().parse::<f64>().ok()? * size))
            .filter(|limit| limit.is_finite() && *limit >= 0.0)
    }

    fn write(self, value: f64) -> String {
        match self {
            Self::PerSecond => format!("{value}/s"),
            Self::Number => value.to_string(),
            Self::Percent => format!("{value}%"),
            Self::Nanoseconds => {
                let sizes = [("s", 1e9), ("ms", 1e6), ("us", 1e3)];
                // The largest unit that shows the value exactly.
                let exact = sizes.iter().find(|(_, size)| {
                    let number = value / size;
                    number >= 1.0 && (number * size).to_bits() == value.to_bits()
                });
                match exact {
                    Some((suffix, size)) => format!("{}{suffix}", value / size),
                    None => format!("{value}ns"),
                }
            }
        }
    }

    /// Formats a value for people.
    fn show(self, value: f64) -> String {
        match self {
            Self::Nanoseconds => human::duration(value),
            Self::PerSecond => human::rate(value),
            Self::Number => value.to_string(),
            Self::Percent => format!("{value:.3} %"),
        }
    }
}

impl Comparison {
    /// Every comparison. Longer ones come first, because a shorter one may be the
    /// beginning of a longer one.
    const ALL: [(&'static str, Self); 4] = [
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("<", Self::Below),
        (">", Self::Above),
    ];

    /// Returns whether a value has the required relation to the limit.
    pub fn holds(self, value: f64, limit: f64) -> bool {
        match self {
            Self::Below => value < limit,
            Self::AtMost => value <= limit,
            Self::Above => value > limit,
            Self::AtLeast => value >= limit,
        }
    }

    /// Returns whether values must stay below the limit.
    pub fn is_upper(self) -> bool {
        matches!(self, Self::Below | Self::AtMost)
    }

    fn words(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::AtMost => "at most",
            Self::Above => "above",
            Self::AtLeast => "at least",
        }
    }
}

impl Slo {
    /// Checks the threshold against a run. Rates are per second of the time that the
    /// totals of the run cover.
    pub fn check(self, result: &RunResult) -> Outcome {
        let totals = &result.totals;
        let seconds = if totals.rpcs_per_s > 0.0 {
            totals.rpcs as f64 / totals.rpcs_per_s
        } else {
            result.wall_s
        };
        Outcome {
            known: lag::is_valid(&result.figures, self.operation, self.statistic.name()),
            ..self.check_figures(&result.operations, seconds)
        }
    }

    /// Checks the threshold against the figures of operations that were measured over this
    /// time, and takes them for valid.
    pub fn check_figures(self, operations: &[OperationResult], seconds: f64) -> Outcome {
        let found = operations
            .iter()
            .find(|operation| operation.operation == self.operation)
            .and_then(|operation| self.statistic.of(operation, seconds));
        Outcome {
            slo: self,
            found,
            met: found.is_some_and(|found| self.comparison.holds(found, self.limit)),
            known: true,
        }
    }
}

/// Checks thresholds against a run, in their order.
pub fn check(slos: &[Slo], result: &RunResult) -> Vec<Outcome> {
    slos.iter().map(|slo| slo.check(result)).collect()
}

impl FromStr for Slo {
    type Err = SloError;

    fn from_str(text: &str) -> Result<Self, SloError> {
        let at = text
            .find(['<', '>'])
            .ok_or_else(|| SloError::NoComparison(text.to_owned()))?;
        let (what, rest) = text.split_at(at);
        let (comparison, limit) = Comparison::ALL
            .into_iter()
            .find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)))
            .ok_or_else(|| SloError::NoComparison(text.to_owned()))?;
        let (operation, statistic) = what
            .trim()
            .split_once('.')
            .ok_or_else(|| SloError::NoStatistic(what.trim().to_owned()))?;
        let operation = Operation::ALL
            .into_iter()
            .find(|known| known.name() == operation)
            .ok_or_else(|| SloError::Operation(operation.to_owned()))?;
        let statistic = Statistic::ALL
            .into_iter()
            .find(|known| known.name() == statistic)
            .ok_or_else(|| SloError::Statistic(statistic.to_owned()))?;
        let limit = limit.trim();
        let statistic = match statistic {
            Statistic::Errors if limit.ends_with('%') => Statistic::ErrorShare,
            other => other,
        };
        let unit = statistic.unit();
        Ok(Self {
            operation,
            statistic,
            comparison,
            limit: unit.read(limit).ok_or_else(|| SloError::Limit {
                limit: limit.to_owned(),
                statistic: statistic.name(),
                wanted: unit.wanted(),
            })?,
        })
    }
}

impl fmt::Display for Slo {
    /// Formats the threshold in the form that is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, statistic) = (self.operation.name(), self.statistic);
        let sign = Comparison::ALL
            .into_iter()
            .find_map(|(sign, comparison)| (comparison == self.comparison).then_some(sign))
            .unwrap_or_default();
        let limit = statistic.unit().write(self.limit);
        write!(f, "{operation}.{}{sign}{limit}", statistic.name())
    }
}

impl fmt::Display for Outcome {
    /// Formats one line: `met: pod.p99 is 18.2ms, to be below 20.0ms`. It begins with
    /// `MISSED` for a threshold that is not met, and with `unknown` for one of an invalid
    /// figure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let met = match (self.known, self.met) {
            (false, _) => "unknown",
            (true, true) => "met",
            (true, false) => "MISSED",
        };
        write!(f, "{met}: {}", self.finding())
    }
}

impl Outcome {
    /// Returns the measured value and the limit in words: `pod.p99 is 18.2ms, to be below
    /// 20.0ms`.
    pub fn finding(&self) -> String {
        let Slo {
            operation,
            statistic,
            comparison,
            limit,
        } = self.slo;
        let unit = statistic.unit();
        let moved = if self.known {
            ""
        } else {
            " with over a twentieth of generator's lag"
        };
        let found = match self.found {
            Some(found) => format!("is {}", unit.show(found)),
            None => "was not measured".to_owned(),
        };
        format!(
            "{}.{} {found}{moved}, to be {} {}",
            operation.name(),
            statistic.name(),
            comparison.words(),
            unit.show(limit)
        )
    }
}

#[cfg(test)]
mod tests;
