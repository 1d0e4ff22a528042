//! Check that two results can be compared.

use serde_json::Value;

use crate::result::RunResult;

/// Fields of a scenario that may differ: paths of the compared programs, their
/// arguments, and the time limit of a call.
const MAY_DIFFER: &[&str] = &[
    "endpoint",
    "sandboxer",
    "sandboxer_args",
    "containerd",
    "timeout_s",
];

/// Returns the reasons against a comparison, one per field with both values; empty if
/// there are none.
///
/// All fields of scenario and machine must be equal except known exceptions, so that
/// fields added later are compared as well.
pub fn differences(a: &RunResult, b: &RunResult) -> Vec<String> {
    let mut found = Vec::new();
    for (which, result) in [("A", a), ("B", b)] {
        if !result.complete {
            found.push(format!("{which} is partial: complete is false"));
        }
        if !result.valid {
            let reasons = result.reasons.join("; ");
            found.push(format!("{which} is not valid: {reasons}"));
        }
    }
    differ(&mut found, "plan_hash", &a.plan_hash, &b.plan_hash);
    let parts = [
        ("scenario", value(&a.scenario), value(&b.scenario)),
        ("environment", value(&a.environment), value(&b.environment)),
    ];
    for (part, a, b) in parts {
        fields(&mut found, part, &a, &b);
    }
    differ(&mut found, "load.mode", &a.load.mode, &b.load.mode);
    let (a, b) = (a.load.offered_pods_per_s, b.load.offered_pods_per_s);
    differ(&mut found, "load.offered_pods_per_s", &a, &b);
    found
}

/// Returns the permitted differences as remarks for the reader.
pub fn remarks(a: &RunResult, b: &RunResult) -> Vec<String> {
    let mut found = Vec::new();
    differ(
        &mut found,
        "tool_version",
        &a.header.tool_version,
        &b.header.tool_version,
    );
    let (a, b) = (&a.scenario, &b.scenario);
    let args = "scenario.sandboxer_args";
    differ(&mut found, args, &a.sandboxer_args, &b.sandboxer_args);
    found
}

fn fields(found: &mut Vec<String>, part: &str, a: &Value, b: &Value) {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return;
    };
    let mut names: Vec<_> = a.keys().chain(b.keys()).collect();
    names.sort();
    names.dedup();
    for name in names {
        if part != "scenario" || !MAY_DIFFER.contains(&name.as_str()) {
            let name_of = format!("{part}.{name}");
            differ(found, &name_of, &a.get(name), &b.get(name));
        }
    }
}

fn differ<T: serde::Serialize + PartialEq>(found: &mut Vec<String>, name: &str, a: &T, b: &T) {
    if a == b {
        return;
    }
    let (a, b) = (value(a), value(b));
    let (a, b) = match (a.as_str(), b.as_str()) {
        // Of a document, shows only the lines missing in the other one.
        (Some(one), Some(other)) if one.contains('\n') || other.contains('\n') => {
            (lines_beyond(one, other), lines_beyond(other, one))
        }
        _ => (a.to_string(), b.to_string()),
    };
    found.push(format!("{name}: {a} in A, {b} in B"));
}

fn lines_beyond(one: &str, other: &str) -> String {
    let known: Vec<&str> = other.lines().collect();
    let own: Vec<&str> = one.lines().filter(|line| !known.contains(line)).collect();
    if own.is_empty() {
        "nothing more".to_owned()
    } else {
        own.join("; ")
    }
}

fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::LoadMode;
    use crate::result::fixture::example;

    fn good() -> RunResult {
        RunResult {
            valid: true,
            reasons: Vec::new(),
            ..example()
        }
    }

    #[test]
    fn two_of_a_kind_can_be_compared() {
        assert_eq!(differences(&good(), &good()), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        type Change = fn(&mut RunResult);
        let change: [(Change, &str); 11] = [
            (|b| b.plan_hash = "cd".into(), "plan_hash: \"abab"),
            (|b| b.scenario.seed = 7, "scenario.seed: 42 in A, 7 in B"),
            (
                |b| b.scenario.target = "cri".into(),
                "scenario.target: \"ttrpc\" in A, \"cri\" in B",
            ),
            (
                |b| b.scenario.connections = 1,
                "scenario.connections: 4 in A, 1 in B",
            ),
            (
                |b| b.environment.kernel = "x".into(),
                "environment.kernel: \"Linux 6.1\" in A, \"x\" in B",
            ),
            (
                |b| b.environment.cpu_model = None,
                "environment.cpu_model: \"Some CPU\" in A, null in B",
            ),
            (
                |b| b.environment.cores = 4,
                "environment.cores: 2 in A, 4 in B",
            ),
            (
                |b| b.environment.memory_bytes = None,
                "environment.memory_bytes:",
            ),
            (|b| b.complete = false, "B is partial"),
            (
                |b| {
                    b.valid = false;
                    b.reasons = vec!["3 errors".into()];
                },
                "B is not valid: 3 errors",
            ),
            (
                |b| b.load.mode = LoadMode::Open,
                "load.mode: \"closed\" in A, \"open\" in B",
            ),
        ];
        for (change, words) in change {
            let mut b = good();
            change(&mut b);
            let found = differences(&good(), &b);
            assert_eq!(found.len(), 1, "{words}: {found:?}");
            assert!(found[0].contains(words), "{words}: {found:?}");
        }
    }

    #[test]
    fn different_programs_can_be_compared() {
        let mut b = good();
        b.scenario.sandboxer = Some("/elsewhere".into());
        b.scenario.sandboxer_args = vec!["--views=off".into()];
        assert_eq!(differences(&good(), &b), Vec::<String>::new());
        let remarks = remarks(&good(), &b);
        assert_eq!(
            remarks,
            ["scenario.sandboxer_args: [] in A, [\"--views=off\"] in B"]
        );
    }
}
