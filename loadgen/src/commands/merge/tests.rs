//! A merged result equals the result of one run with all measurements.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::record::failure::Failure;
use crate::record::operation::Operation;
use crate::record::tape::Part as Measured;
use crate::result::OperationResult;
use crate::result::fixture::RunFixture;

/// One measurement of a run.
#[derive(Debug, Clone)]
struct Event {
    second: u32,
    what: What,
    /// Part that has the measurement.
    part: usize,
}

#[derive(Debug, Clone)]
enum What {
    Success(bool, Operation, Duration),
    Lag(Duration),
    OfPhase(Duration),
    Failure(Operation, &'static str),
}

const PARTS: usize = 3;

const SECONDS: u32 = 3;

fn event() -> impl Strategy<Value = Event> {
    let time = || (1..10_000_000_000_u64).prop_map(Duration::from_nanos);
    let measured = [
        Operation::SandboxCreate,
        Operation::Pod,
        Operation::PodService,
    ];
    let operation = || proptest::sample::select(measured.to_vec());
    let failing = proptest::sample::select(vec![Operation::SandboxCreate, Operation::Pod]);
    let what = prop_oneof![
        6 => (any::<bool>(), operation(), time()).prop_map(|(c, o, t)| What::Success(c, o, t)),
        1 => time().prop_map(What::Lag),
        1 => time().prop_map(What::OfPhase),
        1 => (failing, proptest::sample::select(&["gone", "late", "pid 7"][..]))
            .prop_map(|(operation, message)| What::Failure(operation, message)),
    ];
    (0..SECONDS, what, 0..PARTS).prop_map(|(second, what, part)| Event { second, what, part })
}

/// Returns a run with the events that `is_mine` selects.
fn run_of(events: &[Event], seed: u64, is_mine: impl Fn(&Event) -> bool) -> RunFixture {
    let mut seconds: Vec<_> = (0..SECONDS).map(|_| Measured::default()).collect();
    for event in events.iter().filter(|event| is_mine(event)) {
        let part = &mut seconds[event.second as usize];
        match event.what {
            What::Success(true, operation, took) => part.measured.success(operation, took),
            What::Success(false, operation, took) => part.warm_up.success(operation, took),
            What::Lag(late) => part.measured.lag(late),
            What::OfPhase(took) => part.measured.pod_of_phase(0, took),
            What::Failure(operation, message) => {
                part.measured.failure(&Failure::wrong(operation, message));
            }
        }
    }
    // Every part has the phase, with or without pods.
    seconds[0].measured.phase(0).started += 1;
    let mut made = RunFixture::of(seconds);
    made.result.scenario.seed = seed;
    made.result.plan_hash = format!("{seed:064x}");
    made
}

fn merged(parts: &[RunFixture]) -> (RunResult, Histograms) {
    let dir = tempfile::tempdir().unwrap();
    let dirs: Vec<_> = (0..parts.len())
        .map(|n| dir.path().join(format!("part-{n}")))
        .collect();
    for (part, dir) in parts.iter().zip(&dirs) {
        part.save(dir);
    }
    let out = dir.path().join("whole");
    let (result, _) = into(&out, &dirs, false, vec!["loadgen".to_owned()]).unwrap();
    assert_eq!(result::load(&out).unwrap(), result);
    (result, sums(&out))
}

fn sums(dir: &Path) -> Histograms {
    let mut sums = Histograms::new();
    for interval in hdr_log::read(&dir.join(HISTOGRAM_FILE)).unwrap() {
        add(&mut sums, interval.series, &interval.histogram);
    }
    sums
}

fn by_operation(figures: &[OperationResult]) -> BTreeMap<Operation, &OperationResult> {
    let present = figures
        .iter()
        .filter(|figures| figures.count + figures.errors > 0);
    present
        .map(|figures| (figures.operation, figures))
        .collect()
}

fn refused(parts: &[RunFixture]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let dirs: Vec<_> = (0..parts.len())
        .map(|n| dir.path().join(format!("part-{n}")))
        .collect();
    for (part, dir) in parts.iter().zip(&dirs) {
        part.save(dir);
    }
    let out = dir.path().join("whole");
    let error = into(&out, &dirs, false, Vec::new()).unwrap_err();
    assert!(!out.exists(), "nothing is left");
    format!("{:#}", anyhow::Error::from(error))
}

fn pods(seed: u64, number: u64) -> RunFixture {
    let event = |n| Event {
        second: 0,
        what: What::Success(true, Operation::Pod, Duration::from_millis(n)),
        part: 0,
    };
    let events: Vec<_> = (1..=number).map(event).collect();
    run_of(&events, seed, |_| true)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn parts_make_exactly_the_whole(events in proptest::collection::vec(event(), 0..60)) {
        let whole = run_of(&events, 99, |_| true);
        let parts: Vec<_> = (0..PARTS)
            .map(|part| run_of(&events, part as u64, |event| event.part == part))
            .collect();
        let (merged, histograms) = merged(&parts);

        let dir = tempfile::tempdir().unwrap();
        whole.save(dir.path());
        prop_assert_eq!(histograms, sums(dir.path()));

        let expected = &whole.result;
        prop_assert_eq!(by_operation(&merged.operations), by_operation(&expected.operations));
        prop_assert_eq!(&merged.totals, &expected.totals);
        prop_assert_eq!(merged.load.lag, expected.load.lag);
        prop_assert_eq!(&merged.phases[0].pod, &expected.phases[0].pod);
        prop_assert_eq!(merged.wall_s.to_bits(), expected.wall_s.to_bits());
        prop_assert_eq!(merged.timeline.len(), expected.timeline.len());
        for (merged, expected) in merged.timeline.iter().zip(&expected.timeline) {
            let sums = |interval: &crate::result::Interval| {
                (interval.begun, interval.pods, interval.rpcs, interval.errors)
            };
            prop_assert_eq!(sums(merged), sums(expected));
            for figures in &expected.operations {
                prop_assert_eq!(by_operation(&merged.operations)[&figures.operation].p99_ns, figures.p99_ns);
                prop_assert_eq!(by_operation(&merged.operations)[&figures.operation].count, figures.count);
            }
        }
        let classes = |result: &RunResult| -> BTreeMap<_, _> {
            let errors = result.errors.iter();
            errors.map(|e| ((e.operation, e.code.clone(), e.class.clone()), e.count)).collect()
        };
        prop_assert_eq!(classes(&merged), classes(expected));
    }
}

#[test]
fn seconds_follow_the_wall_clock() {
    let (early, mut late) = (pods(1, 2), pods(2, 3));
    late.started += Duration::from_millis(2_300);
    let (merged, _) = merged(&[late, early]);
    let pods: Vec<_> = merged.timeline.iter().map(|second| second.pods).collect();
    assert_eq!(pods, [2, 0, 3, 0, 0]);
    assert!((merged.wall_s - 5.3).abs() < 1e-9, "{}", merged.wall_s);
    assert!(
        merged
            .notes
            .iter()
            .any(|note| note.contains("begun 2.3 s after the first"))
    );
    assert_eq!(merged.scenario.pods, 8);
    assert_eq!(merged.scenario.connections, 8);
}

#[test]
fn reasons_against_a_part_are_reasons_against_the_whole() {
    let (good, mut bad) = (pods(1, 2), pods(2, 3));
    (bad.result.valid, bad.result.complete) = (false, false);
    bad.result.reasons = vec!["a connection was lost".to_owned()];
    let (merged, _) = merged(&[good, bad]);
    assert!(!merged.valid && !merged.complete);
    assert_eq!(merged.reasons, ["part-1: a connection was lost"]);
}

#[test]
fn processes_have_the_number_of_their_part() {
    let (merged, _) = merged(&[pods(1, 2), pods(2, 3)]);
    let roles: Vec<_> = merged
        .processes
        .iter()
        .map(|process| &*process.role)
        .collect();
    assert_eq!(roles, ["sandboxer 1", "sandboxer 2"]);
}

#[test]
fn parts_of_different_runs_are_refused() {
    let mut other = pods(2, 3);
    other.result.scenario.timeout_s = 9.0;
    let message = refused(&[pods(1, 2), other]);
    assert!(message.contains("part-1 does not belong to "), "{message}");
    assert!(
        message.ends_with("its scenario.timeout_s is 9.0, not 30.0"),
        "{message}"
    );
    let (mut one, mut other) = (pods(1, 2), pods(2, 3));
    one.result.scenario.document = "seed = 1\n[load]\npods = 2\nconcurrency = 8\n".to_owned();
    other.result.scenario.document = "seed = 2\n[load]\npods = 3\nconcurrency = 8\n".to_owned();
    merged(&[one, other]);
    let (mut one, mut other) = (pods(1, 2), pods(2, 3));
    one.result.scenario.document = "seed = 1\n[load]\nconcurrency = 8\n".to_owned();
    other.result.scenario.document = "seed = 2\n[load]\nconcurrency = 9\n".to_owned();
    let message = refused(&[one, other]);
    assert!(message.ends_with("its scenario.document.load.concurrency is 9, not 8"));
    let mut other = pods(2, 3);
    other.result.phases.clear();
    assert!(refused(&[pods(1, 2), other]).contains("its phases is [], not"));
}

#[test]
fn the_same_part_twice_is_refused() {
    let message = refused(&[pods(1, 2), pods(2, 2), pods(1, 2)]);
    assert!(message.contains("part-0 and ") && message.contains("part-2 ran the same plan"));
}

/// Returns a part of a plan with the hash of seed 7.
fn part(number: u32, of: u32) -> RunFixture {
    let mut made = pods(7, 2);
    made.result.scenario.part = Some(crate::workload::part::Part { number, of });
    made
}

#[test]
fn parts_of_one_plan_have_its_hash_together() {
    let mut elsewhere = part(0, 2);
    elsewhere.result.scenario.endpoint = Some("unix:///other.sock".to_owned());
    let (merged, _) = merged(&[part(1, 2), elsewhere]);
    assert_eq!(merged.plan_hash, format!("{:064x}", 7));
    assert_eq!(merged.scenario.part, None);
    assert_eq!(merged.totals.pods, 4);
}

#[test]
fn missing_doubled_and_foreign_parts_are_refused() {
    let message = refused(&[part(0, 4), part(2, 4), part(3, 4)]);
    assert!(message.ends_with("of 4 parts 1 is missing"), "{message}");
    let message = refused(&[part(0, 4), part(2, 4)]);
    assert!(
        message.ends_with("of 4 parts 1, 3 are missing"),
        "{message}"
    );
    let message = refused(&[part(0, 2), part(1, 2), part(1, 2)]);
    assert!(message.ends_with("part-2 are both part 1/2"), "{message}");
    let message = refused(&[part(0, 2), pods(7, 2)]);
    assert!(
        message.contains("part-1 is not one of 2 parts"),
        "{message}"
    );
    let message = refused(&[part(0, 2), part(1, 3)]);
    assert!(
        message.contains("part-1 is not one of 2 parts"),
        "{message}"
    );
    let mut other = part(1, 2);
    other.result.plan_hash = format!("{:064x}", 8);
    let message = refused(&[part(0, 2), other]);
    assert!(
        message.contains("part-1 is a part of another plan"),
        "{message}"
    );
}

#[test]
fn an_interrupted_part_is_refused_by_name() {
    let mut interrupted = part(1, 3);
    interrupted.result.complete = false;
    let message = refused(&[part(0, 3), interrupted, part(2, 3)]);
    assert!(
        message.contains("part-1 is part 1/3, which was interrupted"),
        "{message}"
    );
}

#[test]
fn different_parts_are_merged_on_demand() {
    let mut other = pods(2, 3);
    other.result.scenario.timeout_s = 9.0;
    let dir = tempfile::tempdir().unwrap();
    let dirs = ["a", "b"].map(|name| dir.path().join(name));
    pods(1, 2).save(&dirs[0]);
    other.save(&dirs[1]);
    let (merged, parts) = into(&dir.path().join("whole"), &dirs, true, Vec::new()).unwrap();
    assert_eq!((merged.totals.pods, parts.len()), (5, 2));
    let text = parts::render(&parts);
    assert_eq!(text.lines().count(), 3, "{text}");
}

#[test]
fn histograms_of_another_result_are_refused() {
    let mut lying = pods(2, 3);
    lying
        .result
        .operations
        .iter_mut()
        .for_each(|figures| figures.count += 1);
    let message = refused(&[pods(1, 2), lying]);
    assert!(message.contains("part-1: the histograms in latencies.hlog are not those of"));
    assert!(message.contains("counts 1 of sandbox_create"), "{message}");
}

#[test]
fn an_existing_directory_is_refused_and_unchanged() {
    let dir = tempfile::tempdir().unwrap();
    let part = dir.path().join("part");
    pods(1, 2).save(&part);
    let error = into(&part, std::slice::from_ref(&part), false, Vec::new()).unwrap_err();
    let message = format!("{:#}", anyhow::Error::from(error));
    assert!(message.contains("part: File exists"), "{message}");
    assert!(part.join("result.json").exists());
}
