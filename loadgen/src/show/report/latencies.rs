//! Reads the data of a page from a log: sums, and the figures of each period.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::record::hdr_log::{self, LogError, Series};
use crate::record::operation::Operation;
use crate::record::recorder;
use crate::result::OperationResult;

/// Maximum number of periods in a chart.
const MOST_COLUMNS: u32 = 120;

/// Number of rows of a heat map for each factor of ten in latency.
pub const ROWS_PER_DECADE: f64 = 8.0;

/// Latencies of operations, in sum and over time.
#[derive(Debug, Default)]
pub struct Latencies {
    /// Sum of all measured latencies.
    pub whole: BTreeMap<Operation, Histogram<u64>>,
    /// Periods in order; with the warm-up.
    pub columns: Vec<Column>,
    /// Length of each period, in seconds.
    pub column_s: f64,
}

/// A period of the run.
#[derive(Debug, Default)]
pub struct Column {
    /// Beginning, in seconds from the beginning of the load.
    pub start_s: f64,
    /// Figures of the calls that ended in the period.
    pub operations: BTreeMap<Operation, OperationResult>,
    /// Number of pods in each row of the heat map.
    pub pods: BTreeMap<i32, u64>,
}

/// Returns the length of a period for a run of this duration, in seconds.
pub fn seconds_per_column(end_s: f64) -> f64 {
    (end_s / f64::from(MOST_COLUMNS)).ceil().clamp(1.0, 1e9)
}

/// Returns the row of a latency.
pub fn row(ns: u64) -> i32 {
    let row = (ns.max(1) as f64).log10() * ROWS_PER_DECADE;
    #[expect(clippy::cast_possible_truncation, reason = "at most 8 times 20")]
    let row = row.floor() as i32;
    row
}

impl Latencies {
    /// Reads the log of a run that ended `end_s` seconds after its beginning.
    ///
    /// # Errors
    /// A log that cannot be read.
    pub fn read(log: &Path, end_s: f64) -> Result<Self, LogError> {
        let mut latencies = Self {
            column_s: seconds_per_column(end_s),
            ..Self::default()
        };
        let mut present = Present::default();
        for interval in hdr_log::open(log)? {
            let interval = interval?;
            let (Series::Measured(operation) | Series::WarmUp(operation)) = interval.series else {
                continue;
            };
            if interval.series.operation().is_some() {
                add(&mut latencies.whole, operation, &interval.histogram);
            }
            let start_s = latencies.column_start(interval.start);
            if start_s > present.start_s {
                latencies.columns.extend(present.column());
                present = Present {
                    start_s,
                    ..Present::default()
                };
            }
            add(&mut present.operations, operation, &interval.histogram);
        }
        latencies.columns.extend(present.column());
        Ok(latencies)
    }

    fn column_start(&self, start: Duration) -> f64 {
        (start.as_secs_f64() / self.column_s).floor() * self.column_s
    }
}

/// Period that is being read.
#[derive(Default)]
struct Present {
    start_s: f64,
    operations: BTreeMap<Operation, Histogram<u64>>,
}

impl Present {
    fn column(self) -> Option<Column> {
        if self.operations.is_empty() {
            return None;
        }
        let mut pods = BTreeMap::new();
        let recorded = self.operations.get(&Operation::Pod).into_iter();
        for value in recorded.flat_map(Histogram::iter_recorded) {
            *pods.entry(row(value.value_iterated_to())).or_insert(0) += value.count_at_value();
        }
        let operations = self.operations.iter();
        Some(Column {
            start_s: self.start_s,
            operations: operations
                .map(|(of, histogram)| (*of, OperationResult::new(*of, histogram, 0)))
                .collect(),
            pods,
        })
    }
}

fn add(sums: &mut BTreeMap<Operation, Histogram<u64>>, of: Operation, histogram: &Histogram<u64>) {
    sums.entry(of)
        .or_insert_with(recorder::histogram)
        .add(histogram)
        .expect("the bounds of all histograms are the same: the log's reader sees to it");
}
