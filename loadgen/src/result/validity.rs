//! Checks the validity of the figures of a run.

use std::time::Duration;

use crate::drive::engine::Measured;
use crate::record::operation::Operation;
use crate::result::LoadResult;
use display::human;

/// Required share of the offered rate.
const LEAST_STARTED: f64 = 0.99;

/// Maximum of the lag's 99th percentile, as a share of the pods' median latency. With a
/// larger lag, the figures visibly measure the generator.
const MOST_LAG: f64 = 0.1;

/// Maximum of the time for which this program may stand still. Over a longer time the calls
/// under way, and in a closed loop the rate, measure the standstill.
const MOST_PAUSE: Duration = Duration::from_secs(1);

/// Returns the reasons against the validity of the figures; empty if there are none.
/// `planned` is the number of pods to run, `None` if the time limit ended the run. `pause` is
/// the longest time for which this program did not run.
pub fn reasons(
    measured: &Measured,
    load: &LoadResult,
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
    reasons.extend(kept_up(measured, load));
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
/// as their median latency.
pub fn too_late(load: &LoadResult, time_ns: f64) -> bool {
    load.lag
        .is_some_and(|lag| lag.p99_ns as f64 > time_ns * MOST_LAG)
}

/// Returns the reasons for which an open loop was not generated as planned.
fn kept_up(measured: &Measured, load: &LoadResult) -> Vec<String> {
    let mut reasons = Vec::new();
    if let (Some(offered), Some(started)) = (load.offered_pods_per_s, load.started_pods_per_s)
        && too_few(load)
    {
        reasons.push(format!(
            "pods were started at {}, {:.1} % short of the {} that were offered (at most 1 %)",
            human::rate(started),
            (1.0 - started / offered) * 100.0,
            human::rate(offered),
        ));
    }
    let pods = measured.recorder.histogram(Operation::Pod);
    let p50_ns = pods.value_at_quantile(0.5);
    if let Some(lag) = load.lag
        && too_late(load, p50_ns as f64)
    {
        reasons.push(format!(
            "the generator began pods up to {} late (p99), more than a tenth of their median \
             latency of {}: give it more CPU, or a lower rate",
            human::nanoseconds(lag.p99_ns),
            human::nanoseconds(p50_ns),
        ));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::recorder::Recorder;
    use crate::result::{Lag, LoadMode};

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
            most_in_flight: 1,
            arrivals: Vec::new(),
            held: None,
            lost: false,
            timed_out: false,
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
            reasons(&measured(10), &load, Some(10), pause, &[]),
            ["the generator stood still for 3.0 s: it was stopped, or had no CPU"]
        );
    }

    #[test]
    fn a_missed_rate_and_a_late_pacer_are_named() {
        let found = reasons(&measured(10), &open(100.0, 98.9, 1100), None, NO_PAUSE, &[]);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found[0].contains("98.9/s, 1.1 % short of the 100/s"),
            "{found:?}"
        );
        assert!(found[1].contains("1.10ms late (p99)"), "{found:?}");
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
        let found = reasons(&lost, &load, Some(10), NO_PAUSE, &complaints);
        assert_eq!(
            found,
            [
                "a connection was lost",
                "only 9 of 10 pods were run",
                "a FIFO was left"
            ]
        );
        assert_eq!(
            reasons(&measured(0), &load, None, NO_PAUSE, &[]),
            ["no pod was measured"]
        );
    }
}
