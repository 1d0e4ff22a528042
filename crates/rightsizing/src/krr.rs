//! Recommendation of krr's strategy `simple`.
//!
//! Semantics are those of `robusta_krr/strategies/simple.py` and of the rounding in
//! `robusta_krr/core/runner.py` of robusta-dev/krr at commit d6baa7453e, with the defaults of its
//! command line and with `--use-oomkill-data`.

use inventory::{Sample, Timestamp};

use crate::lack::Lack;
use crate::series::Series;

const HOUR: i64 = 3_600 * 1_000_000_000;
/// Time before the end of which samples count (`history_duration`: two weeks).
const HISTORY: i64 = 24 * 7 * 2 * HOUR;
/// Samples of all pods that a recommendation needs (`points_required`).
pub(crate) const POINTS: usize = 100;
/// Recorded time that a recommendation needs (`history_range_enough`).
pub(crate) const RANGE: i64 = 3 * HOUR;
/// Percentile of CPU usage (`cpu_percentile`).
const CPU_QUANTILE: f64 = 0.95;
/// Factors of the largest memory usage (`memory_buffer_percentage`), and of the memory limit of
/// a container that was ended for lack of memory (`oom_memory_buffer_percentage`).
const MEMORY_FACTOR: f64 = 1.0 + 15.0 / 100.0;
const OOM_FACTOR: f64 = 1.0 + 25.0 / 100.0;
/// Least CPU in millicores (`cpu_min_value`) and memory in MiB (`memory_min_value`).
const MINIMUM_MILLICORES: i64 = 10;
const MINIMUM_MIB: i64 = 100;
const MIB: i64 = 1 << 20;

/// Returns the CPU request in millicores: the largest of the pods' 95th percentiles, rounded up
/// to a millicore, at least 10. krr sets no limit.
///
/// `range` is the whole recorded time in nanoseconds, and samples from two weeks before `end` on
/// count.
///
/// # Errors
/// Fewer than 100 samples of all pods, or less than three hours of recorded time.
pub fn cpu_request(pods: &[Series<'_>], range: i64, end: Timestamp) -> Result<i64, Lack> {
    let cores = |sample: &Sample| {
        let nanocores = sample.cpu_nanocores.filter(|nanocores| *nanocores >= 0)?;
        Some(nanocores as f64 / 1e9)
    };
    let pods = values(pods, end, cores);
    enough(&pods, range)?;
    let usage = pods.into_iter().filter_map(quantile).fold(0.0, f64::max);
    Ok(whole(usage * 1000.0).max(MINIMUM_MILLICORES))
}

/// Returns the memory request in bytes, which is krr's limit, too: the largest usage and 15 %, and
/// the limit and 25 % if the container was ended for lack of memory, rounded up to a MiB, at least
/// 100 MiB.
///
/// # Errors
/// As [`cpu_request`].
pub fn memory_request(
    pods: &[Series<'_>],
    limit: Option<i64>,
    range: i64,
    end: Timestamp,
) -> Result<i64, Lack> {
    let bytes = |sample: &Sample| {
        let bytes = sample.memory_bytes.filter(|bytes| *bytes >= 0)?;
        Some(bytes as f64)
    };
    let values = values(pods, end, bytes);
    enough(&values, range)?;
    let largest = values.into_iter().flatten().fold(0.0, f64::max);
    let was_ended = pods
        .iter()
        .any(|pod| recent(pod.samples(), end).any(|sample| sample.oom_killed));
    let limit = limit.filter(|_| was_ended).unwrap_or(0);
    let usage = (largest * MEMORY_FACTOR).max(limit as f64 * OOM_FACTOR);
    let mebibytes = whole(usage * (1.0 / MIB as f64)).max(MINIMUM_MIB);
    Ok(mebibytes.saturating_mul(MIB))
}

/// Returns the samples of the two weeks before `end`.
fn recent(samples: &[Sample], end: Timestamp) -> impl Iterator<Item = &Sample> {
    let first = end.0.saturating_sub(HISTORY);
    let from = samples.partition_point(|sample| sample.time.0 < first);
    let to = samples.partition_point(|sample| sample.time < end);
    samples[from..to.max(from)].iter()
}

fn values(
    pods: &[Series<'_>],
    end: Timestamp,
    value: impl Fn(&Sample) -> Option<f64>,
) -> Vec<Vec<f64>> {
    pods.iter()
        .map(|pod| recent(pod.samples(), end).filter_map(&value).collect())
        .collect()
}

fn enough(pods: &[Vec<f64>], range: i64) -> Result<(), Lack> {
    let points = pods.iter().map(Vec::len).sum();
    if points < POINTS || range < RANGE {
        return Err(Lack { points, range });
    }
    Ok(())
}

/// Returns a quantile by linear interpolation (`quantile_over_time` of Prometheus).
fn quantile(mut values: Vec<f64>) -> Option<f64> {
    let rank = CPU_QUANTILE * (values.len().checked_sub(1)? as f64);
    let lower = usize::try_from(whole(rank.floor())).ok()?;
    let weight = rank - rank.floor();
    let (_, lower, above) = values.select_nth_unstable_by(lower, f64::total_cmp);
    let next = above.iter().copied().min_by(f64::total_cmp);
    let upper = next.unwrap_or(*lower);
    Some(*lower * (1.0 - weight) + upper * weight)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "rounded before, and such a cast saturates"
)]
fn whole(value: f64) -> i64 {
    value.ceil() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(count: i64, cpu: impl Fn(i64) -> i64, memory: i64) -> Vec<Sample> {
        let sample = |minute| Sample {
            time: Timestamp::from_seconds(minute * 60),
            cpu_nanocores: Some(cpu(minute)),
            memory_bytes: Some(memory),
            oom_killed: false,
        };
        (0..count).map(sample).collect()
    }

    const END: Timestamp = Timestamp(24 * HOUR);

    #[test]
    fn cpu_is_the_largest_percentile_of_the_pods() {
        // 0, 1, ... 200 millicores: the rank of the quantile is exactly 190.
        let steady = samples(201, |minute| minute * 1_000_000, 1);
        let (calm, idle) = (samples(201, |_| 1, 1), samples(1, |_| 0, 1));
        let pods = [&steady, &calm, &idle].map(|pod| Series::new(pod));
        assert_eq!(cpu_request(&pods, RANGE, END), Ok(190));
        assert_eq!(cpu_request(&pods[1..2], RANGE, END), Ok(10));
    }

    #[test]
    fn a_percentile_between_two_samples_is_interpolated() {
        // The rank is 0.95 * 101 = 95.95: 0.05 * 950 + 0.95 * 960 = 959.5 millicores.
        let pod = samples(102, |minute| minute * 10_000_000, 1);
        assert_eq!(cpu_request(&[Series::new(&pod)], RANGE, END), Ok(960));
    }

    #[test]
    fn memory_is_the_largest_usage_and_15_percent_in_whole_mebibytes() {
        let pod = samples(200, |_| 1, 200 << 20);
        let pods = [Series::new(&pod)];
        assert_eq!(
            memory_request(&pods, Some(1 << 30), RANGE, END),
            Ok(230 << 20)
        );
        let small = samples(200, |_| 1, 5);
        assert_eq!(
            memory_request(&[Series::new(&small)], None, RANGE, END),
            Ok(100 << 20)
        );
    }

    #[test]
    fn an_end_for_lack_of_memory_raises_the_limit_by_25_percent() {
        let mut pod = samples(200, |_| 1, 200 << 20);
        pod[7].oom_killed = true;
        let pods = [Series::new(&pod)];
        assert_eq!(
            memory_request(&pods, Some(1 << 30), RANGE, END),
            Ok(1280 << 20)
        );
        assert_eq!(memory_request(&pods, None, RANGE, END), Ok(230 << 20));
    }

    #[test]
    fn a_hundred_points_and_three_hours_are_needed() {
        let (few, enough) = (samples(99, |_| 1, 1), samples(100, |_| 1, 1));
        let lack = cpu_request(&[Series::new(&few)], RANGE, END).unwrap_err();
        assert_eq!(lack.to_string(), "not enough data: 99 points in 3.0 h");
        assert!(cpu_request(&[Series::new(&enough)], RANGE, END).is_ok());
        assert!(memory_request(&[Series::new(&enough)], None, RANGE - 1, END).is_err());
    }

    #[test]
    fn samples_older_than_two_weeks_do_not_count() {
        let pod = samples(30_000, |minute| i64::from(minute < 100) * 5_000_000_000, 1);
        let end = Timestamp::from_seconds(30_000 * 60);
        assert_eq!(cpu_request(&[Series::new(&pod)], RANGE, end), Ok(10));
    }
}
