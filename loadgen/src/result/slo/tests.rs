//! Thresholds are read, written and checked.

use super::*;
use crate::result::FigureResult;
use crate::result::fixture::example;
use proptest::prelude::*;

fn slo(text: &str) -> Slo {
    text.parse().unwrap()
}

#[test]
#[expect(clippy::float_cmp, reason = "whole numbers are exact")]
fn a_threshold_says_operation_statistic_comparison_and_limit() {
    let parsed = slo("pod.p99<20ms");
    assert_eq!(
        parsed,
        Slo {
            operation: Operation::Pod,
            statistic: Statistic::P99,
            comparison: Comparison::Below,
            limit: 20e6,
        }
    );
    assert_eq!(slo("task_create.mean <= 1.5s").limit, 1.5e9);
    assert_eq!(slo("pod.max>=3us").comparison, Comparison::AtLeast);
    assert_eq!(slo("pod.p50<7µs").limit, 7e3);
    assert_eq!(slo("pod.rate>100/s").limit, 100.0);
    assert_eq!(slo("pod.rate>100").limit, 100.0);
    assert_eq!(slo("pod.errors<=0").limit, 0.0);
    assert_eq!(slo("pod.p95<1ms").statistic, Statistic::P95);
    assert_eq!(slo("pod.errors<0.1%").statistic, Statistic::ErrorShare);
    assert_eq!(slo("pod.errors<0.1%").to_string(), "pod.errors<0.1%");
}

#[test]
fn a_mistake_is_named_with_a_valid_form() {
    for (text, words) in [
        ("", "pod.p99<20ms"),
        ("pod.p99=20ms", "<, <=, > or >="),
        ("pod<20ms", "OPERATION.STATISTIC"),
        ("pud.p99<20ms", "\"pud\"; one of sandbox_create,"),
        (
            "task_creat.p99<20ms",
            "\"task_creat\", did you mean \"task_create\"?; one of",
        ),
        ("pod.p98<20ms", "\"p98\"; one of mean, p50,"),
        ("pod.p99<20", "\"20\" is no limit for p99: a time"),
        ("pod.p99<20/s", "a time such as"),
        ("pod.p99<-1ms", "a time such as"),
        ("pod.p99<nanms", "a time such as"),
        ("pod.p99<ms", "a time such as"),
        ("pod.rate>20ms", "a number per second"),
        ("pod.errors<1/s", "a number such as 0"),
        ("pod.p99<<20ms", "\"<20ms\" is no limit"),
    ] {
        let message = text.parse::<Slo>().unwrap_err().to_string();
        assert!(message.contains(words), "{text:?}: {message}");
    }
}

#[test]
fn a_run_meets_or_misses_it() {
    let result = example();
    for (text, line) in [
        (
            "task_create.p99<1ms",
            "met: task_create.p99 is 990µs, to be below 1.00ms",
        ),
        (
            "task_create.p50<400us",
            "MISSED: task_create.p50 is 500µs, to be below 400µs",
        ),
        (
            "task_create.rate>=400/s",
            "met: task_create.rate is 400/s, to be at least 400/s",
        ),
        (
            "task_state.errors<=99%",
            "MISSED: task_state.errors is 100.000 %, to be at most 99.000 %",
        ),
        (
            "task_state.errors<=1",
            "MISSED: task_state.errors is 2, to be at most 1",
        ),
    ] {
        assert_eq!(slo(text).check(&result).to_string(), line);
    }
    assert!(check(&[slo("pod.errors<=0")], &result)[0].met);
}

#[test]
fn a_threshold_for_an_invalid_figure_is_unknown() {
    let mut result = example();
    result.figures = vec![FigureResult {
        operation: Operation::TaskCreate,
        statistic: "p99".to_owned(),
        told_ns: 990e3,
        least_ns: 900e3,
        valid: false,
        reason: Some("late".to_owned()),
    }];
    let outcome = slo("task_create.p99<1ms").check(&result);
    assert!(!outcome.known);
    assert_eq!(
        outcome.to_string(),
        "unknown: task_create.p99 is 990µs with over a twentieth of generator's lag, to be \
         below 1.00ms"
    );
    assert!(slo("task_create.p50<1ms").check(&result).known);
}

#[test]
fn a_threshold_without_a_measurement_is_not_met() {
    let result = example();
    for text in ["task_kill.p99<1s", "run_pod_sandbox.errors<=0"] {
        let outcome = slo(text).check(&result);
        assert_eq!((outcome.found, outcome.met), (None, false));
        assert!(
            outcome.to_string().contains("was not measured"),
            "{outcome}"
        );
    }
}

prop_compose! {
    fn any_slo()(
        operation in prop::sample::select(&Operation::ALL[..]),
        statistic in prop::sample::select(&Statistic::ALL[..]),
        (_, comparison) in prop::sample::select(&Comparison::ALL[..]),
        limit in prop_oneof![0.0..1e12_f64, (0_u32..1_000_000).prop_map(f64::from)],
    ) -> Slo {
        Slo { operation, statistic, comparison, limit }
    }
}

proptest! {
    #[test]
    fn a_written_threshold_is_parsed_again(slo in any_slo()) {
        let text = slo.to_string();
        let read: Slo = text.parse().unwrap();
        let close = (read.limit - slo.limit).abs() <= slo.limit * 1e-12;
        prop_assert!(close, "{} {} {}", text, read.limit, slo.limit);
        prop_assert_eq!(Slo { limit: slo.limit, ..read }, slo);
    }

    #[test]
    fn no_text_does_harm(text in "\\PC{0,30}") {
        let _ = text.parse::<Slo>();
    }

    #[test]
    fn a_text_similar_to_a_threshold_does_no_harm(text in "(pod|x)?\\.?(p99|rate)?[<>=]{0,3}[0-9.e-]{0,8}[a-zµ/]{0,3}") {
        if let Ok(slo) = text.parse::<Slo>() {
            prop_assert!(slo.limit.is_finite() && slo.limit >= 0.0);
        }
    }
}
