//! Merged result from the results of the parts.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use hdrhistogram::Histogram;
use sha2::{Digest, Sha256};

use super::Part;
use super::log::{add, second};
use crate::record::hdr_log::{Histograms, Series};
use crate::record::operation::Operation;
use crate::record::recorder;
use crate::record::tape::INTERVAL;
use crate::result::header::{Document, Header};
use crate::result::lag;
use crate::result::{
    ErrorResult, Interval, Lag, LoadResult, OperationResult, PhaseResult, ProcessResult, RunResult,
    Scenario, Totals,
};

/// Figures of all parts together in each second.
pub type Seconds = BTreeMap<u32, BTreeMap<Operation, OperationResult>>;

/// Returns the figures of one second; warm-up calls are included.
pub fn figures(histograms: &Histograms) -> BTreeMap<Operation, OperationResult> {
    let mut both = BTreeMap::new();
    for (series, histogram) in histograms {
        if let Series::Measured(operation) | Series::WarmUp(operation) = *series {
            add(&mut both, operation, histogram);
        }
    }
    both.into_iter()
        .map(|(operation, histogram)| (operation, OperationResult::new(operation, &histogram, 0)))
        .collect()
}

fn header(results: &[&RunResult], command_line: Vec<String>) -> Header {
    let begun = results.iter().map(|result| &result.header.started_at).min();
    Header {
        schema: RunResult::SCHEMA.to_owned(),
        schema_version: RunResult::VERSION,
        command_line,
        started_at: begun.cloned().unwrap_or_default(),
        ..results[0].header.clone()
    }
}

/// Returns the merged result of all parts, with the sums of their histograms.
pub fn result(
    parts: &[Part],
    sums: &Histograms,
    seconds: &Seconds,
    command_line: Vec<String>,
) -> RunResult {
    let results: Vec<_> = parts.iter().map(|part| &part.result).collect();
    let first = results[0];
    let wall = wall_s(parts);
    let reasons = reasons(parts);
    let operations = operations(&results, sums);
    let load = load(&results, sums.get(&Series::Lag));
    let wire = crate::result::wire(&operations, |of| sums.get(&Series::Wire(of)));
    let remarks = crate::result::remark(load.mode, &wire);
    let figures = match (sums.get(&Series::Lag), load.offered_pods_per_s) {
        (Some(lags), Some(per_s)) => {
            let without_lag = |of| sums.get(&Series::WithoutLag(of));
            lag::figures(&operations, without_lag, lags, per_s)
        }
        _ => Vec::new(),
    };
    RunResult {
        header: header(&results, command_line),
        wall_s: wall,
        complete: results.iter().all(|result| result.complete),
        valid: results.iter().all(|result| result.valid) && reasons.is_empty(),
        reasons,
        scenario: scenario(&results),
        plan_hash: plan_hash(&results),
        totals: totals(&results, wall),
        load,
        phases: phases(&results, sums),
        notes: notes(parts),
        remarks: remarks.into_iter().collect(),
        // Each part has a hold of its own.
        hold: None,
        operations,
        wire,
        figures,
        errors: errors(&results),
        environment: first.environment.clone(),
        processes: processes(parts),
        // Parts may share a runtime.
        cpu_of_all: Vec::new(),
        timeline: timeline(parts, seconds),
        spans: None,
        cpu_profile: None,
        calibration: None,
    }
}

/// Returns the begin and end of the measured time of a part, in seconds from the
/// start of the first part.
fn measured_time(part: &Part) -> (f64, f64) {
    let offset = part.offset.as_secs_f64();
    let end = part.result.timeline.last();
    // The timeline includes the warm-up.
    let end = end.map_or(part.result.wall_s, |last| last.start_s + last.duration_s);
    let end = offset + end.max(part.result.wall_s);
    (end - part.result.wall_s, end)
}

fn wall_s(parts: &[Part]) -> f64 {
    let times = parts.iter().map(measured_time);
    let (begin, end) = times.fold((f64::INFINITY, 0.0_f64), |(begin, end), (b, e)| {
        (begin.min(b), end.max(e))
    });
    (end - begin).max(0.0)
}

fn reasons(parts: &[Part]) -> Vec<String> {
    let of = |part: &Part| -> Vec<String> {
        let name = part.name();
        let reasons = part.result.reasons.iter();
        reasons.map(|reason| format!("{name}: {reason}")).collect()
    };
    parts.iter().flat_map(of).collect()
}

fn notes(parts: &[Part]) -> Vec<String> {
    let mut notes: Vec<_> = parts
        .iter()
        .map(|part| {
            format!(
                "merged from {}: seed {}, plan {}, begun {} s after the first",
                part.name(),
                part.result.scenario.seed,
                part.result.plan_hash,
                part.offset.as_secs_f64(),
            )
        })
        .collect();
    if parts
        .iter()
        .any(|part| part.result.environment != parts[0].result.environment)
    {
        notes.push("the parts ran on different machines; the first one's is shown".to_owned());
    }
    let times: Vec<_> = parts.iter().map(measured_time).collect();
    let last_begin = times.iter().fold(0.0, |last, (begin, _)| begin.max(last));
    if times.iter().any(|(_, end)| *end < last_begin) {
        notes.push("not all parts ran at the same time, which the rates do not show".to_owned());
    }
    for note in parts.iter().flat_map(|part| &part.result.notes) {
        if !notes.contains(note) {
            notes.push(note.clone());
        }
    }
    notes
}

fn scenario(results: &[&RunResult]) -> Scenario {
    let scenarios = || results.iter().map(|result| &result.scenario);
    Scenario {
        pods: scenarios().map(|scenario| scenario.pods).sum(),
        part: None,
        connections: scenarios().map(|scenario| scenario.connections).sum(),
        threads: scenarios().map(|scenario| scenario.threads).sum(),
        ..results[0].scenario.clone()
    }
}

/// Returns the hash of the plan that the parts share, or SHA-256 over the sorted hashes of plans of
/// their own.
fn plan_hash(results: &[&RunResult]) -> String {
    if results[0].scenario.part.is_some() {
        return results[0].plan_hash.clone();
    }
    let mut hashes: Vec<_> = results.iter().map(|result| &*result.plan_hash).collect();
    hashes.sort_unstable();
    let mut sha = Sha256::new();
    for hash in hashes {
        sha.update(hash);
    }
    sha.finalize().iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn totals(results: &[&RunResult], wall_s: f64) -> Totals {
    let sum = |of: fn(&Totals) -> u64| results.iter().map(|result| of(&result.totals)).sum();
    let known = |of: fn(&Totals) -> Option<u64>| {
        let each = results.iter().map(|result| of(&result.totals));
        each.sum::<Option<u64>>()
    };
    let (pods, rpcs) = (sum(|totals| totals.pods), sum(|totals| totals.rpcs));
    let per_second = |number: u64| {
        if wall_s > 0.0 {
            number as f64 / wall_s
        } else {
            0.0
        }
    };
    Totals {
        pods,
        pods_failed: sum(|totals| totals.pods_failed),
        pods_left_behind: sum(|totals| totals.pods_left_behind),
        rpcs,
        warm_up_rpcs: known(|totals| totals.warm_up_rpcs),
        abandoned: known(|totals| totals.abandoned),
        errors: sum(|totals| totals.errors),
        pods_per_s: per_second(pods),
        rpcs_per_s: per_second(rpcs),
    }
}

fn load(results: &[&RunResult], lags: Option<&Histogram<u64>>) -> LoadResult {
    let loads = || results.iter().map(|result| &result.load);
    let sum = |of: fn(&LoadResult) -> Option<f64>| loads().map(of).sum();
    LoadResult {
        mode: results[0].load.mode,
        offered_pods_per_s: sum(|load| load.offered_pods_per_s),
        started_pods_per_s: sum(|load| load.started_pods_per_s),
        lag: lags
            .map(Lag::new)
            .or_else(|| loads().find_map(|load| load.lag)),
        max_in_flight: loads().map(|load| load.max_in_flight).sum(),
    }
}

fn phases(results: &[&RunResult], sums: &Histograms) -> Vec<PhaseResult> {
    let none = recorder::histogram();
    let of = |(number, phase): (usize, &PhaseResult)| {
        let parts = || results.iter().map(|result| &result.phases[number]);
        let histogram = sums.get(&Series::Phase(number)).unwrap_or(&none);
        let errors = parts().map(|phase| phase.pod.errors).sum();
        PhaseResult {
            offered: parts().map(|phase| phase.offered).sum(),
            started: parts().map(|phase| phase.started).sum(),
            pod: OperationResult::new(phase.pod.operation, histogram, errors),
            ..phase.clone()
        }
    };
    results[0].phases.iter().enumerate().map(of).collect()
}

fn operations(results: &[&RunResult], sums: &Histograms) -> Vec<OperationResult> {
    let none = recorder::histogram();
    // Some operations are in the results of some parts only.
    let has = |operation: &Operation| {
        let mut all = results.iter().flat_map(|result| &result.operations);
        all.any(|figures| figures.operation == *operation)
    };
    let operations = Operation::ALL.into_iter().filter(has);
    operations
        .map(|operation| {
            let histogram = sums.get(&Series::Measured(operation)).unwrap_or(&none);
            let errors = results.iter().flat_map(|result| &result.operations);
            let errors = errors.filter(|figures| figures.operation == operation);
            OperationResult::new(
                operation,
                histogram,
                errors.map(|figures| figures.errors).sum(),
            )
        })
        .collect()
}

fn errors(results: &[&RunResult]) -> Vec<ErrorResult> {
    let mut classes: BTreeMap<_, ErrorResult> = BTreeMap::new();
    for error in results.iter().flat_map(|result| &result.errors) {
        let key = (error.operation, error.code.clone(), error.class.clone());
        classes
            .entry(key)
            .and_modify(|known| known.count += error.count)
            .or_insert_with(|| error.clone());
    }
    let mut errors: Vec<_> = classes.into_values().collect();
    errors.sort_by_key(|error| std::cmp::Reverse(error.count));
    errors
}

/// Returns the processes of all parts, with the number of the part in the role. Parts
/// may share a process, but their results do not show it.
fn processes(parts: &[Part]) -> Vec<ProcessResult> {
    let of = |(number, part): (usize, &Part)| -> Vec<ProcessResult> {
        let processes = part.result.processes.iter().cloned();
        processes
            .map(|mut process| {
                process.role = format!("{} {}", process.role, number + 1);
                for sample in &mut process.samples {
                    sample.at_s += part.offset.as_secs_f64();
                }
                process
            })
            .collect()
    };
    parts.iter().enumerate().flat_map(of).collect()
}

fn timeline(parts: &[Part], seconds: &Seconds) -> Vec<Interval> {
    let mut timeline: BTreeMap<u32, Interval> = BTreeMap::new();
    for part in parts {
        for interval in &part.result.timeline {
            let start = Duration::try_from_secs_f64(interval.start_s).unwrap_or_default();
            let number = second(start.saturating_add(part.offset));
            let whole = timeline.entry(number).or_insert_with(|| Interval {
                start_s: (INTERVAL * number).as_secs_f64(),
                duration_s: 0.0,
                begun: 0,
                pods: 0,
                rpcs: 0,
                errors: 0,
                in_flight: 0,
                operations: Vec::new(),
            });
            whole.duration_s = whole.duration_s.max(interval.duration_s);
            whole.begun += interval.begun;
            whole.pods += interval.pods;
            whole.rpcs += interval.rpcs;
            whole.errors += interval.errors;
            whole.in_flight += interval.in_flight;
            for figures in &interval.operations {
                let of = figures.operation;
                let shown = whole
                    .operations
                    .iter_mut()
                    .find(|shown| shown.operation == of);
                let both = seconds.get(&number).and_then(|second| second.get(&of));
                match (shown, both) {
                    (Some(shown), _) => shown.errors += figures.errors,
                    (None, Some(both)) => whole.operations.push(OperationResult {
                        errors: figures.errors,
                        ..both.clone()
                    }),
                    (None, None) => {}
                }
            }
        }
    }
    let place = |figures: &OperationResult| {
        let mut known = parts[0].result.operations.iter();
        known.position(|known| known.operation == figures.operation)
    };
    for interval in timeline.values_mut() {
        interval.operations.sort_by_key(place);
    }
    timeline.into_values().collect()
}
