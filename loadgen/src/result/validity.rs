//! Checks the validity of the figures of a run.

use std::time::Duration;

use crate::drive::engine::Measured;
use crate::record::operation::Operation;
use crate::result::{FigureResult, LoadMode, LoadResult, lag};
use display::human;

/// Required share of the offered rate.
const LEAST_STARTED: f64 = 0.99;

/// Maximum of the lag's 99th percentile, as a share of a time that a figure is compared with. With a
/// larger lag, a figure of this size may measure the generator.
const MOST_LAG: f64 = 0.1;

/// Maximum of the time for which this program may stand still. Over a longer time the calls
/// under way, and in a closed loop the rate, measure the standstill.
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// Maximum of the time for which the load threads of an open loop may wait for a CPU, as a share
/// of the time that the pods took. The pods under way wait with the threads.
const MOST_WAITED: f64 = 0.1;

/// Returns the reasons against the validity of a whole run; empty if there are none.
/// `planned` is the number of pods to run, `None` if the time limit ended the run. `pause` is
/// the longest time for which this program did not run.
pub fn reasons(
    measured: &Measured,
    load: &LoadResult,
    figures: &[FigureResult],
    planned: Option<u64>,
    pause: Duration,
    complaints: &[String],
) -> Vec<String> {
    let mut reasons = Vec::new();
    let recorder = &measured.recorder;
    let errors = recorder.errors_in_all();
    if errors > 0 {
        reasons.push(format!("{} errors", human::count(errors)));
    }
    if measured.lost {
        reasons.push("a connection was lost".to_owned());
    }
    if recorder.left_behind() > 0 {
        reasons.push(format!(
            "{} pods could not be removed",
            human::count(recorder.left_behind())
        ));
    }
    match planned {
        Some(planned) if measured.pods < planned => reasons.push(format!(
            "only {} of {} pods were run",
            human::count(measured.pods),
            human::count(planned)
        )),
        _ => {}
    }
    if recorder.histogram(Operation::Pod).is_empty() && errors == 0 {
        reasons.push("no pod was measured".to_owned());
    }
    if pause >= MOST_PAUSE {
        reasons.push(format!(
            "the generator stood still for {:.1} s: it was stopped, or had no CPU",
            pause.as_secs_f64()
        ));
    }
    reasons.extend(kept_up(load));
    reasons.extend(lagged(load, figures));
    reasons.extend(starved(measured, load));
    reasons.extend(complaints.iter().cloned());
    reasons
}

/// Returns whether too few pods of an open loop were started because too many were in
/// progress.
pub fn too_few(load: &LoadResult) -> bool {
    match (load.offered_pods_per_s, load.started_pods_per_s) {
        (Some(offered), Some(started)) => started < offered * LEAST_STARTED,
        _ => false,
    }
}

/// Returns whether pods of an open loop were begun so late that it shows in a time such
/// as a threshold of a search.
pub fn too_late(load: &LoadResult, time_ns: f64) -> bool {
    load.lag
        .is_some_and(|lag| lag.p99_ns as f64 > time_ns * MOST_LAG)
}

/// Returns the reason for which an open loop was not generated as planned.
fn kept_up(load: &LoadResult) -> Option<String> {
    let (offered, started) = (load.offered_pods_per_s?, load.started_pods_per_s?);
    too_few(load).then(|| {
        format!(
            "pods were started at {}, {:.1} % short of the {} that were offered (at most 1 %)",
            human::rate(started),
            (1.0 - started / offered) * 100.0,
            human::rate(offered),
        )
    })
}

/// Returns the reason for which neither the pods' median nor their 99th percentile is valid.
fn lagged(load: &LoadResult, figures: &[FigureResult]) -> Option<String> {
    let lag = load.lag?;
    let is_valid = |statistic| lag::is_valid(figures, Operation::Pod, statistic);
    if is_valid("p50") || is_valid("p99") {
        return None;
    }
    let mut median = figures.iter();
    let median = median.find(|one| one.operation == Operation::Pod && one.statistic == "p50")?;
    Some(format!(
        "the generator began pods up to {} late (p99), which is over a twentieth of their median \
         latency of {} and of their p99: give it more CPU, or a lower rate",
        human::nanoseconds(lag.p99_ns),
        human::duration(median.told_ns),
    ))
}

/// Returns the reason for which the load threads of an open loop had too little CPU time: they
/// waited for a CPU for longer than they ran, and for over a tenth of the time of the pods.
fn starved(measured: &Measured, load: &LoadResult) -> Option<String> {
    let (cpu, pods) = (
        measured.cpu?,
        measured.recorder.histogram(Operation::PodService),
    );
    if load.mode == LoadMode::Closed {
        return None;
    }
    let in_pods = pods.mean() * pods.len() as f64 / 1e9;
    let available = in_pods.min(measured.wall.as_secs_f64());
    let waited = cpu.waited.as_secs_f64();
    (cpu.waited > cpu.ran && waited > available * MOST_WAITED).then(|| {
        format!(
            "the generator waited {waited:.1} s for a CPU and ran {:.1} s: give it more CPU",
            cpu.ran.as_secs_f64(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drive::engine::CpuTime;
    use crate::record::recorder::Recorder;
    use crate::result::Lag;

    const NO_PAUSE: Duration = Duration::from_millis(900);

    fn measured(pods: u64) -> Measured {
        let mut recorder = Recorder::default();
        for _ in 0..pods {
            recorder.success(Operation::Pod, Duration::from_millis(10));
        }
        Measured {
            recorder,
            wall: Duration::from_secs(1),
            warm_up: Duration::ZERO,
            pods,
            rpcs: 0,
            abandoned: 0,
            most_in_flight: 1,
            arrivals: Vec::new(),
            held: None,
            lost: false,
            timed_out: false,
            cpu: None,
        }
    }

    fn open(offered: f64, started: f64, lag_us: u64) -> LoadResult {
        LoadResult {
            mode: LoadMode::Open,
            offered_pods_per_s: Some(offered),
            started_pods_per_s: Some(started),
            lag: Some(Lag {
                p50_ns: 1,
                p99_ns: lag_us * 1000,
                max_ns: lag_us * 1000,
            }),
            max_in_flight: 1,
        }
    }

    #[test]
    fn a_load_as_planned_is_valid() {
        assert_eq!(
            reasons(
                &measured(10),
                &open(100.0, 99.1, 999),
                &[],
                Some(10),
                NO_PAUSE,
                &[]
            ),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_generator_that_stood_still_is_named() {
        let pause = Duration::from_millis(2960);
        let load = open(100.0, 100.0, 1);
        assert_eq!(
            reasons(&measured(10), &load, &[], Some(10), pause, &[]),
            ["the generator stood still for 3.0 s: it was stopped, or had no CPU"]
        );
    }

    fn figure(statistic: &str, valid: bool) -> FigureResult {
        FigureResult {
            operation: Operation::Pod,
            statistic: statistic.to_owned(),
            told_ns: 10e6,
            least_ns: 9e6,
            valid,
            reason: None,
        }
    }

    #[test]
    fn a_missed_rate_and_a_late_generator_are_named() {
        let load = open(100.0, 98.9, 1100);
        let figures = [figure("p50", false), figure("p99", false)];
        let found = reasons(&measured(10), &load, &figures, None, NO_PAUSE, &[]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("98.9/s, 1.1 % short of the 100/s"),
            "{found:?}"
        );
        assert!(found[1].contains("1.10ms late (p99)"), "{found:?}");
    }

    #[test]
    fn a_run_with_a_valid_median_or_p99_is_valid() {
        let load = open(100.0, 100.0, 1100);
        for (median, p99) in [(true, false), (false, true)] {
            let figures = [figure("p50", median), figure("p99", p99)];
            let found = reasons(&measured(10), &load, &figures, None, NO_PAUSE, &[]);
            assert_eq!(found, Vec::<String>::new());
        }
    }

    #[test]
    fn a_generator_that_waited_longer_for_a_cpu_than_it_ran_is_named() {
        let load = open(100.0, 100.0, 1);
        let mut starved = measured(10);
        for _ in 0..10 {
            let took = Duration::from_millis(10);
            starved.recorder.success(Operation::PodService, took);
        }
        let mut reasons = |ran, waited| {
            let [ran, waited] = [ran, waited].map(Duration::from_millis);
            starved.cpu = Some(CpuTime { ran, waited });
            reasons(&starved, &load, &[], Some(10), NO_PAUSE, &[])
        };
        assert!(reasons(5, 60)[0].contains("waited 0.1 s for a CPU"));
        assert_eq!(reasons(70, 60), Vec::<String>::new());
        // Beside the time of the pods it does not show.
        assert_eq!(reasons(5, 9), Vec::<String>::new());
    }

    #[test]
    fn pods_that_were_not_run_are_named() {
        let mut lost = measured(9);
        lost.lost = true;
        let load = LoadResult {
            mode: LoadMode::Closed,
            offered_pods_per_s: None,
            started_pods_per_s: None,
            lag: None,
            max_in_flight: 1,
        };
        let complaints = ["a FIFO was left".to_owned()];
        let found = reasons(&lost, &load, &[], Some(10), NO_PAUSE, &complaints);
        assert_eq!(
            found,
            [
                "a connection was lost",
                "only 9 of 10 pods were run",
                "a FIFO was left"
            ]
        );
        assert_eq!(
            reasons(&measured(0), &load, &[], None, NO_PAUSE, &[]),
            ["no pod was measured"]
        );
    }
}
