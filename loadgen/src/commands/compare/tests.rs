//! Comparisons of results with varying seconds.

use super::figure::{Basis, Figure};
use super::latencies::Latencies;
use super::seconds::LEAST_SECONDS;
use super::side::Side;
use super::verdict::{Limits, Outcome, Verdict};
use super::{Comparison, table};
use crate::process::Sample;
use crate::record::operation::Operation;
use crate::record::recorder::histogram;
use crate::result::fixture::example;
use crate::result::key_figure::Statistic;
use crate::result::{Interval as Second, OperationResult};
use crate::stats::noise::Noise;

/// Properties of a generated run.
#[derive(Clone, Copy)]
struct RunShape {
    seed: u64,
    seconds: usize,
    /// Factor of its latencies.
    slower: f64,
}

/// Variation of a second, as a share.
const VARIES: f64 = 0.03;

fn operation(operation: Operation, count: u64, factor: f64) -> OperationResult {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some milliseconds"
    )]
    let ns = |ms: f64| (ms * factor * 1e6) as u64;
    OperationResult {
        operation,
        count,
        errors: 0,
        mean_ns: 5.2e6 * factor,
        min_ns: ns(2.0),
        p50_ns: ns(5.0),
        p90_ns: ns(7.0),
        p95_ns: None,
        p99_ns: ns(9.0),
        p999_ns: ns(12.0),
        max_ns: ns(15.0),
    }
}

/// Records calls with logarithms that rise evenly between the points of these
/// figures.
fn record(latencies: &mut Latencies, second: u64, figures: &OperationResult) {
    const STEPS: u64 = 200;
    let points = [
        (0.0, figures.min_ns),
        (0.5, figures.p50_ns),
        (0.9, figures.p90_ns),
        (0.99, figures.p99_ns),
        (0.999, figures.p999_ns),
        (1.0, figures.max_ns),
    ];
    let mut recorded = histogram();
    for step in 0..STEPS {
        let place = (step as f64 + 0.5) / STEPS as f64;
        let above = points.partition_point(|(share, _)| *share <= place);
        let ((from, low), (to, high)) = (points[above - 1], points[above]);
        let within = (place - from) / (to - from);
        let ns = (low as f64).powf(1.0 - within) * (high as f64).powf(within);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "some milliseconds"
        )]
        recorded.saturating_record_n(ns as u64, figures.count / STEPS);
    }
    latencies.add(figures.operation, second, &recorded);
}

fn run(shape: RunShape) -> Side {
    let RunShape {
        seed,
        seconds,
        slower,
    } = shape;
    let noise = Noise {
        resemblance: 0.3,
        outliers: 0.03,
        drift: 0.0,
    };
    let factors: Vec<f64> = noise
        .series(seed, seconds)
        .iter()
        .map(|varies| slower * (VARIES * varies).exp())
        .collect();
    let mut result = example();
    result.valid = true;
    result.reasons.clear();
    result.wall_s = seconds as f64;
    let mut cpu_s = 1.0;
    let first = result.processes[0].samples[0];
    let look = |at_s: f64, cpu_s| Sample {
        at_s,
        cpu_s,
        ..first
    };
    let samples = &mut result.processes[0].samples;
    *samples = vec![look(0.0, cpu_s)];
    let mut latencies = Latencies::default();
    result.timeline.clear();
    for (place, factor) in factors.iter().enumerate() {
        let pods = 1000.0 / factor;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "about a thousand"
        )]
        let pods = pods.round() as u64;
        cpu_s += pods as f64 * 0.0005 * factor;
        samples.push(look(place as f64 + 1.0, cpu_s));
        let operations = vec![
            operation(Operation::TaskCreate, 2 * pods, *factor),
            operation(Operation::Pod, pods, *factor),
        ];
        for figures in &operations {
            record(&mut latencies, place as u64, figures);
        }
        result.timeline.push(Second {
            start_s: place as f64,
            duration_s: 1.0,
            pods,
            begun: pods,
            rpcs: 20 * pods,
            errors: 0,
            in_flight: 8,
            operations,
        });
    }
    let pods: u64 = result.timeline.iter().map(|second| second.pods).sum();
    let mean = factors.iter().sum::<f64>() / seconds.max(1) as f64;
    result.totals.pods = pods;
    result.totals.pods_failed = 0;
    result.totals.pods_per_s = pods as f64 / seconds.max(1) as f64;
    result.processes[0].usage.cpu_user_s = cpu_s - 1.0;
    result.processes[0].usage.cpu_system_s = 0.0;
    result.operations = vec![
        operation(Operation::TaskCreate, 2 * pods.max(1), mean),
        operation(Operation::Pod, pods.max(1), mean),
    ];
    Side {
        paths: vec!["results/run".to_owned()],
        runs: vec![result],
        latencies: Some(latencies),
    }
}

/// Returns a single run of 20 s with the CPU time and latencies of another one, spread over
/// its seconds.
pub(super) fn with_seconds(other: &crate::result::RunResult, seed: u64) -> Side {
    let pod = other.pod().map_or(1.0, |pod| pod.p50_ns as f64 / 6e6);
    run(RunShape {
        seed,
        seconds: 20,
        slower: pod,
    })
}

fn compared(a: &Side, b: &Side) -> Comparison {
    let limits = Limits {
        cpu: 0.05,
        latency: 0.05,
    };
    Comparison::of(a, b, limits)
}

/// Returns a side of several runs of 20 s, each with seeds of its own.
fn runs(seed: u64, count: u64, slower: f64) -> Side {
    let sides = (0..count).map(|number| {
        run(RunShape {
            seed: 100 * seed + number,
            seconds: 20,
            slower,
        })
    });
    Side {
        runs: sides.flat_map(|side| side.runs).collect(),
        paths: vec!["results/runs".to_owned()],
        latencies: None,
    }
}

fn of(seconds: usize, slower: f64) -> Comparison {
    let run_of = |seed, slower| {
        run(RunShape {
            seed,
            seconds,
            slower,
        })
    };
    compared(&run_of(1, 1.0), &run_of(2, slower))
}

fn figure<'a>(comparison: &'a Comparison, what: &str, statistic: Statistic) -> &'a Figure {
    comparison
        .figures
        .iter()
        .find(|figure| figure.name.what == what && figure.name.statistic == statistic)
        .unwrap()
}

#[test]
fn every_figure_has_its_ratio() {
    let comparison = compared(&runs(1, 5, 1.0), &runs(2, 5, 1.25));
    for (what, statistic, ratio) in [
        ("task_create", Statistic::P50, 1.25),
        ("pod", Statistic::P50, 1.25),
        ("pod", Statistic::P99, 1.25),
        ("pod", Statistic::Mean, 1.25),
        ("pods", Statistic::Rate, 0.8),
        ("sandboxer", Statistic::Cpu, 1.25),
    ] {
        let found = figure(&comparison, what, statistic);
        assert!(
            (found.ratio.unwrap() / ratio - 1.0).abs() < 0.05,
            "{found:?}"
        );
        assert!(found.interval.unwrap().contains(ratio), "{found:?}");
        let verdict = if found.decides {
            Verdict::Slower
        } else {
            Verdict::Differs
        };
        assert_eq!(found.verdict, verdict, "{found:?}");
    }
    assert_eq!(comparison.outcome, Outcome::Slower);
    let decide = comparison.figures.iter().filter(|figure| figure.decides);
    let words: Vec<String> = decide.map(|figure| figure.name.words()).collect();
    assert_eq!(words, ["sandboxer CPU per pod", "pod p50"]);
    assert!(comparison.figures[..2].iter().all(|figure| figure.decides));
}

#[test]
fn faster_and_equal_sides_are_not_slower() {
    let faster = compared(&runs(1, 5, 1.0), &runs(2, 5, 0.8));
    let p50 = figure(&faster, "pod", Statistic::P50);
    assert_eq!(p50.verdict, Verdict::Faster);
    assert_eq!(faster.outcome, Outcome::Same);
    let same = compared(&runs(1, 8, 1.0), &runs(2, 8, 1.0));
    assert_eq!(figure(&same, "pod", Statistic::P50).verdict, Verdict::Same);
    assert_eq!(same.outcome, Outcome::Same);
}

#[test]
fn single_runs_differ_at_most_and_decide_nothing() {
    for slower in [0.5, 1.0, 2.0] {
        let comparison = of(30, slower);
        assert_eq!(comparison.basis, Basis::Seconds);
        assert_eq!(comparison.outcome, Outcome::Undecided);
        let p50 = figure(&comparison, "pod", Statistic::P50);
        let verdict = if (slower - 1.0_f64).abs() < 0.1 {
            Verdict::Undecided
        } else {
            Verdict::Differs
        };
        assert_eq!(p50.verdict, verdict, "{p50:?}");
        let text = table::text(&comparison);
        assert!(text.contains("one run a side cannot tell"), "{text}");
        assert!(text.contains("loadgen run --repeat 5"), "{text}");
    }
}

#[test]
fn two_runs_a_side_are_too_few_for_a_verdict() {
    for (in_a, in_b) in [(2, 2), (1, 2), (2, 4), (1, 18)] {
        let comparison = compared(&runs(1, in_a, 1.0), &runs(2, in_b, 3.0));
        assert_eq!(comparison.basis, Basis::FewRuns, "{in_a} {in_b}");
        assert_eq!(comparison.outcome, Outcome::Undecided);
        let cpu = figure(&comparison, "sandboxer", Statistic::Cpu);
        assert!(cpu.interval.is_some(), "{cpu:?}");
    }
    for (in_a, in_b) in [(3, 3), (2, 5), (1, 19)] {
        let comparison = compared(&runs(1, in_a, 1.0), &runs(2, in_b, 3.0));
        assert_eq!(comparison.outcome, Outcome::Slower, "{in_a} {in_b}");
    }
}

#[test]
fn sides_that_did_not_take_turns_are_remarked() {
    let (mut a, mut b) = (runs(1, 3, 1.0), runs(2, 3, 1.0));
    let begin = |side: &mut Side, minutes: [u32; 3]| {
        for (run, minute) in side.runs.iter_mut().zip(minutes) {
            run.header.started_at = format!("2026-01-02T03:{minute:02}:00Z");
        }
    };
    begin(&mut a, [0, 1, 2]);
    begin(&mut b, [3, 4, 5]);
    let remarked = |a: &Side, b: &Side| {
        let remarks = compared(a, b).remarks;
        remarks
            .iter()
            .any(|remark| remark.contains("did not take turns"))
    };
    assert!(remarked(&a, &b) && remarked(&b, &a));
    begin(&mut a, [0, 2, 4]);
    begin(&mut b, [1, 3, 5]);
    assert!(!remarked(&a, &b) && !remarked(&b, &a));
}

#[test]
fn a_figure_that_one_run_lacks_decides_nothing() {
    let (a, mut b) = (runs(1, 5, 1.0), runs(2, 5, 1.0));
    b.runs[3].processes.clear();
    let comparison = compared(&a, &b);
    let cpu = figure(&comparison, "sandboxer", Statistic::Cpu);
    assert_eq!((cpu.ratio, cpu.verdict), (None, Verdict::TooShort));
    assert_eq!(comparison.outcome, Outcome::Undecided);
}

#[test]
fn intervals_contain_the_true_ratio_as_often_as_promised() {
    const RUNS: u64 = 40;
    for seconds in [8, 20] {
        let missed = (0..RUNS).filter(|number| {
            let run_of = |seed| {
                run(RunShape {
                    seed,
                    seconds,
                    slower: 1.0,
                })
            };
            let comparison = compared(&run_of(2 * number), &run_of(2 * number + 1));
            let pod = figure(&comparison, "pod", Statistic::P50);
            !pod.interval.unwrap().contains(1.0)
        });
        // 5 %, plus three standard errors.
        assert!(missed.count() <= 6, "{seconds} seconds");
    }
}

#[test]
fn a_short_run_has_ratios_and_no_verdict() {
    let short = of(LEAST_SECONDS - 1, 2.0);
    for figure in &short.figures {
        assert!(
            figure.ratio.is_some() && figure.interval.is_none(),
            "{figure:?}"
        );
        assert_eq!(figure.verdict, Verdict::TooShort);
    }
    let text = table::text(&short);
    assert!(text.contains("undecided: no interval"), "{text}");
    assert!(
        text.contains("the shorter run has measurements of 7 s"),
        "{text}"
    );
}

#[test]
fn an_operation_of_one_run_only_is_shown_without_a_ratio() {
    let a = run(RunShape {
        seed: 1,
        seconds: 10,
        slower: 1.0,
    });
    let mut b = a.clone();
    b.runs[0].operations.remove(0);
    let comparison = compared(&a, &b);
    let create = figure(&comparison, "task_create", Statistic::P99);
    assert_eq!((create.b, create.ratio), (None, None));
    assert_eq!(create.verdict, Verdict::TooShort);
}

#[test]
fn without_a_log_latencies_have_ratios_and_no_intervals() {
    let run_of = |seed, slower| {
        run(RunShape {
            seed,
            seconds: 30,
            slower,
        })
    };
    let (a, mut b) = (run_of(1, 1.0), run_of(2, 1.25));
    b.latencies = None;
    let comparison = compared(&a, &b);
    let p50 = figure(&comparison, "pod", Statistic::P50);
    assert!(p50.ratio.is_some() && p50.interval.is_none(), "{p50:?}");
    let rate = figure(&comparison, "pods", Statistic::Rate);
    assert_eq!(rate.verdict, Verdict::Differs);
    let remark = "B has no latencies.hlog, so its latencies have no intervals";
    assert_eq!(comparison.remarks, [remark]);
}

#[test]
fn a_slower_tail_is_found_with_an_equal_median() {
    let with_tail = |ms: u64| {
        let mut run = run(RunShape {
            seed: 1,
            seconds: 30,
            slower: 1.0,
        });
        let mut latencies = Latencies::default();
        for second in 0..30 {
            // Between 1.5 % and 4.5 % of the calls, varying from second to second.
            let slow = 15 + second;
            let mut recorded = histogram();
            recorded.saturating_record_n(5_000_000, 1000 - slow);
            recorded.saturating_record_n(ms * 1_000_000, slow);
            latencies.add(Operation::Pod, second, &recorded);
        }
        let pod = run.runs[0].operations.last_mut().unwrap();
        (pod.p50_ns, pod.p99_ns) = (5_000_000, ms * 1_000_000);
        run.latencies = Some(latencies);
        run
    };
    let comparison = compared(&with_tail(20), &with_tail(30));
    let p50 = figure(&comparison, "pod", Statistic::P50);
    assert_eq!((p50.ratio, p50.verdict), (Some(1.0), Verdict::Undecided));
    let p99 = figure(&comparison, "pod", Statistic::P99);
    assert_eq!((p99.ratio, p99.verdict), (Some(1.5), Verdict::Differs));
    // In every resample, more than 1 % of the calls are slow.
    let within = p99.interval.unwrap();
    assert!((within.low / 1.5 - 1.0).abs() < 0.002, "{within:?}");
    assert!((within.high / 1.5 - 1.0).abs() < 0.002, "{within:?}");
}

#[test]
fn warm_up_does_not_count() {
    let shape = RunShape {
        seed: 1,
        seconds: 20,
        slower: 1.0,
    };
    let mut result = run(shape);
    let phase = |name: &str, measured, start_s| crate::result::PhaseResult {
        name: name.to_owned(),
        measured,
        start_s,
        duration_s: 10.0,
        offered: 0,
        started: 0,
        pod: result.runs[0].operations[0].clone(),
    };
    let phases = vec![phase("warm-up", false, 0.0), phase("steady", true, 10.0)];
    assert_eq!(compared(&result, &result).a.seconds, 20);
    result.runs[0].phases = phases;
    assert_eq!(compared(&result, &result).a.seconds, 10);
    result.runs[0].phases.clear();
    result.runs[0].wall_s = 15.0;
    assert_eq!(compared(&result, &result).a.seconds, 15);
}

#[test]
fn a_forced_comparison_says_so_at_the_top() {
    let shape = RunShape {
        seed: 1,
        seconds: 10,
        slower: 1.0,
    };
    let a = run(shape);
    let mut b = a.clone();
    b.runs[0].environment.cores = 64;
    let comparison = compared(&a, &b);
    let difference = "environment.cores: 2 in A, 64 in B";
    assert_eq!(comparison.incomparable, [difference]);
    let text = table::text(&comparison);
    assert!(text.starts_with("NOT COMPARABLE"), "{text}");
    let markdown = table::markdown(&comparison);
    assert!(markdown.contains("**Not comparable**"), "{markdown}");
    assert!(text.contains(difference) && markdown.contains(difference));
}

#[test]
fn markdown_has_as_many_cells_in_each_row() {
    let markdown = table::markdown(&compared(&runs(1, 3, 1.0), &runs(2, 3, 1.3)));
    let rows: Vec<_> = markdown
        .lines()
        .filter(|line| line.starts_with('|'))
        .collect();
    assert!(rows.len() > 8);
    for row in rows {
        assert_eq!(row.matches('|').count(), 7, "{row}");
    }
    assert!(markdown.contains("**SLOWER**"));
    assert!(markdown.starts_with("### loadgen compare: SLOWER: "));
}

#[test]
fn a_comparison_survives_json() {
    let comparison = of(10, 1.1);
    let json = serde_json::to_string(&comparison).unwrap();
    let read: Comparison = serde_json::from_str(&json).unwrap();
    assert_eq!(read.figures.len(), comparison.figures.len());
    assert_eq!(read.schema, super::SCHEMA);
}
