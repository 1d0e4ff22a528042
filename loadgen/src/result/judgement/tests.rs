use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::result::{Lag, LoadMode};

/// Records pods from their lags and their own times, in milliseconds.
fn recorded(pods: impl IntoIterator<Item = (u64, u64)>) -> Recorder {
    let mut recorder = Recorder::default();
    for (lag, own) in pods {
        recorder.lag(Duration::from_millis(lag));
        recorder.success(Operation::Pod, Duration::from_millis(lag + own));
        recorder.success(Operation::PodService, Duration::from_millis(own));
    }
    recorder
}

fn load(recorder: &Recorder, started: f64) -> LoadResult {
    LoadResult {
        mode: LoadMode::Open,
        offered_pods_per_s: Some(100.0),
        started_pods_per_s: Some(started),
        lag: Some(Lag::new(recorder.lags())),
        max_in_flight: 10,
    }
}

fn judged_at(slos: &[&str], recorder: &Recorder, started: f64) -> RateJudgement {
    let slos: Vec<Slo> = slos.iter().map(|slo| slo.parse().unwrap()).collect();
    let evidence = Evidence {
        recorder,
        operations: Operation::OF_TASKS,
        wall_s: 10.0,
        load: &load(recorder, started),
        offered_s: 10.0,
    };
    RateJudgement::of(&slos, &evidence)
}

fn judged(slo: &str, recorder: &Recorder) -> Judgement {
    judged_at(&[slo], recorder, 100.0).judgement()
}

const LATE: Judgement = Judgement::Unknown(Cause::Late);

#[test]
fn latencies_far_beyond_a_threshold_miss_it_however_late_the_generator_was() {
    // 7 s pods, of which the generator's lag is 10 ms.
    let recorder = recorded((0..1000).map(|_| (10, 7000)));
    assert_eq!(judged("pod.p99<50ms", &recorder), Judgement::Missed);
    // Half of the time is lag, and the rest misses as well.
    let recorder = recorded((0..1000).map(|_| (3000, 3000)));
    assert_eq!(judged("pod.p99<50ms", &recorder), Judgement::Missed);
    assert_eq!(judged("pod.mean<50ms", &recorder), Judgement::Missed);
    assert_eq!(judged("pod.max<50ms", &recorder), Judgement::Missed);
}

#[test]
fn latencies_that_waited_for_a_permit_miss_without_the_service_latency() {
    let mut recorder = Recorder::default();
    for _ in 0..1000 {
        recorder.lag(Duration::from_millis(20));
        recorder.success(Operation::Pod, Duration::from_secs(7));
        recorder.success(Operation::PodService, Duration::from_millis(5));
    }
    assert_eq!(judged("pod.p99<50ms", &recorder), Judgement::Missed);
}

#[test]
fn a_miss_that_the_lag_may_have_caused_is_unknown() {
    let recorder = recorded((0..1000).map(|_| (100, 5)));
    assert_eq!(judged("pod.p99<50ms", &recorder), LATE);
    assert_eq!(judged("pod.mean<50ms", &recorder), LATE);
    assert_eq!(judged("pod.max<50ms", &recorder), LATE);
    // Two percent of the pods are late, which is enough for the miss.
    let recorder = recorded((0..1000).map(|n| if n % 50 == 0 { (100, 5) } else { (1, 5) }));
    assert_eq!(judged("pod.p99<50ms", &recorder), LATE);
    assert_eq!(judged("pod.p50<50ms", &recorder), Judgement::Met);
}

#[test]
fn a_negligible_lag_changes_nothing() {
    let recorder = recorded((0..1000).map(|_| (4, 48)));
    assert_eq!(judged("pod.p99<50ms", &recorder), Judgement::Missed);
}

#[test]
fn a_threshold_that_is_met_in_spite_of_the_lag_is_met() {
    let recorder = recorded((0..1000).map(|_| (30, 5)));
    assert_eq!(judged("pod.p99<50ms", &recorder), Judgement::Met);
    // The lag makes a lower limit look met.
    assert_eq!(judged("pod.p99>20ms", &recorder), LATE);
    assert_eq!(judged("pod.max>20ms", &recorder), LATE);
}

#[test]
fn each_threshold_is_judged_on_its_own_and_a_miss_decides() {
    let recorder = recorded((0..1000).map(|_| (100, 30)));
    let judged = judged_at(&["pod.p99<90ms", "pod.p50<20ms"], &recorder, 100.0);
    let each: Vec<_> = judged.thresholds.iter().map(|t| t.judgement).collect();
    assert_eq!(each, [LATE, Judgement::Missed]);
    assert_eq!(judged.judgement(), Judgement::Missed);
    let lines: Vec<_> = judged.thresholds.iter().map(ToString::to_string).collect();
    assert!(lines[0].starts_with("unknown: pod.p99 is"), "{lines:?}");
    assert!(lines[0].ends_with("(the generator was late)"), "{lines:?}");
    assert!(lines[1].starts_with("MISSED: pod.p50 is"), "{lines:?}");
}

#[test]
fn a_percentile_needs_enough_pods() {
    let few = |needed| Judgement::Unknown(Cause::TooFewPods { needed });
    let pods = |count: usize| recorded((0..count).map(|_| (0, 5)));
    assert_eq!(judged("pod.p99<50ms", &pods(367)), few(Some(368)));
    assert_eq!(judged("pod.p99<50ms", &pods(368)), Judgement::Met);
    assert_eq!(judged("pod.p50<50ms", &pods(5)), few(Some(6)));
    assert_eq!(judged("pod.p50<50ms", &pods(6)), Judgement::Met);
    assert_eq!(judged("pod.p999<50ms", &pods(3000)), few(Some(3688)));
    // A clear miss needs few pods.
    assert_eq!(judged("pod.p99<5ms", &pods(2)), Judgement::Missed);
    // As many above the limit as a p99 at the limit would have.
    let at_limit = recorded((0..1000).map(|n| (0, if n < 10 { 60 } else { 5 })));
    assert_eq!(judged("pod.p99<50ms", &at_limit), few(None));
    // These need no number of pods.
    assert_eq!(judged("pod.max<50ms", &pods(1)), Judgement::Met);
    assert_eq!(judged("pod.errors<=0", &pods(1)), Judgement::Met);
}

#[test]
fn an_operation_that_was_not_measured_misses() {
    let recorder = recorded([(0, 5)]);
    assert_eq!(judged("task_kill.p99<1s", &recorder), Judgement::Missed);
    assert_eq!(
        judged("run_pod_sandbox.errors<=0", &recorder),
        Judgement::Missed
    );
}

#[test]
fn missing_starts_are_the_servers_unless_the_lag_explains_them() {
    let starts = |lag_ms, started| {
        let recorder = recorded((0..1000).map(|_| (lag_ms, 5)));
        judged_at(&["pod.p99<5s"], &recorder, started).judgement()
    };
    assert_eq!(starts(1, 99.5), Judgement::Met);
    assert_eq!(starts(1, 90.0), Judgement::Missed);
    // A second late at the end of ten leaves a tenth of the pods for later.
    assert_eq!(starts(1000, 90.0), LATE);
    assert_eq!(starts(1000, 70.0), Judgement::Missed);
}

#[test]
fn a_rate_may_be_low_because_of_the_lag() {
    // 1,000 pods in 10 s.
    let recorder = recorded((0..1000).map(|_| (1000, 5)));
    assert_eq!(judged("pod.rate>=99/s", &recorder), Judgement::Met);
    assert_eq!(judged("pod.rate>=105/s", &recorder), LATE);
    assert_eq!(judged("pod.rate>=120/s", &recorder), Judgement::Missed);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// The truth is known here: the pods' own times, without any lag.
    #[test]
    fn no_miss_is_claimed_that_the_lag_made(
        pods in prop::collection::vec((0_u64..200, 1_u64..200), 400..800),
        limit in 20_u64..300,
    ) {
        let slo = format!("pod.p90<{limit}ms");
        let without_lag = recorded(pods.iter().map(|(_, own)| (0, *own)));
        let truth = judged(&slo, &without_lag);
        let found = judged(&slo, &recorded(pods.iter().copied()));
        match found {
            // The lag is not negligible beside these limits.
            Judgement::Missed => prop_assert_eq!(truth, Judgement::Missed),
            Judgement::Met => prop_assert_eq!(truth, Judgement::Met),
            Judgement::Unknown(_) => {}
        }
    }
}
