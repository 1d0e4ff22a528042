//! Check that two results can be compared.

use serde_json::Value;

use super::side::Side;
use crate::result::RunResult;
use crate::result::software::Software;

/// Fields of a scenario that may differ: paths of the compared programs, their
/// arguments, and the time limit of a call.
const MAY_DIFFER: &[&str] = &[
    "endpoint",
    "sandboxer",
    "sandboxer_args",
    "containerd",
    "software",
    "timeout_s",
];

/// Returns the reasons against a comparison, one per field with both values; empty if
/// there are none.
///
/// The first runs of both sides are compared, and each further run with the first one of its
/// side. All fields of scenario and machine must be equal except known exceptions, so that
/// fields added later are compared as well.
pub fn differences(a: &Side, b: &Side) -> Vec<String> {
    let (a, b) = (named("A", a), named("B", b));
    let mut found = Vec::new();
    for run in a.iter().chain(&b) {
        if !run.result.complete {
            found.push(format!("{} is partial: complete is false", run.name));
        }
        if !run.result.valid {
            let reasons = run.result.reasons.join("; ");
            found.push(format!("{} is not valid: {reasons}", run.name));
        }
    }
    if let (Some(one), Some(other)) = (a.first(), b.first()) {
        differing(&mut found, &one.as_side("A"), &other.as_side("B"));
    }
    for side in [&a, &b] {
        if let Some((first, others)) = side.split_first() {
            for other in others {
                differing(&mut found, first, other);
                same_software(&mut found, first, other);
            }
        }
    }
    found
}

/// A run with its name in messages.
struct Named<'a> {
    name: String,
    result: &'a RunResult,
}

impl Named<'_> {
    /// Returns the run under the name of its side.
    fn as_side(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            result: self.result,
        }
    }
}

fn named<'a>(name: &str, side: &'a Side) -> Vec<Named<'a>> {
    let runs = (1..).zip(&side.runs);
    runs.map(|(number, result)| Named {
        name: if side.runs.len() == 1 {
            name.to_owned()
        } else {
            format!("run {number} of {name}")
        },
        result,
    })
    .collect()
}

fn differing(found: &mut Vec<String>, one: &Named<'_>, other: &Named<'_>) {
    let names = (&*one.name, &*other.name);
    let (a, b) = (one.result, other.result);
    differ(found, names, "plan_hash", &a.plan_hash, &b.plan_hash);
    let parts = [
        ("scenario", value(&a.scenario), value(&b.scenario)),
        ("environment", value(&a.environment), value(&b.environment)),
    ];
    for (part, a, b) in parts {
        fields(found, names, part, &a, &b);
    }
    differ(found, names, "load.mode", &a.load.mode, &b.load.mode);
    let spans = [a, b].map(|run| run.spans.is_some());
    differ(found, names, "spans", &spans[0], &spans[1]);
    let (a, b) = (a.load.offered_pods_per_s, b.load.offered_pods_per_s);
    differ(found, names, "load.offered_pods_per_s", &a, &b);
}

/// Notes that two runs of one side have measured different programs, as far as their files are
/// known.
fn same_software(found: &mut Vec<String>, one: &Named<'_>, other: &Named<'_>) {
    for software in &one.result.scenario.software {
        let mut others = other.result.scenario.software.iter();
        if let Some(theirs) = others.find(|other| other.role == software.role)
            && let (Some(a), Some(b)) = (&software.sha256, &theirs.sha256)
        {
            let field = format!("scenario.software.{}.sha256", software.role);
            differ(found, (&one.name, &other.name), &field, a, b);
            let settings = |of: &Software| of.configuration.as_ref().map(|c| c.sha256.clone());
            let field = format!("scenario.software.{}.configuration", software.role);
            let (a, b) = (settings(software), settings(theirs));
            differ(found, (&one.name, &other.name), &field, &a, &b);
        }
    }
}

/// Returns the permitted differences between the first runs as remarks for the reader.
pub fn remarks(a: &Side, b: &Side) -> Vec<String> {
    let mut found = Vec::new();
    let (Some(a), Some(b)) = (a.runs.first(), b.runs.first()) else {
        return found;
    };
    let names = ("A", "B");
    let version = "tool_version";
    differ(
        &mut found,
        names,
        version,
        &a.header.tool_version,
        &b.header.tool_version,
    );
    let (a, b) = (&a.scenario, &b.scenario);
    for (one, other) in a.software.iter().zip(&b.software) {
        let version = format!("scenario.software.{}.cri", one.role);
        differ(&mut found, names, &version, &one.cri, &other.cri);
        let settings = |of: &Software| of.configuration.as_ref().map(|c| c.changes.clone());
        let field = format!("scenario.software.{}.configuration.changes", one.role);
        differ(&mut found, names, &field, &settings(one), &settings(other));
    }
    let args = "scenario.sandboxer_args";
    differ(
        &mut found,
        names,
        args,
        &a.sandboxer_args,
        &b.sandboxer_args,
    );
    found
}

fn fields(found: &mut Vec<String>, names: (&str, &str), part: &str, a: &Value, b: &Value) {
    let (Some(a), Some(b)) = (a.as_object(), b.as_object()) else {
        return;
    };
    let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
    keys.sort();
    keys.dedup();
    for name in keys {
        // A document of an older program knows less of the machine.
        let is_known = part != "environment" || a.contains_key(name) && b.contains_key(name);
        if is_known && (part != "scenario" || !MAY_DIFFER.contains(&name.as_str())) {
            let name_of = format!("{part}.{name}");
            differ(found, names, &name_of, &a.get(name), &b.get(name));
        }
    }
}

fn differ<T: serde::Serialize + PartialEq>(
    found: &mut Vec<String>,
    names: (&str, &str),
    field: &str,
    a: &T,
    b: &T,
) {
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
    let (in_a, in_b) = names;
    found.push(format!("{field}: {a} in {in_a}, {b} in {in_b}"));
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

    fn side(runs: &[RunResult]) -> Side {
        Side {
            paths: vec!["results".to_owned()],
            runs: runs.to_vec(),
            latencies: None,
        }
    }

    fn against(b: RunResult) -> Vec<String> {
        differences(&side(&[good()]), &side(&[b]))
    }

    fn good() -> RunResult {
        RunResult {
            valid: true,
            reasons: Vec::new(),
            ..example()
        }
    }

    #[test]
    fn two_of_a_kind_can_be_compared() {
        assert_eq!(against(good()), Vec::<String>::new());
    }

    #[test]
    fn each_difference_is_named_with_both_values() {
        type Change = fn(&mut RunResult);
        let change: [(Change, &str); 12] = [
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
            (
                |b| b.environment.clock_source = Some("hpet".into()),
                "environment.clock_source: \"tsc\" in A, \"hpet\" in B",
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
            let found = against(b);
            assert_eq!(found.len(), 1, "{words}: {found:?}");
            assert!(found[0].contains(words), "{words}: {found:?}");
        }
    }

    #[test]
    fn an_older_document_that_knows_less_of_the_machine_can_be_compared() {
        let mut b = good();
        b.environment.clock_source = None;
        b.environment.cgroup_version = None;
        assert_eq!(against(b), Vec::<String>::new());
    }

    #[test]
    fn one_side_has_one_program_and_the_sides_may_have_different_ones() {
        let of = |hash: &str| {
            let mut run = good();
            run.scenario.software = vec![Software {
                configuration: None,
                role: "sandboxer".to_owned(),
                path: None,
                sha256: Some(hash.to_owned()),
                cri: None,
            }];
            run
        };
        assert_eq!(
            differences(&side(&[of("aa")]), &side(&[of("bb")])),
            Vec::<String>::new()
        );
        let mixed = differences(&side(&[of("aa"), of("bb")]), &side(&[of("aa")]));
        assert_eq!(
            mixed,
            ["scenario.software.sandboxer.sha256: \"aa\" in run 1 of A, \"bb\" in run 2 of A"]
        );
        // A document of an older program names no file.
        assert_eq!(
            differences(&side(&[of("aa"), good()]), &side(&[of("aa")])),
            Vec::<String>::new()
        );
    }

    #[test]
    fn different_programs_can_be_compared() {
        let mut b = good();
        b.scenario.sandboxer = Some("/elsewhere".into());
        b.scenario.sandboxer_args = vec!["--views=off".into()];
        assert_eq!(against(b.clone()), Vec::<String>::new());
        let remarks = remarks(&side(&[good()]), &side(&[b]));
        assert_eq!(
            remarks,
            ["scenario.sandboxer_args: [] in A, [\"--views=off\"] in B"]
        );
    }

    #[test]
    fn each_run_of_a_side_must_fit_the_first() {
        let mut odd = good();
        odd.scenario.seed = 7;
        odd.complete = false;
        let found = differences(&side(&[good(), good()]), &side(&[good(), odd]));
        assert_eq!(
            found,
            [
                "run 2 of B is partial: complete is false",
                "scenario.seed: 42 in run 1 of B, 7 in run 2 of B"
            ]
        );
    }
}
