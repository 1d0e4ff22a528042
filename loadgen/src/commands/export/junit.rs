//! Verdicts of a result as test cases, in the XML of JUnit that CI systems show.

use maud::{PreEscaped, html};

use crate::commands::any_result::AnyResult;
use crate::commands::gate::decide::{Decision, Standing};
use crate::commands::gate::result::GateResult;
use crate::commands::overhead::result::{Bar, OverheadResult};
use crate::result::ErrorResult;

/// Test cases of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    name: String,
    cases: Vec<Case>,
}

/// A test case.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Case {
    name: String,
    outcome: Outcome,
}

/// Outcome of a test case.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    /// Undecided.
    Skipped(String),
}

/// Returns the test cases of a result; `None` if this kind of result has no verdict.
pub fn of(result: &AnyResult) -> Option<Suite> {
    let (name, cases) = match result {
        AnyResult::Run(result) => (
            &result.scenario.name,
            vec![no_errors(&result.errors), valid(&result.reasons)],
        ),
        AnyResult::Repeated(result) => (&result.scenario.name, vec![valid(&result.reasons)]),
        AnyResult::Density(result) => (
            &result.scenario.name,
            vec![no_errors(&result.errors), valid(&result.reasons)],
        ),
        AnyResult::Search(result) => {
            let met = match result.met {
                Some(_) => Outcome::Passed,
                None => Outcome::Failed(result.conclusion.join("; ")),
            };
            let met = case(&format!("a rate meets {}", result.slo.join(", ")), met);
            (&result.scenario.name, vec![met, valid(&result.reasons)])
        }
        AnyResult::Gate(result) => return Some(of_gate(result)),
        AnyResult::Overhead(result) => return Some(of_overhead(result)),
        AnyResult::Calibration(_) => return None,
    };
    Some(Suite {
        name: format!("loadgen {name}"),
        cases,
    })
}

fn case(name: &str, outcome: Outcome) -> Case {
    Case {
        name: name.to_owned(),
        outcome,
    }
}

fn no_errors(errors: &[ErrorResult]) -> Case {
    let shown = |error: &ErrorResult| {
        let operation = error.operation.name();
        format!(
            "{} × {operation} {}: {}",
            error.count, error.code, error.example
        )
    };
    let shown: Vec<_> = errors.iter().map(shown).collect();
    case("no errors", without(&shown))
}

fn valid(reasons: &[String]) -> Case {
    case("the figures are valid", without(reasons))
}

/// Passes without problems, and fails with their words otherwise.
fn without(problems: &[String]) -> Outcome {
    if problems.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Failed(problems.join("\n"))
    }
}

fn of_gate(result: &GateResult) -> Suite {
    let mut cases = vec![no_errors(&result.errors)];
    for judged in &result.metrics {
        let change = format!("{:+.1} %", judged.change * 100.0);
        let outcome = match (judged.standing, result.decision) {
            (Standing::Shown, _) => continue,
            (Standing::Slower, _) => Outcome::Failed(change),
            (Standing::NotSlower, _) | (Standing::Open, Decision::Pass) => Outcome::Passed,
            (Standing::Open, _) => Outcome::Skipped(change),
        };
        cases.push(case(
            &format!("{} is not higher", judged.metric.name()),
            outcome,
        ));
    }
    Suite {
        name: "loadgen gate".to_owned(),
        cases,
    }
}

fn of_overhead(result: &OverheadResult) -> Suite {
    let mut cases = vec![no_errors(&result.errors), valid(&result.reasons)];
    cases.extend(result.bars.iter().map(|bar| {
        let Bar {
            what, unit, limit, ..
        } = bar;
        let outcome = if bar.met {
            Outcome::Passed
        } else {
            Outcome::Failed(format!("{} {unit}", bar.found))
        };
        case(&format!("{what} at most {limit} {unit}"), outcome)
    }));
    Suite {
        name: "loadgen overhead".to_owned(),
        cases,
    }
}

/// Returns the suites as a document.
pub fn text(suites: &[Suite]) -> String {
    let body = html! {
        testsuites {
            @for suite in suites {
                testsuite name=(plain(&suite.name)) tests=(suite.cases.len())
                    failures=(count(suite, |outcome| matches!(outcome, Outcome::Failed(_))))
                    skipped=(count(suite, |outcome| matches!(outcome, Outcome::Skipped(_)))) {
                    @for case in &suite.cases {
                        testcase classname=(plain(&suite.name)) name=(plain(&case.name)) {
                            @match &case.outcome {
                                Outcome::Passed => {}
                                Outcome::Failed(why) => {
                                    failure message=(plain(first_line(why))) { (plain(why)) }
                                }
                                Outcome::Skipped(why) => {
                                    skipped message=(plain(first_line(why))) {}
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    let head = PreEscaped(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
    html! { (head) "\n" (body) "\n" }.into_string()
}

fn count(suite: &Suite, is: impl Fn(&Outcome) -> bool) -> usize {
    suite.cases.iter().filter(|case| is(&case.outcome)).count()
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

/// Returns text without the characters that XML 1.0 has no way to write (section 2.2).
fn plain(text: &str) -> String {
    let allowed = |c: &char| !c.is_control() || matches!(c, '\t' | '\n' | '\r');
    text.chars().filter(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn errors_of_a_run_fail_a_case_and_are_escaped() {
        let mut run = example();
        run.reasons = Vec::new();
        run.errors.truncate(1);
        run.errors[0].example = "a <b> & \"c\"\u{1b}".to_owned();
        let suite = of(&AnyResult::Run(Box::new(run))).unwrap();
        let text = text(&[suite]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], r#"<?xml version="1.0" encoding="UTF-8"?>"#);
        assert!(
            text.contains(r#"<testsuite name="loadgen churn" tests="2" failures="1" skipped="0">"#),
            "{text}"
        );
        assert!(
            text.contains("a &lt;b&gt; &amp; &quot;c&quot;</failure>"),
            "{text}"
        );
        assert!(
            text.contains(r#"name="the figures are valid"></testcase>"#),
            "{text}"
        );
    }
}
