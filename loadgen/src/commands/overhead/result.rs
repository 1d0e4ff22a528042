//! Document of an overhead measurement, as saved in `result.json`.

use serde::{Deserialize, Serialize};

use super::layer::Layer;
use super::shares::{ContainerdCost, Share};
use crate::record::operation::Operation;
use crate::result::environment::Environment;
use crate::result::header::{Document, Header};
use crate::result::spans::SpansResult;
use crate::result::{ErrorResult, OperationResult};

/// Costs of the layers, and their validity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverheadResult {
    /// Fields common to all documents.
    #[serde(flatten)]
    pub header: Header,
    /// Duration of all rounds, in seconds.
    pub wall_s: f64,
    /// Whether all requested rounds were run.
    pub complete: bool,
    /// Whether the figures are valid.
    pub valid: bool,
    /// Reasons against validity, in words; empty for a valid result.
    pub reasons: Vec<String>,
    /// Parameters of the measurement.
    pub scenario: OverheadScenario,
    /// SHA-256 over the plan's requests, in hexadecimal.
    pub plan_hash: String,
    /// All layers, from the least to the most.
    pub layers: Vec<LayerResult>,
    /// Parts of a pod's time through containerd, with shares that sum to 1. Empty
    /// without a complete round, or without containerd.
    pub shares: Vec<Share>,
    /// Cost of containerd; `None` without a complete round, or without containerd.
    #[serde(default)]
    pub containerd_cost: Option<ContainerdCost>,
    /// Cost of the sandboxer in each of containerd's calls, in the order of a
    /// lifecycle.
    pub added: Vec<Added>,
    /// Limits of the sandboxer.
    pub bars: Vec<Bar>,
    /// Spans of pods through containerd, by layer; empty without `--spans`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub spans: Vec<LayerSpans>,
    /// Failures by operation, code and class of message.
    pub errors: Vec<ErrorResult>,
    /// Machine of the measurement.
    pub environment: Environment,
}

impl Document for OverheadResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.overhead";
    // Version 1 had no layer `cri`, and always a containerd.
    const VERSION: u32 = 2;
}

/// Parameters of an overhead measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverheadScenario {
    /// Path of the started sandboxer.
    pub sandboxer: String,
    /// Arguments of the sandboxer.
    pub sandboxer_args: Vec<String>,
    /// Path of the started containerd; `None` if its layer was left out.
    pub containerd: Option<String>,
    /// Runtime handlers of real containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub handlers: Vec<String>,
    /// Socket of a runtime that was running before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Number of rounds.
    pub rounds: u32,
    /// Number of pods in each round at each layer, one at a time.
    pub pods: u64,
    /// Number of warm-up pods at each layer before the first round; not measured.
    pub warm_up_pods: u64,
    /// Lowest number of containers of a pod.
    pub containers_min: u32,
    /// Highest number of containers of a pod.
    pub containers_max: u32,
    /// Signal that ends containers: `kill`, `term` or `mix`.
    pub signal: String,
}

/// Layer over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerResult {
    /// The layer.
    pub layer: Layer,
    /// Pods per second under load: the median over rounds.
    pub pods_per_s: f64,
    /// Latencies of all rounds together; those of whole pods are last.
    pub operations: Vec<OperationResult>,
    /// Processes of the layer.
    pub processes: Vec<LayerProcess>,
    /// Figures of each round.
    pub rounds: Vec<RoundResult>,
}

/// Spans of the pods of a layer, from a load of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerSpans {
    /// The layer.
    pub layer: Layer,
    /// Spans of its pods.
    pub spans: SpansResult,
}

/// Resources used by a process of a layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerProcess {
    /// Role: `null`, `sandboxer`, `containerd`, `loadgen`, or `shims` for everything that
    /// containerd started.
    pub role: String,
    /// CPU time per pod, in milliseconds: the median over rounds.
    pub cpu_ms_per_pod: f64,
    /// Highest resident memory, in bytes.
    pub max_rss_bytes: u64,
}

/// Layer in one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundResult {
    /// Number of pods that went as planned.
    pub pods: u64,
    /// Median latency of a pod, in nanoseconds.
    pub p50_ns: u64,
    /// Mean latency of a pod, in nanoseconds.
    pub mean_ns: f64,
    /// Pods per second.
    pub pods_per_s: f64,
    /// CPU time per pod of each process in the order of [`LayerResult::processes`],
    /// in milliseconds.
    pub cpu_ms_per_pod: Vec<f64>,
}

/// Cost of the sandboxer in one of containerd's calls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Added {
    /// The call.
    pub operation: Operation,
    /// Number of these calls per pod.
    pub calls_per_pod: f64,
    /// Median latency on a sandboxer that does nothing, in nanoseconds.
    pub floor_p50_ns: u64,
    /// Median latency on the sandboxer, in nanoseconds.
    pub direct_p50_ns: u64,
    /// Difference of the medians for all calls of a pod, in milliseconds.
    pub ms_per_pod: f64,
}

/// Figure with an upper limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// Name of the figure, in words.
    pub what: String,
    /// Unit of both values.
    pub unit: String,
    /// Highest permitted value.
    pub limit: f64,
    /// Measured value.
    pub found: f64,
    /// Whether the measured value is within the limit.
    pub met: bool,
}

impl LayerResult {
    /// Returns the latencies of whole pods.
    pub fn pod(&self) -> Option<&OperationResult> {
        self.operations.last()
    }

    /// Returns the latencies of one operation.
    fn operation(&self, operation: Operation) -> Option<&OperationResult> {
        let is = |result: &&OperationResult| result.operation == operation;
        self.operations.iter().find(is)
    }

    /// Returns the additional latency of each call here, compared with the `floor`.
    pub fn beyond(&self, floor: &Self) -> Vec<Added> {
        let pods = self.pod().map_or(0, |pod| pod.count);
        let of = |direct: &OperationResult| {
            let floor = floor.operation(direct.operation)?;
            let calls_per_pod = direct.count as f64 / pods as f64;
            let added_ns = direct.p50_ns as f64 - floor.p50_ns as f64;
            Some(Added {
                operation: direct.operation,
                calls_per_pod,
                floor_p50_ns: floor.p50_ns,
                direct_p50_ns: direct.p50_ns,
                ms_per_pod: added_ns * calls_per_pod / 1e6,
            })
        };
        self.operations
            .iter()
            .filter(|result| result.operation.is_rpc() && pods > 0)
            .filter_map(of)
            .collect()
    }

    /// Returns the CPU time per pod of the process with this role, in milliseconds.
    pub fn cpu_ms_per_pod(&self, role: &str) -> Option<f64> {
        let process = self.processes.iter().find(|process| process.role == role)?;
        Some(process.cpu_ms_per_pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(layer: Layer, p50_ns: u64) -> LayerResult {
        let result = |operation, count, p50_ns| OperationResult {
            operation,
            count,
            errors: 0,
            mean_ns: 0.0,
            min_ns: 0,
            p50_ns,
            p90_ns: 0,
            p95_ns: None,
            p99_ns: 0,
            p999_ns: 0,
            max_ns: 0,
        };
        LayerResult {
            layer,
            pods_per_s: 1.0,
            operations: vec![
                result(Operation::TaskState, 40, p50_ns),
                result(Operation::Pod, 10, 9_000_000),
            ],
            processes: Vec::new(),
            rounds: Vec::new(),
        }
    }

    #[test]
    fn the_cost_of_a_call_is_multiplied_by_the_calls_of_a_pod() {
        let (floor, direct) = (layer(Layer::Floor, 50_000), layer(Layer::Direct, 75_000));
        let [added] = direct.beyond(&floor)[..] else {
            panic!("a pod is no call");
        };
        assert_eq!(added.operation, Operation::TaskState);
        assert!((added.calls_per_pod - 4.0).abs() < 1e-9);
        assert!((added.ms_per_pod - 0.1).abs() < 1e-9);
    }
}
