//! Check that parts belong to one run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::MergeError;
use crate::record::hdr_log::{Histograms, Series};
use crate::result::RunResult;

/// Checks that parts belong to one run. With `anyway`, their scenarios and programs may differ, and
/// parts of one plan may have been interrupted.
pub fn check(parts: &[(&Path, &RunResult)], anyway: bool) -> Result<(), MergeError> {
    let Some(((first, like), others)) = parts.split_first() else {
        return Ok(());
    };
    let of_one_plan = like.scenario.part.is_some();
    if of_one_plan {
        each_part_once(parts)?;
        if !anyway {
            each_part_whole(parts)?;
        }
    }
    let expected = common(like);
    for (number, (part, result)) in others.iter().enumerate() {
        if !anyway
            && let Some((field, found, expected)) = difference("", &common(result), &expected)
        {
            return Err(MergeError::Unlike {
                part: PathBuf::from(part),
                first: PathBuf::from(first),
                field,
                found,
                expected,
            });
        }
        if of_one_plan {
            if result.plan_hash != like.plan_hash {
                return Err(MergeError::OtherPlan {
                    part: PathBuf::from(part),
                    first: PathBuf::from(first),
                });
            }
            continue;
        }
        let before = parts[..=number].iter();
        let same = |(_, other): &&(&Path, &RunResult)| other.plan_hash == result.plan_hash;
        if let Some((one, _)) = before.into_iter().find(same) {
            return Err(MergeError::SamePlan {
                one: PathBuf::from(one),
                other: PathBuf::from(part),
                plan_hash: result.plan_hash.clone(),
            });
        }
    }
    Ok(())
}

/// Checks that the parts of one plan are all there, each of them once.
fn each_part_once(parts: &[(&Path, &RunResult)]) -> Result<(), MergeError> {
    let mut seen: BTreeMap<u32, &Path> = BTreeMap::new();
    let of = parts[0].1.scenario.part.map_or(0, |part| part.of);
    for (path, result) in parts {
        let part = result.scenario.part.filter(|part| part.of == of);
        let Some(part) = part else {
            return Err(MergeError::NoPart {
                path: PathBuf::from(path),
                of,
            });
        };
        if let Some(other) = seen.insert(part.number, path) {
            return Err(MergeError::Twice {
                part,
                one: PathBuf::from(other),
                other: PathBuf::from(path),
            });
        }
    }
    let missing: Vec<u32> = (0..of)
        .filter(|number| !seen.contains_key(number))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(MergeError::Missing { missing, of })
}

/// Checks that each part of a plan has run all its pods.
fn each_part_whole(parts: &[(&Path, &RunResult)]) -> Result<(), MergeError> {
    let interrupted = |(path, result): &(&Path, &RunResult)| {
        let part = result.scenario.part.filter(|_| !result.complete)?;
        Some(MergeError::Interrupted {
            path: PathBuf::from(path),
            part,
        })
    };
    parts.iter().find_map(interrupted).map_or(Ok(()), Err)
}

/// Returns the fields that all parts must share.
fn common(result: &RunResult) -> Value {
    let mut scenario = json!(result.scenario);
    if let Some(fields) = scenario.as_object_mut() {
        // The parts of one plan share the hash of the plan, and so its seed.
        for may_differ in ["seed", "pods", "part", "endpoint", "connections", "threads"] {
            fields.remove(may_differ);
        }
        fields.insert("document".to_owned(), document(&result.scenario.document));
    }
    let phases: Vec<_> = result
        .phases
        .iter()
        .map(|phase| {
            json!({
                "name": phase.name,
                "measured": phase.measured,
                "start_s": phase.start_s,
                "duration_s": phase.duration_s,
            })
        })
        .collect();
    json!({
        "tool_version": result.header.tool_version,
        "scenario": scenario,
        "load": { "mode": result.load.mode },
        "phases": phases,
    })
}

/// Parses a scenario and removes the fields that may differ; returns the text if it
/// is not TOML.
fn document(text: &str) -> Value {
    let Ok(mut document) = text.parse::<toml::Table>() else {
        return text.into();
    };
    document.remove("seed");
    if let Some(load) = document.get_mut("load").and_then(toml::Value::as_table_mut) {
        load.remove("pods");
    }
    json!(document)
}

/// Returns the first field with different values, and both values.
fn difference(path: &str, found: &Value, expected: &Value) -> Option<(String, String, String)> {
    if found == expected {
        return None;
    }
    let below = |name: &str| match path {
        "" => name.to_owned(),
        path => format!("{path}.{name}"),
    };
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            let names = expected.keys().chain(found.keys());
            names.into_iter().find_map(|name| {
                let of =
                    |values: &Map<String, Value>| values.get(name).cloned().unwrap_or_default();
                difference(&below(name), &of(found), &of(expected))
            })
        }
        (Value::Array(found), Value::Array(expected)) if found.len() == expected.len() => {
            let pairs = found.iter().zip(expected).enumerate();
            pairs.into_iter().find_map(|(at, (found, expected))| {
                difference(&below(&at.to_string()), found, expected)
            })
        }
        _ => Some((path.to_owned(), found.to_string(), expected.to_string())),
    }
}

/// Checks that histograms match the result beside them.
pub fn check_log(part: &Path, result: &RunResult, log: &Histograms) -> Result<(), MergeError> {
    let count = |series| log.get(&series).map_or(0, hdrhistogram::Histogram::len);
    for figures in &result.operations {
        let found = count(Series::Measured(figures.operation));
        if found != figures.count {
            return Err(MergeError::apart(
                part.to_owned(),
                figures.operation,
                figures.count,
                found,
            ));
        }
    }
    let latest = log
        .get(&Series::Lag)
        .map_or(0, hdrhistogram::Histogram::max);
    match result.load.lag {
        Some(lag) if lag.max_ns != latest => {
            return Err(MergeError::Apart {
                part: part.to_owned(),
                what: "the largest lag's nanoseconds".to_owned(),
                counted: lag.max_ns,
                found: latest,
            });
        }
        _ => {}
    }
    for (number, phase) in result.phases.iter().enumerate() {
        let found = count(Series::Phase(number));
        if found != phase.pod.count {
            return Err(MergeError::Apart {
                part: part.to_owned(),
                what: format!("pods of the phase {}", phase.name),
                counted: phase.pod.count,
                found,
            });
        }
    }
    Ok(())
}
