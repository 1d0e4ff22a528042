//! Series of histograms in a log.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use hdrhistogram::Histogram;

use crate::record::operation::Operation;
use crate::record::tape::Part;

const WARM_UP: &str = "warm_up:";
const LAG: &str = "lag";
const PHASE: &str = "phase:";
const WIRE: &str = "wire:";
const WITHOUT_LAG: &str = "without_lag:";

/// Series of a histogram. Its display form is the tag of the histogram in the log.
///
/// All values are nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Series {
    /// Latencies of an operation: `pod`.
    Measured(Operation),
    /// Latencies of an operation in a warm-up, which are part of no sum: `warm_up:pod`.
    WarmUp(Operation),
    /// Times between the intended and the actual starts of pods: `lag`.
    Lag,
    /// Latencies of the pods of a phase from their intended starts; phases count from 0:
    /// `phase:0`.
    Phase(usize),
    /// Times on the wire of the calls of an operation, without a warm-up: `wire:task_start`.
    Wire(Operation),
    /// Latencies of an operation without the lag of its pods, without a warm-up:
    /// `without_lag:pod`.
    WithoutLag(Operation),
}

/// Histograms of several series.
pub type Histograms = BTreeMap<Series, Histogram<u64>>;

impl Series {
    /// Returns the operation of measured latencies; `None` for those of a warm-up and for
    /// other series.
    pub fn operation(self) -> Option<Operation> {
        match self {
            Self::Measured(operation) => Some(operation),
            _ => None,
        }
    }

    /// Returns the histograms of a part that are not empty.
    pub fn of(part: &Part) -> impl Iterator<Item = (Self, &Histogram<u64>)> {
        let measured = &part.measured;
        let operations = Operation::ALL.into_iter();
        let of_warm_up = operations
            .clone()
            .map(|operation| (Self::WarmUp(operation), part.warm_up.histogram(operation)));
        let on_wire = operations
            .clone()
            .map(|operation| (Self::Wire(operation), measured.wire_times(operation)));
        let without_lag = measured.latencies_without_lag();
        let phases = measured.phases().iter().enumerate();
        operations
            .map(|operation| (Self::Measured(operation), measured.histogram(operation)))
            .chain(of_warm_up)
            .chain([(Self::Lag, measured.lags())])
            .chain(phases.map(|(number, phase)| (Self::Phase(number), &phase.pod)))
            .chain(on_wire)
            .chain(without_lag.map(|(operation, times)| (Self::WithoutLag(operation), times)))
            .filter(|(_, histogram)| !histogram.is_empty())
    }
}

impl From<Operation> for Series {
    fn from(operation: Operation) -> Self {
        Self::Measured(operation)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured(operation) => f.write_str(operation.name()),
            Self::WarmUp(operation) => write!(f, "{WARM_UP}{}", operation.name()),
            Self::Lag => f.write_str(LAG),
            Self::Phase(number) => write!(f, "{PHASE}{number}"),
            Self::Wire(operation) => write!(f, "{WIRE}{}", operation.name()),
            Self::WithoutLag(operation) => write!(f, "{WITHOUT_LAG}{}", operation.name()),
        }
    }
}

impl FromStr for Series {
    type Err = String;

    fn from_str(tag: &str) -> Result<Self, String> {
        let operation = |name: &str| Operation::try_from(name.to_owned());
        if tag == LAG {
            Ok(Self::Lag)
        } else if let Some(name) = tag.strip_prefix(WARM_UP) {
            operation(name).map(Self::WarmUp)
        } else if let Some(name) = tag.strip_prefix(WIRE) {
            operation(name).map(Self::Wire)
        } else if let Some(name) = tag.strip_prefix(WITHOUT_LAG) {
            operation(name).map(Self::WithoutLag)
        } else if let Some(number) = tag.strip_prefix(PHASE) {
            let number = number.parse();
            number
                .map(Self::Phase)
                .map_err(|_| format!("{tag:?} names no phase"))
        } else {
            operation(tag).map(Self::Measured)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_tag_is_parsed_again() {
        let of_operations = Operation::ALL.into_iter().flat_map(|operation| {
            let both = [Series::Measured(operation), Series::WarmUp(operation)];
            both.into_iter()
                .chain([Series::Wire(operation), Series::WithoutLag(operation)])
        });
        for series in of_operations.chain([Series::Lag, Series::Phase(0), Series::Phase(17)]) {
            assert_eq!(series.to_string().parse(), Ok(series));
        }
        for tag in [
            "",
            "pods",
            "warm_up:",
            "wire:",
            "without_lag:pods",
            "phase:",
            "phase:-1",
            "Lag",
        ] {
            assert!(tag.parse::<Series>().is_err(), "{tag}");
        }
    }

    #[test]
    fn a_part_has_the_histograms_that_were_recorded() {
        let mut part = Part::default();
        let took = Duration::from_millis(1);
        part.measured.success(Operation::Pod, took);
        part.measured.lag(took);
        part.measured.wire(Operation::TaskKill, took);
        part.measured.without_lag(Operation::Pod, took);
        part.measured.pod_of_phase(1, took);
        part.warm_up.success(Operation::TaskKill, took);
        let found: Vec<_> = Series::of(&part).map(|(series, _)| series).collect();
        let expected = [
            Series::Measured(Operation::Pod),
            Series::WarmUp(Operation::TaskKill),
            Series::Lag,
            Series::Phase(1),
            Series::Wire(Operation::TaskKill),
            Series::WithoutLag(Operation::Pod),
        ];
        assert_eq!(found, expected);
    }
}
