//! Names of the figures by which runs are compared.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::record::operation::Operation;

/// Subject of the rate of a run.
const PODS: &str = "pods";

/// Role of this program among the processes of a run.
const CLIENT: &str = "loadgen";

/// Statistic of a figure.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
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
    /// Returns whether a higher value is better.
    pub fn more_is_better(self) -> bool {
        self == Self::Rate
    }
}

/// Name of a figure: a subject and a statistic.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct KeyFigure {
    /// Subject: name of an operation, `pods`, role of a process, or `all` for
    /// everything that a runtime ran.
    pub what: String,
    /// Statistic of the subject: `p50`, `p99`, `mean`, `rate` or `cpu`.
    pub statistic: Statistic,
}

impl KeyFigure {
    /// Returns the name of a latency of an operation.
    pub fn latency(operation: Operation, statistic: Statistic) -> Self {
        Self {
            what: operation.name().to_owned(),
            statistic,
        }
    }

    /// Returns the name of the rate of a run, in pods per second.
    pub fn rate() -> Self {
        Self {
            what: PODS.to_owned(),
            statistic: Statistic::Rate,
        }
    }

    /// Returns the name of the CPU time per pod of the process with this role.
    pub fn cpu(role: &str) -> Self {
        Self {
            what: role.to_owned(),
            statistic: Statistic::Cpu,
        }
    }

    /// Returns whether the figure decides a comparison: the CPU time per pod of a process
    /// under test, or the median latency of a pod. Other figures are only shown: each further
    /// figure that decides would raise the smallest slowdown that is found.
    pub fn decides(&self) -> bool {
        self.is_cpu_under_test()
            || self.statistic == Statistic::P50 && self.what == Operation::Pod.name()
    }

    /// Returns whether the figure is the CPU time per pod of a process under test.
    pub fn is_cpu_under_test(&self) -> bool {
        self.statistic == Statistic::Cpu && self.what != CLIENT
    }

    /// Returns whether the figure is the CPU time per pod of this program.
    pub fn is_cpu_of_client(&self) -> bool {
        self.statistic == Statistic::Cpu && self.what == CLIENT
    }

    /// Returns the name in tables.
    pub fn words(&self) -> String {
        let what = self.what.replace('_', " ");
        match self.statistic {
            Statistic::P50 => format!("{what} p50"),
            Statistic::P99 => format!("{what} p99"),
            Statistic::Mean => format!("{what} mean"),
            Statistic::Rate => format!("{what} per second"),
            Statistic::Cpu => format!("{what} CPU per pod"),
        }
    }

    /// Returns a value of the figure with its unit, for tables.
    pub fn shown(&self, value: f64) -> String {
        match self.statistic {
            Statistic::P50 | Statistic::P99 | Statistic::Mean => display::human::duration(value),
            Statistic::Rate => display::human::rate(value),
            Statistic::Cpu => format!("{value:.3} ms"),
        }
    }
}
