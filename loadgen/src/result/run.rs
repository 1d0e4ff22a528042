//! The result of a run, which is saved as `result.json`.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::header::{Document, Header};

use crate::process::accounting::Accounting;
use crate::record::operation::Operation;
use crate::result::environment::Environment;
use crate::workload::part::Part;
use crate::workload::runtime::Network;

use super::cpu_profile::CpuProfile;
use super::latency::{FigureResult, WireResult};
use super::machine_spread::MachineSpread;
use super::processes::{HoldResult, ProcessResult};
use super::software::Software;
use super::spans::SpansResult;

/// One run: its parameters, its measurements, and their validity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = name_the_document)]
pub struct RunResult {
    /// Header, the same in every kind of document.
    #[serde(flatten)]
    pub header: Header,
    /// Time from the first request to the last reply, in seconds.
    pub wall_s: f64,
    /// Whether every pod of the plan was begun and has ended.
    pub complete: bool,
    /// Whether the figures cover the whole plan, without any error.
    pub valid: bool,
    /// Reasons against the validity; empty if the result is valid.
    pub reasons: Vec<String>,
    /// Parameters of the run.
    pub scenario: Scenario,
    /// SHA-256 over the requests of the plan, in hexadecimal.
    pub plan_hash: String,
    /// Totals of the run.
    pub totals: Totals,
    /// Offered load, and the accuracy with which it was generated.
    pub load: LoadResult,
    /// Phases of an open loop, in order; empty for a closed loop.
    pub phases: Vec<PhaseResult>,
    /// Comparisons that were left out; empty if everything was compared.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Remarks on the load that do not make the result invalid.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// Figures of the operations of the target, in the order of a lifecycle.
    pub operations: Vec<OperationResult>,
    /// Times on the wire of the operations that have some; empty in documents of older
    /// programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wire: Vec<WireResult>,
    /// Validity of each latency that counts from the intended starts of pods; empty for a
    /// closed loop, and in documents of older programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<FigureResult>,
    /// Failures by operation, code and class of message.
    pub errors: Vec<ErrorResult>,
    /// Machine of the measurement.
    pub environment: Environment,
    /// Resource usage of the processes during the run.
    pub processes: Vec<ProcessResult>,
    /// CPU time of a runtime and of everything that it ran, in each way that the machine
    /// permits, the best one first; empty for a sandboxer, which runs no other process.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cpu_of_all: Vec<CpuOfAll>,
    /// Resource usage while all pods were running, if their containers ended and were
    /// started again in that time; absent otherwise.
    #[serde(default)]
    pub hold: Option<HoldResult>,
    /// Seconds of the run, with the warm-up.
    pub timeline: Vec<Interval>,
    /// Time of the calls by the components of the node that they passed; absent without
    /// `--spans`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spans: Option<SpansResult>,
    /// CPU profile of containerd; absent without `--cpu-profile`. The file `containerd.pprof` beside
    /// the document is the whole profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_profile: Option<CpuProfile>,
    /// Known variation from run to run on the machine, from `loadgen calibrate`; absent
    /// without a calibration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration: Option<MachineSpread>,
}

impl Document for RunResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.result";
    const VERSION: u32 = 2;
}

/// Adds the kind and the version of the document to its schema.
fn name_the_document(schema: &mut Schema) {
    let named = [
        (
            "schema",
            "Kind of the document, always `resource-slot.loadgen.result`.",
            Value::from(RunResult::SCHEMA),
        ),
        (
            "schema_version",
            "Version of the form of the document; this is the second.",
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

/// CPU time of a runtime and of everything that it ran.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CpuOfAll {
    /// Way of counting.
    pub accounting: Accounting,
    /// CPU time during the load, in seconds.
    pub cpu_s: f64,
}

/// Offered load, and the accuracy with which it was generated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadResult {
    /// Mode of the load: `closed` or `open`.
    pub mode: LoadMode,
    /// In an open loop: offered pods per second, over all measured phases.
    pub offered_pods_per_s: Option<f64>,
    /// In an open loop: started pods per second, over the same time.
    pub started_pods_per_s: Option<f64>,
    /// In an open loop: time between the intended starts of pods and their first
    /// requests.
    pub lag: Option<Lag>,
    /// Maximum number of pods in progress at the same time.
    pub max_in_flight: u64,
}

/// Rule for the start of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LoadMode {
    /// A pod starts at the end of another one.
    Closed,
    /// A pod starts at its intended time.
    Open,
}

/// Times between the intended starts of pods and their first requests, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lag {
    /// Median, in nanoseconds.
    pub p50_ns: u64,
    /// 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// Maximum, in nanoseconds.
    pub max_ns: u64,
}

/// One phase of an open loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PhaseResult {
    /// Name of the phase.
    pub name: String,
    /// Whether the figures of the run include the phase.
    pub measured: bool,
    /// Beginning, in seconds from the first intended start of the run.
    pub start_s: f64,
    /// Duration, in seconds.
    pub duration_s: f64,
    /// Number of intended starts in the phase.
    pub offered: u64,
    /// Number of pods of the phase that were started before its end.
    pub started: u64,
    /// Latencies of the pods of the phase, from their intended starts.
    pub pod: OperationResult,
}

/// One second of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Beginning, in seconds from the beginning of the load.
    pub start_s: f64,
    /// Duration, in seconds; the last interval may be shorter.
    pub duration_s: f64,
    /// Number of pods that were begun.
    #[serde(default)]
    pub begun: u64,
    /// Number of pods that have ended.
    pub pods: u64,
    /// Number of successful RPCs.
    pub rpcs: u64,
    /// Number of failed calls.
    pub errors: u64,
    /// Number of pods in progress at the end of the interval.
    pub in_flight: u64,
    /// Latencies of the successful calls in the interval, by operation; operations
    /// without any are left out.
    pub operations: Vec<OperationResult>,
}

/// Parameters of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Scenario {
    /// Target of the calls: `ttrpc`, `controller` or `cri`.
    pub target: String,
    /// Socket under load; absent for a sandboxer that the run started.
    pub endpoint: Option<String>,
    /// Program of the sandboxer that the run started; absent for another server.
    pub sandboxer: Option<String>,
    /// Additional arguments of that sandboxer.
    pub sandboxer_args: Vec<String>,
    /// Program of the containerd that the run started; absent without one.
    #[serde(default)]
    pub containerd: Option<String>,
    /// Runtime handler of the pods, over CRI.
    #[serde(default)]
    pub runtime_handler: Option<String>,
    /// Image of the containers, over CRI.
    #[serde(default)]
    pub image: Option<String>,
    /// Network of the pods, over CRI; absent in documents of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Programs under test; empty in documents of older programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub software: Vec<Software>,
    /// Namespace of containerd.
    pub namespace: String,
    /// Name of the scenario.
    pub name: String,
    /// Whole scenario as TOML, with the changes by the command line.
    pub document: String,
    /// Seed of all random values.
    pub seed: u64,
    /// Number of pods of the plan, with those of a warm-up; of a part, those of the part.
    pub pods: u64,
    /// Part of a plan that was run, of which `plan_hash` is that of the whole; absent for a whole
    /// plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// Number of connections, which the pods shared.
    pub connections: usize,
    /// Number of threads that drove the connections.
    pub threads: usize,
    /// Time limit of a call, in seconds.
    pub timeout_s: f64,
}

/// Totals of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Number of successful pods.
    pub pods: u64,
    /// Number of failed pods.
    pub pods_failed: u64,
    /// Number of failed pods that could not be removed.
    pub pods_left_behind: u64,
    /// Number of successful RPCs: the sum of the counts of all operations that are RPCs.
    pub rpcs: u64,
    /// Number of successful RPCs of the warm-up, which no other figure contains; absent in
    /// results of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up_rpcs: Option<u64>,
    /// Number of requests without a reply that no error tells of: pending Waits of failed pods,
    /// and removals and probes after a failure; absent in results of an older version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abandoned: Option<u64>,
    /// Number of failed calls.
    pub errors: u64,
    /// Successful pods per second of wall time.
    pub pods_per_s: f64,
    /// Successful RPCs per second of wall time.
    pub rpcs_per_s: f64,
}

/// Latencies of the successful calls of one operation, in nanoseconds, to three digits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OperationResult {
    /// Operation that was measured.
    pub operation: Operation,
    /// Number of successful calls; the other figures describe these calls.
    pub count: u64,
    /// Number of failed calls.
    pub errors: u64,
    /// Mean, in nanoseconds.
    pub mean_ns: f64,
    /// Minimum, in nanoseconds.
    pub min_ns: u64,
    /// Median, in nanoseconds.
    pub p50_ns: u64,
    /// 90th percentile, in nanoseconds.
    pub p90_ns: u64,
    /// 95th percentile, in nanoseconds; absent in documents of older programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ns: Option<u64>,
    /// 99th percentile, in nanoseconds.
    pub p99_ns: u64,
    /// 99.9th percentile, in nanoseconds.
    pub p999_ns: u64,
    /// Maximum, in nanoseconds.
    pub max_ns: u64,
}

/// Failures with the same operation, code and class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorResult {
    /// Operation of the calls.
    pub operation: Operation,
    /// Name of a status code, or `WrongAnswer`.
    pub code: String,
    /// Class: the message with `*` for ids and `#` for numbers.
    pub class: String,
    /// One whole message.
    pub example: String,
    /// Number of failures.
    pub count: u64,
}

impl RunResult {
    /// Returns the figures of whole pods.
    pub fn pod(&self) -> Option<&OperationResult> {
        let mut operations = self.operations.iter();
        operations.find(|figures| figures.operation == Operation::Pod)
    }

    /// Returns the times of an operation on the wire.
    pub fn wire_of(&self, operation: Operation) -> Option<&WireResult> {
        self.wire.iter().find(|times| times.operation == operation)
    }

    /// Returns the median latency of the pods, in nanoseconds; 0 without any.
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
        close(create.p95_ns.unwrap(), 950);
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
