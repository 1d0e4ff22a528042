//! The summary of repeated runs, which is saved as `result.json` beside their directories.

use serde::{Deserialize, Serialize};

use super::environment::Environment;
use super::header::{Document, Header};
use super::machine_spread::FigureSpread;
use super::run::{RunResult, Scenario};
use super::spread;

/// Several runs of one load, each with a newly started server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatedResult {
    /// Header, the same in every kind of document; it starts with the first run.
    #[serde(flatten)]
    pub header: Header,
    /// Whether all runs were made, and each is complete.
    pub complete: bool,
    /// Whether all runs were made, and each is valid.
    pub valid: bool,
    /// Reasons against the validity; empty if the runs are valid.
    pub reasons: Vec<String>,
    /// Number of runs that were asked for.
    pub repeat: u32,
    /// Parameters of each run.
    pub scenario: Scenario,
    /// SHA-256 over the requests of the plan, in hexadecimal.
    pub plan_hash: String,
    /// Machine of the measurement.
    pub environment: Environment,
    /// The runs that were made, in their order.
    pub runs: Vec<OneOfMany>,
    /// Median and spread of each figure over the runs.
    pub figures: Vec<FigureSpread>,
}

/// One of several runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneOfMany {
    /// Name of the directory of its result, beside the summary.
    pub dir: String,
    /// Beginning of its load (RFC 3339, UTC).
    pub started_at: String,
    /// Whether every pod of the plan was begun and has ended.
    pub complete: bool,
    /// Whether the figures cover the whole plan, without any error.
    pub valid: bool,
}

impl Document for RepeatedResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.runs";
    const VERSION: u32 = 1;
}

impl RepeatedResult {
    /// Summarises runs, of which `repeat` were asked for; `None` without any.
    pub fn of(command_line: Vec<String>, repeat: u32, runs: &[RunResult]) -> Option<Self> {
        let first = runs.first()?;
        let all = runs.len() >= repeat as usize;
        let mut reasons = Vec::new();
        if !all {
            reasons.push(format!("{} of {repeat} runs were made", runs.len()));
        }
        for (number, run) in (1..).zip(runs) {
            let of_run = run.reasons.iter();
            reasons.extend(of_run.map(|reason| format!("run {number}: {reason}")));
        }
        Some(Self {
            header: Header {
                schema: Self::SCHEMA.to_owned(),
                schema_version: Self::VERSION,
                command_line,
                ..first.header.clone()
            },
            complete: all && runs.iter().all(|run| run.complete),
            valid: all && runs.iter().all(|run| run.valid),
            reasons,
            repeat,
            scenario: first.scenario.clone(),
            plan_hash: first.plan_hash.clone(),
            environment: first.environment.clone(),
            runs: (1..)
                .zip(runs)
                .map(|(number, run)| OneOfMany {
                    dir: directory_of(number),
                    started_at: run.header.started_at.clone(),
                    complete: run.complete,
                    valid: run.valid,
                })
                .collect(),
            figures: spread::of(runs),
        })
    }
}

/// Returns the name of the directory of a run by its number from 1.
pub fn directory_of(number: u32) -> String {
    format!("run-{number:03}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    fn valid() -> RunResult {
        RunResult {
            valid: true,
            reasons: Vec::new(),
            ..example()
        }
    }

    #[test]
    fn a_summary_lists_its_runs_and_survives_json() {
        let runs = [valid(), valid()];
        let summary = RepeatedResult::of(vec!["loadgen".into()], 2, &runs).unwrap();
        assert!(summary.complete && summary.valid && summary.reasons.is_empty());
        let dirs: Vec<&str> = summary.runs.iter().map(|run| &*run.dir).collect();
        assert_eq!(dirs, ["run-001", "run-002"]);
        let json = serde_json::to_string(&summary).unwrap();
        assert!(json.starts_with(r#"{"schema":"resource-slot.loadgen.runs","schema_version":1"#));
        let read: RepeatedResult = crate::result::parse_as(&json).unwrap();
        assert_eq!(read, summary);
        assert_eq!(RepeatedResult::of(Vec::new(), 2, &[]), None);
    }

    #[test]
    fn too_few_or_invalid_runs_make_the_summary_invalid() {
        let summary = RepeatedResult::of(Vec::new(), 3, &[valid(), example()]).unwrap();
        assert!(!summary.complete && !summary.valid);
        assert_eq!(
            summary.reasons,
            ["2 of 3 runs were made", "run 2: 3 errors"]
        );
    }
}
