//! The result of a run, as `result.json` holds it.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::header::{Document, Header};

use crate::record::operation::Operation;
use crate::result::environment::Environment;

use super::processes::{HoldResult, ProcessResult};

/// One run: what was asked for, what happened, and whether to believe it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = name_the_document)]
pub struct RunResult {
    /// The fields that every document begins with.
    #[serde(flatten)]
    pub header: Header,
    /// From the first request to the last reply, in seconds.
    pub wall_s: f64,
    /// Whether every pod of the plan was begun and came to its end.
    pub complete: bool,
    /// Whether the figures stand for the whole plan without any error.
    pub valid: bool,
    /// Why not, in words; empty if they do.
    pub reasons: Vec<String>,
    /// What was asked for.
    pub scenario: Scenario,
    /// SHA-256 over the plan's requests, in hexadecimal.
    pub plan_hash: String,
    /// Sums over the run.
    pub totals: Totals,
    /// How the load was offered, and whether the generator kept up with it.
    pub load: LoadResult,
    /// The phases of an open loop, in order; empty for a closed one.
    pub phases: Vec<PhaseResult>,
    /// What was not compared, in words; empty if everything was.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The figures of the target's operations, in the order of a lifecycle.
    pub operations: Vec<OperationResult>,
    /// Failures by operation, code and class of message.
    pub errors: Vec<ErrorResult>,
    /// The machine.
    pub environment: Environment,
    /// What the processes used meanwhile.
    pub processes: Vec<ProcessResult>,
    /// The same while all pods were there, if their containers ended and were started
    /// again meanwhile.
    #[serde(default)]
    pub hold: Option<HoldResult>,
    /// The run second by second; warm-up included.
    pub timeline: Vec<Interval>,
}

impl Document for RunResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.result";
    const VERSION: u32 = 2;
}

/// Puts the kind and the version of the document into its schema.
fn name_the_document(schema: &mut Schema) {
    let named = [
        (
            "schema",
            "What the document is, always `resource-slot.loadgen.result`.",
            Value::from(RunResult::SCHEMA),
        ),
        (
            "schema_version",
            "The version of the document's form, of which this is the second.",
            Value::from(RunResult::VERSION),
        ),
    ];
    for (name, description, value) in named {
        let field = format!("/properties/{name}");
        if let Some(Value::Object(field)) = schema.pointer_mut(&field) {
            field.insert("description".to_owned(), description.into());
            field.insert("const".to_owned(), value);
        }
    }
}

/// How the load was offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadResult {
    /// `closed` or `open`.
    pub mode: LoadMode,
    /// In an open loop: pods per second that were to be started, over all measured phases.
    pub offered_pods_per_s: Option<f64>,
    /// In an open loop: pods per second that were started, over the same time.
    pub started_pods_per_s: Option<f64>,
    /// In an open loop: how much later than intended pods' first requests were sent.
    pub lag: Option<Lag>,
    /// The most pods that were under way at once.
    pub max_in_flight: u64,
}

/// Who decides when a pod starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoadMode {
    /// The end of another.
    Closed,
    /// The clock.
    Open,
}

/// From the intended start of pods to their first requests, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lag {
    /// The median, in nanoseconds.
    pub p50_ns: u64,
    /// The 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// The largest, in nanoseconds.
    pub max_ns: u64,
}

/// One phase of an open loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseResult {
    /// Its name.
    pub name: String,
    /// Whether its figures are in the run's.
    pub measured: bool,
    /// When it began, in seconds from the first intended start of the run.
    pub start_s: f64,
    /// How long it lasted, in seconds.
    pub duration_s: f64,
    /// Pods that were to be started in it.
    pub offered: u64,
    /// Pods of it that were started before its end.
    pub started: u64,
    /// Latencies of its pods, from their intended starts.
    pub pod: OperationResult,
}

/// One second of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// When it began, in seconds from the beginning of the load.
    pub start_s: f64,
    /// How long it was, in seconds; the last one may be shorter.
    pub duration_s: f64,
    /// Pods that were begun.
    #[serde(default)]
    pub begun: u64,
    /// Pods that came to their end.
    pub pods: u64,
    /// RPCs that were answered as the plan wants.
    pub rpcs: u64,
    /// Calls that were not.
    pub errors: u64,
    /// Pods under way at its end.
    pub in_flight: u64,
    /// Latencies of what was answered in it; only operations that were.
    pub operations: Vec<OperationResult>,
}

/// The parameters of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// How pods were run: `ttrpc`, `controller` or `cri`.
    pub target: String,
    /// The socket that was loaded; absent for a sandboxer of the run's own.
    pub endpoint: Option<String>,
    /// The program that was started, for a sandboxer of the run's own.
    pub sandboxer: Option<String>,
    /// The arguments passed through to it.
    pub sandboxer_args: Vec<String>,
    /// The containerd that was started, for one of the run's own.
    #[serde(default)]
    pub containerd: Option<String>,
    /// The runtime handler of the pods, over CRI.
    #[serde(default)]
    pub runtime_handler: Option<String>,
    /// The image of the containers, over CRI.
    #[serde(default)]
    pub image: Option<String>,
    /// containerd's namespace.
    pub namespace: String,
    /// The scenario's name.
    pub name: String,
    /// The whole of it, as TOML; what the command line changed is changed in it.
    pub document: String,
    /// Everything random comes from it.
    pub seed: u64,
    /// Pods of the plan, those of a warm-up included.
    pub pods: u64,
    /// Connections that the pods shared.
    pub connections: usize,
    /// Threads that drove them.
    pub threads: usize,
    /// How long a call could take, in seconds.
    pub timeout_s: f64,
}

/// Sums over a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Pods that came to their end as the plan wants.
    pub pods: u64,
    /// Pods that did not.
    pub pods_failed: u64,
    /// Failed pods that could not be removed.
    pub pods_left_behind: u64,
    /// RPCs that were answered as the plan wants.
    pub rpcs: u64,
    /// Calls that were not.
    pub errors: u64,
    /// Good pods per second of wall time.
    pub pods_per_s: f64,
    /// Good RPCs per second of wall time.
    pub rpcs_per_s: f64,
}

/// Latencies of one operation's successes, in nanoseconds, to three digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationResult {
    /// Which.
    pub operation: Operation,
    /// Successes, which the figures are about.
    pub count: u64,
    /// Failures, which they are not.
    pub errors: u64,
    /// The mean, in nanoseconds.
    pub mean_ns: f64,
    /// The smallest, in nanoseconds.
    pub min_ns: u64,
    /// The median, in nanoseconds.
    pub p50_ns: u64,
    /// The 90th percentile, in nanoseconds.
    pub p90_ns: u64,
    /// The 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// The 99.9th percentile, in nanoseconds.
    pub p999_ns: u64,
    /// The largest, in nanoseconds.
    pub max_ns: u64,
}

/// Failures that are one and the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorResult {
    /// The call.
    pub operation: Operation,
    /// A status code's name, or `WrongAnswer`.
    pub code: String,
    /// The message, ids as `*` and numbers as `#`.
    pub class: String,
    /// One message in full.
    pub example: String,
    /// How many.
    pub count: u64,
}

impl RunResult {
    /// The figures of whole pods.
    pub fn pod(&self) -> Option<&OperationResult> {
        let mut operations = self.operations.iter();
        operations.find(|figures| figures.operation == Operation::Pod)
    }

    /// The pods' median latency, in nanoseconds; 0 without any.
    pub fn pod_p50_ns(&self) -> u64 {
        self.pod().map_or(0, |pod| pod.p50_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::fixture::example;

    #[test]
    fn a_result_survives_json() {
        let result = example();
        let json = serde_json::to_string_pretty(&result).unwrap();
        assert_eq!(serde_json::from_str::<RunResult>(&json).unwrap(), result);
    }

    #[test]
    fn the_document_begins_with_its_schema() {
        let json = serde_json::to_string(&example()).unwrap();
        let begin = r#"{"schema":"resource-slot.loadgen.result","schema_version":2,"#;
        assert!(json.starts_with(begin), "{json}");
    }

    #[test]
    fn percentiles_are_those_of_the_samples() {
        let operations = example().operations;
        let create = &operations[Operation::TaskCreate as usize];
        let close = |found: u64, micros: u64| {
            let expected = micros * 1000;
            assert!(
                found.abs_diff(expected) <= expected / 1000,
                "{found} {expected}"
            );
        };
        assert_eq!(create.count, 1000);
        close(create.min_ns, 1);
        close(create.p50_ns, 500);
        close(create.p90_ns, 900);
        close(create.p99_ns, 990);
        close(create.p999_ns, 999);
        close(create.max_ns, 1000);
        assert!((create.mean_ns - 500_500.0).abs() < 500.0);
    }

    #[test]
    fn totals_add_up() {
        let totals = example().totals;
        assert_eq!((totals.pods, totals.pods_failed), (1, 3));
        assert_eq!((totals.rpcs, totals.errors), (1000, 3));
        assert!((totals.rpcs_per_s - 400.0).abs() < 1e-9);
    }

    #[test]
    fn the_most_frequent_error_comes_first() {
        let errors = example().errors;
        assert_eq!(
            (errors[0].count, &*errors[0].class),
            (2, "pid is #, Start said #")
        );
        assert_eq!(errors[1].code, "WrongAnswer");
    }
}
