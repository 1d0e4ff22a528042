//! Decides for each figure how much the lag of the generator could have changed it.
//!
//! Latencies of pods in an open loop count from the intended start, so the time by which the
//! generator itself was late is a part of them. Each pod is recorded without its own lag, too.
//! A lag also changes the load: pods that are late by more than the mean time between two starts
//! arrive in a bunch, and wait for each other in the server. Their latencies are not trusted at
//! all.

use hdrhistogram::Histogram;

use super::OperationResult;
use super::latency::FigureResult;
use crate::record::operation::Operation;
use display::human;

/// Largest part of a valid figure that may be the generator's lag.
pub const MOST_MOVED: f64 = 0.05;

/// Statistic of a latency: its name for `--slo`, its quantile (`None` for the mean), and the
/// figure in a result, in nanoseconds.
type Statistic = (&'static str, Option<f64>, fn(&OperationResult) -> f64);

/// Statistics of which the validity is decided.
const STATISTICS: [Statistic; 7] = [
    ("mean", None, |told| told.mean_ns),
    ("p50", Some(0.5), |told| told.p50_ns as f64),
    ("p90", Some(0.9), |told| told.p90_ns as f64),
    ("p95", Some(0.95), |told| {
        told.p95_ns.unwrap_or_default() as f64
    }),
    ("p99", Some(0.99), |told| told.p99_ns as f64),
    ("p999", Some(0.999), |told| told.p999_ns as f64),
    ("max", Some(1.0), |told| told.max_ns as f64),
];

impl FigureResult {
    fn new(operation: Operation, statistic: &str, told_ns: f64, least_ns: f64) -> Self {
        let valid = told_ns - least_ns <= told_ns * MOST_MOVED;
        let reason = (!valid).then(|| {
            format!(
                "the generator's lag is up to {} of {}",
                human::duration(told_ns - least_ns),
                human::duration(told_ns),
            )
        });
        Self {
            operation,
            statistic: statistic.to_owned(),
            told_ns,
            least_ns,
            valid,
            reason,
        }
    }
}

/// Decides the validity of the figures of an open loop that offered `per_s` pods per second.
/// `without_lag` has the latencies of each operation without the lag of the pods, and `lags` the
/// lag of each pod, both in nanoseconds.
pub fn figures<'a>(
    told: &[OperationResult],
    without_lag: impl Fn(Operation) -> Option<&'a Histogram<u64>>,
    lags: &Histogram<u64>,
    per_s: f64,
) -> Vec<FigureResult> {
    let bunched = bunched(lags, per_s);
    let of = |told: &OperationResult| -> Vec<FigureResult> {
        let Some(times) = without_lag(told.operation).filter(|_| told.count > 0) else {
            return Vec::new();
        };
        STATISTICS
            .into_iter()
            .map(|(name, quantile, told_ns)| {
                let least = least(quantile, times, bunched);
                FigureResult::new(told.operation, name, told_ns(told), least)
            })
            .collect()
    };
    told.iter().flat_map(of).collect()
}

/// Returns whether the figure of an operation with the name of a statistic is valid; figures
/// without an entry are.
pub fn is_valid(figures: &[FigureResult], operation: Operation, statistic: &str) -> bool {
    figures
        .iter()
        .filter(|one| one.operation == operation && one.statistic == statistic)
        .all(|one| one.valid)
}

/// Returns the share of the pods that were late by more than the mean time between two starts.
fn bunched(lags: &Histogram<u64>, per_s: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive time; such a cast saturates"
    )]
    let apart = (1e9 / per_s) as u64;
    let late: u64 = lags
        .iter_recorded()
        .filter(|value| value.value_iterated_to() > apart)
        .map(|value| value.count_at_value())
        .sum();
    late as f64 / lags.len().max(1) as f64
}

/// Returns the least value of a quantile, or of the mean without one, if the share `bunched` of the pods, those with the
/// largest latencies, had been as fast as the fastest pod.
fn least(quantile: Option<f64>, times: &Histogram<u64>, bunched: f64) -> f64 {
    match quantile {
        Some(quantile) => times.value_at_quantile((quantile - bunched).max(0.0)) as f64,
        None => {
            let fast = (1.0 - bunched) * times.len() as f64;
            let (mut left, mut sum) = (fast, 0.0);
            for value in times.iter_recorded() {
                let count = (value.count_at_value() as f64).min(left);
                sum += count * times.median_equivalent(value.value_iterated_to()) as f64;
                left -= count;
            }
            let slow = times.len() as f64 - fast;
            (sum + slow * times.min() as f64) / times.len().max(1) as f64
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::recorder::histogram;
    use proptest::prelude::*;

    /// Latencies without lag and lags of pods, in nanoseconds.
    type Pods = Vec<(u64, u64)>;

    fn judged(pods: &Pods, per_s: f64) -> Vec<FigureResult> {
        let (mut told, mut without, mut lags) = (histogram(), histogram(), histogram());
        for (latency, lag) in pods {
            told.record(latency + lag).unwrap();
            without.record(*latency).unwrap();
            lags.record((*lag).max(1)).unwrap();
        }
        let told = [OperationResult::new(Operation::Pod, &told, 0)];
        figures(&told, |_| Some(&without), &lags, per_s)
    }

    fn valid(pods: &Pods, per_s: f64) -> Vec<String> {
        let figures = judged(pods, per_s);
        let valid = figures.into_iter().filter(|figure| figure.valid);
        valid.map(|figure| figure.statistic).collect()
    }

    const MS: u64 = 1_000_000;

    #[test]
    fn a_lag_that_is_small_beside_a_figure_leaves_it_valid() {
        // A tail of 460 ms beside a median of 4 ms, and a lag of 0.8 ms of each 50th pod.
        let pods = (0..1000).map(|n| {
            let latency = if n % 50 == 7 { 460 * MS } else { 4 * MS };
            (latency, if n % 50 == 0 { 800_000 } else { 50_000 })
        });
        let all = ["mean", "p50", "p90", "p95", "p99", "p999", "max"];
        assert_eq!(valid(&pods.collect(), 100.0), all);
    }

    #[test]
    fn a_lag_of_each_pod_by_a_tenth_makes_every_figure_invalid() {
        let pods = vec![(10 * MS, MS); 1000];
        assert_eq!(valid(&pods, 100.0), [""; 0]);
        let reason = judged(&pods, 100.0)[1].reason.clone().unwrap();
        assert!(reason.contains(" of 11.0ms"), "{reason}");
    }

    #[test]
    fn rare_late_pods_make_the_tail_invalid_and_not_the_median() {
        let pods = (0..1000).map(|n| (10 * MS, if n % 50 == 0 { 5 * MS } else { 1 }));
        assert_eq!(valid(&pods.collect(), 100.0), ["mean", "p50", "p90", "p95"]);
    }

    #[test]
    fn pods_that_came_in_a_bunch_are_not_trusted() {
        // A pause of 0.3 s at 100 pods/s: the late pods wait for each other in the server.
        let pods: Pods = (0..500)
            .map(|n| match n {
                0..30 => (50 * MS, (300 - 10 * n) * MS),
                _ => (10 * MS, 1),
            })
            .collect();
        let figures = judged(&pods, 100.0);
        assert!(is_valid(&figures, Operation::Pod, "p50"));
        assert!(!is_valid(&figures, Operation::Pod, "p99"));
        assert!(is_valid(&figures, Operation::TaskStart, "p99"));
        let p99 = figures.iter().find(|one| one.statistic == "p99").unwrap();
        assert!(p99.least_ns < 11e6, "{p99:?}");
    }

    fn pods() -> impl Strategy<Value = Pods> {
        prop::collection::vec((1_000_000..1_000_000_000_u64, 1_u64..100_000_000), 1..200)
    }

    proptest! {
        #[test]
        fn scaling_all_times_leaves_the_validity_as_it_is(
            pods in pods(), scale in 0..5_u32, per_s in 1.0..1000.0_f64,
        ) {
            let factor = 1 << scale;
            let scaled = pods.iter().map(|(latency, lag)| (latency * factor, lag * factor)).collect();
            let before = judged(&pods, per_s);
            let after = judged(&scaled, per_s / f64::from(1 << scale));
            for (before, after) in before.iter().zip(&after) {
                let moved = (before.told_ns - before.least_ns) / before.told_ns;
                // The histograms round to a thousandth.
                prop_assume!((moved - MOST_MOVED).abs() > 0.003);
                prop_assert_eq!(before.valid, after.valid, "{:?} {:?}", before, after);
            }
        }

        #[test]
        fn more_lag_never_makes_an_invalid_figure_valid(
            mut pods in pods(), more in prop::collection::vec(0..100_000_000_u64, 200),
            per_s in 1.0..1000.0_f64,
        ) {
            let before = judged(&pods, per_s);
            pods.iter_mut().zip(more).for_each(|((_, lag), more)| *lag += more);
            let after = judged(&pods, per_s);
            for (before, after) in before.iter().zip(&after) {
                prop_assert!(before.valid || !after.valid, "{:?} {:?}", before, after);
            }
        }
    }
}
