//! Latencies of a run, second by second, from the log beside its result.
//!
//! The histogram of each second is kept as recorded, so a percentile of resampled
//! seconds is exactly the percentile of one histogram with all their calls.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use hdrhistogram::Histogram;

use crate::record::hdr_log::{self, LogError, LogProblem};
use crate::record::operation::Operation;
use crate::result::directory::HISTOGRAM_FILE;

/// Latencies in nanoseconds with their numbers of calls, rising.
type Counts = Vec<(u64, u64)>;

/// Counts of each operation, by number of the second.
#[derive(Debug, Clone, Default)]
pub struct Latencies(BTreeMap<Operation, BTreeMap<u64, Counts>>);

impl Latencies {
    /// Reads the log beside a result, given as a directory or a file in it; `None` if
    /// there is no log.
    ///
    /// # Errors
    /// If the log cannot be read.
    pub fn beside(result: &Path) -> Result<Option<Self>, LogError> {
        let dir = if result.is_dir() {
            result
        } else {
            result.parent().unwrap_or(Path::new(""))
        };
        let log = match hdr_log::open(&dir.join(HISTOGRAM_FILE)) {
            Err(LogError {
                source: LogProblem::Io(error),
                ..
            }) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            log => log?,
        };
        let mut latencies = Self::default();
        for interval in log {
            let interval = interval?;
            if let Some(operation) = interval.series.operation() {
                let second = interval.start.as_secs();
                latencies.add(operation, second, &interval.histogram);
            }
        }
        Ok(Some(latencies))
    }

    /// Adds the calls of one second.
    pub fn add(&mut self, operation: Operation, second: u64, histogram: &Histogram<u64>) {
        let counts = histogram.iter_recorded();
        let counts = counts.map(|one| (one.value_iterated_to(), one.count_at_value()));
        let seconds = self.0.entry(operation).or_default();
        seconds.entry(second).or_default().extend(counts);
    }

    /// Returns the latencies of an operation in these seconds, prepared for
    /// resampling.
    pub fn of(&self, operation: Operation, seconds: &[u64]) -> Seconds {
        let known = self.0.get(&operation);
        let counts = |second| known.and_then(|known| known.get(second));
        let counts: Vec<Option<&Counts>> = seconds.iter().map(counts).collect();
        let values = counts.iter().copied().flatten().flatten();
        let values: BTreeSet<u64> = values.map(|(value, _)| *value).collect();
        let values: Vec<u64> = values.into_iter().collect();
        Seconds {
            below: counts
                .iter()
                .map(|counts| below(*counts, &values))
                .collect(),
            values,
        }
    }
}

/// Latencies of one operation in some seconds.
#[derive(Debug)]
pub struct Seconds {
    /// All recorded latencies, in nanoseconds, rising.
    values: Vec<u64>,
    /// For each second, the number of calls with at most each latency of `values`.
    below: Vec<Vec<u64>>,
}

impl Seconds {
    /// Returns the latency at a quantile of the calls in the seconds at these places,
    /// in nanoseconds; `None` without calls.
    pub fn quantile(&self, places: &[usize], quantile: f64) -> Option<u64> {
        let last = self.values.len().checked_sub(1)?;
        let below = |at: usize| -> u64 { places.iter().map(|of| self.below[*of][at]).sum() };
        let all = below(last);
        if all == 0 {
            return None;
        }
        // The rule of the histogram for the call at a quantile.
        let wanted = ((quantile * all as f64).ceil()).max(1.0);
        let (mut low, mut high) = (0, last);
        while low < high {
            let middle = usize::midpoint(low, high);
            if (below(middle) as f64) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(self.values[low])
    }

    /// Returns for each second the sum of latencies, in nanoseconds, and the number
    /// of calls.
    pub fn sums(&self) -> Vec<(f64, f64)> {
        let sum = |below: &Vec<u64>| {
            let mut before = 0;
            let calls = self.values.iter().zip(below).map(|(value, below)| {
                let calls = below - std::mem::replace(&mut before, *below);
                *value as f64 * calls as f64
            });
            (calls.sum(), below.last().map_or(0.0, |all| *all as f64))
        };
        self.below.iter().map(sum).collect()
    }
}

fn below(counts: Option<&Counts>, values: &[u64]) -> Vec<u64> {
    let mut counts = counts.map_or(&[][..], Vec::as_slice).iter().peekable();
    let mut sum = 0;
    let up_to = |value: &u64| {
        while let Some((_, count)) = counts.next_if(|(recorded, _)| recorded <= value) {
            sum += count;
        }
        sum
    };
    values.iter().map(up_to).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::record::recorder::histogram;
    use crate::record::tape::Part;
    use crate::result::fixture::RunFixture;

    fn of(seconds: &[&[u64]]) -> (Seconds, Vec<Histogram<u64>>) {
        let mut latencies = Latencies::default();
        let mut histograms = Vec::new();
        for (number, calls) in (0..).zip(seconds) {
            let mut recorded = histogram();
            calls.iter().for_each(|ns| recorded.saturating_record(*ns));
            latencies.add(Operation::Pod, number, &recorded);
            histograms.push(recorded);
        }
        let numbers: Vec<u64> = (0..).take(seconds.len()).collect();
        (latencies.of(Operation::Pod, &numbers), histograms)
    }

    /// Half of the seconds answer in 1 ms; the others answer 3 % of their calls in
    /// 100 ms. The 99th percentile of all calls is 100 ms, and six points of each
    /// second cannot show that.
    #[test]
    fn a_tail_in_some_seconds_is_found_at_its_latency() {
        let fast = [1_000_000; 1000];
        let mut stalled = fast;
        stalled[..30].fill(100_000_000);
        let (seconds, _) = of(&[&fast, &stalled]);
        let close = |found: Option<u64>, ns: u64| found.unwrap().abs_diff(ns) <= ns / 1000;
        assert!(close(seconds.quantile(&[0, 1], 0.99), 100_000_000));
        assert!(close(seconds.quantile(&[0, 1], 0.98), 1_000_000));
        // If resampled twice as often as the other, the fast second hides the tail.
        assert!(close(seconds.quantile(&[0, 0, 1, 0], 0.99), 1_000_000));
    }

    #[test]
    fn seconds_without_calls_have_no_percentiles() {
        let (seconds, _) = of(&[&[], &[5_000_000]]);
        assert_eq!(seconds.quantile(&[0], 0.5), None);
        assert!(seconds.quantile(&[0, 1], 0.5).is_some());
        assert_eq!(seconds.sums()[0], (0.0, 0.0));
        let none = Latencies::default().of(Operation::Pod, &[0, 1]);
        assert_eq!(none.quantile(&[0, 1], 0.5), None);
    }

    #[test]
    fn the_log_beside_a_result_is_read_and_warm_up_is_left_out() {
        let dir = tempfile::tempdir().unwrap();
        assert!(Latencies::beside(dir.path()).unwrap().is_none());
        let mut part = Part::default();
        let took = Duration::from_millis(3);
        part.measured.success(Operation::Pod, took);
        part.warm_up.success(Operation::Pod, took * 9);
        RunFixture::of(vec![Part::default(), part]).save(dir.path());
        for path in [dir.path().to_owned(), dir.path().join("result.json")] {
            let latencies = Latencies::beside(&path).unwrap().unwrap();
            let seconds = latencies.of(Operation::Pod, &[0, 1]);
            assert_eq!(seconds.quantile(&[0], 1.0), None);
            let slowest = seconds.quantile(&[0, 1], 1.0).unwrap();
            assert!(slowest.abs_diff(3_000_000) < 3000, "{slowest}");
        }
        std::fs::write(dir.path().join(HISTOGRAM_FILE), "no log").unwrap();
        assert!(Latencies::beside(dir.path()).is_err());
    }

    proptest! {
        #[test]
        fn a_quantile_is_that_of_one_histogram_of_all_calls(
            calls in prop::collection::vec(prop::collection::vec(1..60_000_000_000_u64, 0..40), 1..6),
            drawn in prop::collection::vec(0..6_usize, 1..9),
            quantile in prop::sample::select(vec![0.001, 0.5, 0.9, 0.99, 1.0]),
        ) {
            let calls: Vec<&[u64]> = calls.iter().map(Vec::as_slice).collect();
            let (seconds, histograms) = of(&calls);
            let places: Vec<usize> = drawn.iter().map(|place| place % calls.len()).collect();
            let mut whole = histogram();
            for place in &places {
                whole.add(&histograms[*place]).unwrap();
            }
            let expected = (!whole.is_empty()).then(|| whole.value_at_quantile(quantile));
            prop_assert_eq!(seconds.quantile(&places, quantile), expected);
            let (sum, count) = places.iter().map(|place| seconds.sums()[*place])
                .fold((0.0, 0.0), |(s, n), (sum, count)| (s + sum, n + count));
            prop_assert!((count - whole.len() as f64).abs() < 0.5);
            prop_assert!((sum / count.max(1.0) - whole.mean()).abs() <= whole.mean() / 500.0);
        }
    }
}
