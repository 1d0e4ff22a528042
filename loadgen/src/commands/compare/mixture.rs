//! The percentiles of seconds that were drawn anew.
//!
//! A second is known by six points of its distribution: least, p50, p90, p99, p99.9
//! and most. Between them the logarithm of the latency is taken to rise evenly. The
//! distribution of some seconds together is the sum of theirs, by their counts.

use crate::result::OperationResult;

/// How many latencies the distributions are looked at, evenly in their logarithm.
const GRID: usize = 256;

/// The distributions of one operation, second by second.
#[derive(Debug, Clone)]
pub struct Mixture {
    /// The logarithms of the latencies on the grid.
    logs: Vec<f64>,
    /// For each second, how many calls were at most as slow as each of them.
    counts: Vec<Vec<f64>>,
}

impl Mixture {
    /// Of each second's figures; `None` for a second without. `None` without any.
    pub fn of(seconds: &[Option<&OperationResult>]) -> Option<Self> {
        let known = || seconds.iter().flatten().filter(|second| second.count > 0);
        let log = |ns: u64| (ns.max(1) as f64).ln();
        let low = known().map(|second| log(second.min_ns)).reduce(f64::min)?;
        let high = known().map(|second| log(second.max_ns)).reduce(f64::max)?;
        let step = (high - low) / (GRID - 1) as f64;
        let logs: Vec<f64> = (0..GRID).map(|at| low + at as f64 * step).collect();
        let counts = seconds
            .iter()
            .map(|second| match second {
                Some(second) => below(second, &logs),
                None => vec![0.0; GRID],
            })
            .collect();
        Some(Self { logs, counts })
    }

    /// The latency of a place from 0 to 1 in the seconds at these places, as a
    /// logarithm; `None` if nothing was answered in them.
    pub fn log_quantile(&self, places: &[usize], place: f64) -> Option<f64> {
        let below = |at: usize| -> f64 { places.iter().map(|of| self.counts[*of][at]).sum() };
        let all = below(GRID - 1);
        if all <= 0.0 {
            return None;
        }
        let wanted = place * all;
        // The first point of the grid that has enough below.
        let (mut low, mut high) = (0, GRID - 1);
        while low < high {
            let middle = usize::midpoint(low, high);
            if below(middle) < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        let Some(before) = low.checked_sub(1) else {
            return Some(self.logs[0]);
        };
        let (less, more) = (below(before), below(low));
        let within = (wanted - less) / (more - less);
        Some(self.logs[before] + within * (self.logs[low] - self.logs[before]))
    }
}

/// How many of a second's calls took no longer than each of these, in rising order.
fn below(second: &OperationResult, logs: &[f64]) -> Vec<f64> {
    let points = [
        (second.min_ns, 0.0),
        (second.p50_ns, 0.5),
        (second.p90_ns, 0.9),
        (second.p99_ns, 0.99),
        (second.p999_ns, 0.999),
        (second.max_ns, 1.0),
    ]
    .map(|(ns, share)| ((ns.max(1) as f64).ln(), share));
    let mut above = 0;
    let share = |log: &f64| {
        while above < points.len() && points[above].0 <= *log {
            above += 1;
        }
        let share = match (above.checked_sub(1), points.get(above)) {
            (None, _) => 0.0,
            (Some(_), None) => 1.0,
            (Some(before), Some((to, more))) => {
                let (from, less) = points[before];
                less + (more - less) * (log - from) / (to - from)
            }
        };
        second.count as f64 * share
    };
    logs.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::operation::Operation;

    fn second(count: u64, micros: [u64; 6]) -> OperationResult {
        let [min_ns, p50_ns, p90_ns, p99_ns, p999_ns, max_ns] = micros.map(|one| one * 1000);
        OperationResult {
            operation: Operation::Pod,
            count,
            errors: 0,
            mean_ns: 0.0,
            min_ns,
            p50_ns,
            p90_ns,
            p99_ns,
            p999_ns,
            max_ns,
        }
    }

    fn close(found: Option<f64>, micros: f64) {
        let found = found.unwrap().exp() / 1000.0;
        assert!((found / micros - 1.0).abs() < 0.02, "{found} {micros}");
    }

    #[test]
    fn one_second_has_its_own_percentiles() {
        let one = second(100, [100, 200, 400, 800, 900, 1000]);
        let mixture = Mixture::of(&[Some(&one)]).unwrap();
        close(mixture.log_quantile(&[0], 0.5), 200.0);
        close(mixture.log_quantile(&[0], 0.99), 800.0);
        close(mixture.log_quantile(&[0], 0.0), 100.0);
        close(mixture.log_quantile(&[0], 1.0), 1000.0);
    }

    #[test]
    fn seconds_count_by_their_calls() {
        let fast = second(900, [100, 110, 120, 130, 140, 150]);
        let slow = second(100, [1000, 1100, 1200, 1300, 1400, 1500]);
        let mixture = Mixture::of(&[Some(&fast), None, Some(&slow)]).unwrap();
        // A tenth of all calls are the slow ones: p95 is their median.
        close(mixture.log_quantile(&[0, 1, 2], 0.95), 1100.0);
        // Without the second that stalled there is nothing of it.
        close(mixture.log_quantile(&[0, 0, 1], 0.99), 130.0);
        assert_eq!(mixture.log_quantile(&[1], 0.5), None);
    }

    #[test]
    fn calls_that_all_took_the_same_have_that_for_every_percentile() {
        let one = second(5, [100; 6]);
        let mixture = Mixture::of(&[Some(&one), Some(&one)]).unwrap();
        close(mixture.log_quantile(&[0, 1], 0.5), 100.0);
        close(mixture.log_quantile(&[0, 1], 0.99), 100.0);
    }

    #[test]
    fn nothing_has_no_percentiles() {
        assert!(Mixture::of(&[None, Some(&second(0, [0; 6]))]).is_none());
    }
}
