//! The result of an overhead measurement, as its `result.json` holds it.

use serde::{Deserialize, Serialize};

use super::layer::Layer;
use super::shares::{ContainerdCost, Share};
use crate::record::operation::Operation;
use crate::result::environment::Environment;
use crate::result::header::{Document, Header};
use crate::result::{ErrorResult, OperationResult};

/// What the layers cost, and whether to believe it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OverheadResult {
    /// The fields that every document begins with.
    #[serde(flatten)]
    pub header: Header,
    /// How long all rounds took, in seconds.
    pub wall_s: f64,
    /// Whether every round that was asked for was run.
    pub complete: bool,
    /// Whether the figures can be believed.
    pub valid: bool,
    /// Why not, in words; empty if they can.
    pub reasons: Vec<String>,
    /// What was asked for.
    pub scenario: OverheadScenario,
    /// SHA-256 over the plan's requests, in hexadecimal.
    pub plan_hash: String,
    /// Every layer, from the least to the most.
    pub layers: Vec<LayerResult>,
    /// Where a pod's time through containerd goes; they sum to 1. Empty without a
    /// whole round, or without containerd.
    pub shares: Vec<Share>,
    /// What containerd costs. Absent without a whole round, or without containerd.
    #[serde(default)]
    pub containerd_cost: Option<ContainerdCost>,
    /// What the sandboxer adds to each of containerd's calls, in the order of a
    /// lifecycle.
    pub added: Vec<Added>,
    /// What the sandboxer is to keep below.
    pub bars: Vec<Bar>,
    /// Failures by operation, code and class of message.
    pub errors: Vec<ErrorResult>,
    /// The machine.
    pub environment: Environment,
}

impl Document for OverheadResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.overhead";
    // In the first version there was no layer `cri`, and always a containerd.
    const VERSION: u32 = 2;
}

/// The parameters of a measurement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverheadScenario {
    /// The sandboxer that was started.
    pub sandboxer: String,
    /// The arguments passed through to it.
    pub sandboxer_args: Vec<String>,
    /// The containerd that was started, unless its layer was left out.
    pub containerd: Option<String>,
    /// Everything random comes from it.
    pub seed: u64,
    /// Rounds.
    pub rounds: u32,
    /// Pods in each round at each layer, one at a time.
    pub pods: u64,
    /// Pods before the first round at each layer, which do not count.
    pub warm_up_pods: u64,
    /// The fewest containers a pod has.
    pub containers_min: u32,
    /// The most containers a pod has.
    pub containers_max: u32,
    /// How containers are ended: `kill`, `term` or `mix`.
    pub signal: String,
}

/// One layer over all rounds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerResult {
    /// Which.
    pub layer: Layer,
    /// Pods per second while it was under load: the median over rounds.
    pub pods_per_s: f64,
    /// The latencies of all rounds together; a pod's are the last.
    pub operations: Vec<OperationResult>,
    /// The processes that it consists of.
    pub processes: Vec<LayerProcess>,
    /// Round by round.
    pub rounds: Vec<RoundResult>,
}

/// What a process of a layer used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerProcess {
    /// `null`, `sandboxer`, `containerd` or `loadgen`.
    pub role: String,
    /// CPU time per pod, in milliseconds: the median over rounds.
    pub cpu_ms_per_pod: f64,
    /// The most memory it had resident at once, in bytes.
    pub max_rss_bytes: u64,
}

/// One layer in one round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundResult {
    /// Pods that were as the plan wants.
    pub pods: u64,
    /// The median latency of a pod, in nanoseconds.
    pub p50_ns: u64,
    /// The mean.
    pub mean_ns: f64,
    /// Pods per second.
    pub pods_per_s: f64,
    /// CPU time per pod of each process in the order of [`LayerResult::processes`],
    /// in milliseconds.
    pub cpu_ms_per_pod: Vec<f64>,
}

/// What the sandboxer adds to one of containerd's calls.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Added {
    /// Which call.
    pub operation: Operation,
    /// How many of it a pod takes.
    pub calls_per_pod: f64,
    /// The median with a sandboxer that does nothing, in nanoseconds.
    pub floor_p50_ns: u64,
    /// The median with the sandboxer.
    pub direct_p50_ns: u64,
    /// The difference of the medians for all calls of a pod, in milliseconds.
    pub ms_per_pod: f64,
}

/// Something that must not be above a limit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bar {
    /// What, in words.
    pub what: String,
    /// The unit of both figures.
    pub unit: String,
    /// The most that it may be.
    pub limit: f64,
    /// What it is.
    pub found: f64,
    /// Whether it is within the limit.
    pub met: bool,
}

impl LayerResult {
    /// The latencies of whole pods.
    pub fn pod(&self) -> Option<&OperationResult> {
        self.operations.last()
    }

    /// The latencies of one operation.
    fn operation(&self, operation: Operation) -> Option<&OperationResult> {
        let is = |result: &&OperationResult| result.operation == operation;
        self.operations.iter().find(is)
    }

    /// What each call takes longer here than at the `floor`.
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

    /// CPU time per pod of the process with this role, in milliseconds.
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
    fn what_is_added_to_a_call_counts_for_each_of_a_pods_calls() {
        let (floor, direct) = (layer(Layer::Floor, 50_000), layer(Layer::Direct, 75_000));
        let [added] = direct.beyond(&floor)[..] else {
            panic!("a pod is no call");
        };
        assert_eq!(added.operation, Operation::TaskState);
        assert!((added.calls_per_pod - 4.0).abs() < 1e-9);
        assert!((added.ms_per_pod - 0.1).abs() < 1e-9);
    }
}
