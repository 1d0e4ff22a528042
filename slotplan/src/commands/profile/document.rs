//! The document `slotplan/profile/1`.

use rightsizing::{Bounds, Costs, Lack, Sizing, Summary};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::figures::{core_hours, gib_hours};
use super::plan::{Plan, Row, Sums};
use crate::answer::Header;

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/profile/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document<'static>>(SCHEMA)
}

/// Usage of containers, and the requests that it suggests.
#[derive(Debug, Serialize, JsonSchema)]
struct Document<'a> {
    #[serde(flatten)]
    header: Header,
    /// Strategy of the new requests.
    strategy: String,
    /// Time of the first sample (RFC 3339, UTC).
    first_sample: String,
    /// Time of the last sample (RFC 3339, UTC).
    last_sample: String,
    /// Containers of workloads.
    containers: Vec<Container<'a>>,
    /// Requests of all pods, now and by the strategy.
    sums: Change<Sum>,
    /// Costs of each strategy on the recorded past.
    back_test: BackTest,
    /// Usage of pods that the input does not have.
    unknown_usage: &'a [String],
    /// Pods with usage that count for a workload by their name.
    counted_by_name: Vec<ByName<'a>>,
    /// Notes on single containers.
    notes: Vec<String>,
}

/// Container of a workload.
#[derive(Debug, Serialize, JsonSchema)]
struct Container<'a> {
    /// Namespace.
    namespace: &'a str,
    /// Kind of the workload.
    kind: &'a str,
    /// Name of the workload.
    workload: &'a str,
    /// Name of the container.
    name: &'a str,
    /// Number of pods of the workload.
    replicas: u64,
    /// Number of pods with usage.
    pods_with_usage: usize,
    /// Requests and limits in the input.
    today: Sizing,
    /// Requests and limits by the strategy.
    new: Sizing,
    /// Part of the requests of all pods that the new ones save.
    saved: Sum,
    /// Usage of CPU, and the requests that it suggests.
    cpu: Resource,
    /// Usage of memory, and the requests that it suggests.
    memory: Resource,
    /// Recorded ends for lack of memory.
    oom_kills: u64,
    /// Number of times without samples.
    gaps: u64,
    /// Length of the times without samples, in seconds.
    gap_seconds: f64,
}

/// CPU in millicores (usage in billionths of a core), memory in bytes.
#[derive(Debug, Serialize, JsonSchema)]
struct Resource {
    /// Percentiles of usage; null without a sample.
    usage: Option<Summary>,
    /// Amounts of the Vertical Pod Autoscaler; null without a sample.
    vpa: Option<Bounds>,
    /// Request by the rules of krr.
    krr: Answer,
    /// Request by the chosen strategy.
    strategy: Answer,
}

/// Request, or the reason for which there is none.
#[derive(Debug, Serialize, JsonSchema)]
struct Answer {
    /// Request: CPU in millicores, memory in bytes; null without one.
    request: Option<i64>,
    /// Reason against a request; absent with one.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Result<i64, Lack>> for Answer {
    fn from(answer: Result<i64, Lack>) -> Self {
        Self {
            request: answer.ok(),
            reason: answer.err().map(|lack| lack.to_string()),
        }
    }
}

/// Sums now and by the strategy.
#[derive(Debug, Serialize, JsonSchema)]
struct Change<T> {
    /// Now.
    before: T,
    /// By the strategy.
    after: T,
}

/// Sums of requests.
#[derive(Debug, Serialize, JsonSchema)]
struct Sum {
    /// CPU in millicores.
    cpu_millicores: i64,
    /// Memory in bytes.
    memory_bytes: i64,
}

impl From<Sums> for Sum {
    fn from(sums: Sums) -> Self {
        let whole = |sum: i128| i64::try_from(sum).unwrap_or(i64::MAX);
        Self {
            cpu_millicores: whole(sums.millicores),
            memory_bytes: whole(sums.bytes),
        }
    }
}

/// Pod with usage that counts for a workload by its name.
#[derive(Debug, Serialize, JsonSchema)]
struct ByName<'a> {
    /// Pod, as NAMESPACE/NAME.
    pod: &'a str,
    /// Workload.
    workload: String,
}

/// Test of the strategies on the recorded past.
#[derive(Debug, Serialize, JsonSchema)]
struct BackTest {
    /// Time between two recommendations, in seconds.
    step_seconds: i64,
    /// Number of recommendations.
    steps: u64,
    /// Time of all containers, in hours.
    container_hours: f64,
    /// Costs by strategy.
    strategies: Vec<OfStrategy>,
}

/// Costs of one strategy.
#[derive(Debug, Serialize, JsonSchema)]
struct OfStrategy {
    /// Strategy; `requested` for the requests of the input.
    strategy: String,
    /// CPU in use above the request, in core-hours.
    cpu_above_request_core_hours: f64,
    /// CPU in use above the limit, in core-hours.
    cpu_throttled_core_hours: f64,
    /// CPU requested and not in use, in core-hours.
    cpu_wasted_core_hours: f64,
    /// Memory in use above the request, in hours of 2^30 bytes.
    memory_above_request_gib_hours: f64,
    /// Memory requested and not in use, in hours of 2^30 bytes.
    memory_wasted_gib_hours: f64,
    /// Ends of containers for lack of memory.
    oom_kills: u64,
    /// Containers and steps with too few samples for a recommendation.
    without_answer: u64,
}

impl OfStrategy {
    fn new(strategy: String, costs: &Costs) -> Self {
        Self {
            strategy,
            cpu_above_request_core_hours: core_hours(costs.cpu_above_request),
            cpu_throttled_core_hours: core_hours(costs.cpu_throttled),
            cpu_wasted_core_hours: core_hours(costs.cpu_wasted),
            memory_above_request_gib_hours: gib_hours(costs.memory_above_request),
            memory_wasted_gib_hours: gib_hours(costs.memory_wasted),
            oom_kills: costs.oom_kills,
            without_answer: costs.without_answer,
        }
    }
}

/// Returns the document of a plan.
pub(super) fn document(plan: &Plan, header: Header) -> anyhow::Result<serde_json::Value> {
    let test = &plan.back_test;
    let of_strategy = |(strategy, costs): &(rightsizing::Strategy, Costs)| {
        OfStrategy::new(strategy.to_string(), costs)
    };
    let document = Document {
        header,
        strategy: plan.strategy.to_string(),
        first_sample: plan.span.first.to_string(),
        last_sample: plan.span.last.to_string(),
        containers: plan.rows.iter().map(|row| container(plan, row)).collect(),
        sums: Change {
            before: plan.before.into(),
            after: plan.after.into(),
        },
        back_test: BackTest {
            step_seconds: test.step / 1_000_000_000,
            steps: test.steps,
            container_hours: test.nanos as f64 / 3.6e12,
            strategies: test.costs.iter().map(of_strategy).collect(),
        },
        unknown_usage: &plan.usage.unknown,
        counted_by_name: plan
            .usage
            .by_name
            .iter()
            .map(|(pod, workload)| ByName {
                pod,
                workload: workload.to_string(),
            })
            .collect(),
        notes: plan.notes(),
    };
    Ok(serde_json::to_value(document)?)
}

fn container<'a>(plan: &'a Plan, row: &'a Row) -> Container<'a> {
    let (workload, container, profile) = (plan.workload(row), plan.container(row), &row.profile);
    Container {
        namespace: &workload.id.namespace,
        kind: &workload.id.kind,
        workload: &workload.id.name,
        name: &container.name,
        replicas: workload.replicas,
        pods_with_usage: container.pods.len(),
        today: container.today,
        new: row.new,
        saved: Sum {
            cpu_millicores: container.today.cpu.saved_by(row.new.cpu, workload.replicas),
            memory_bytes: container
                .today
                .memory
                .saved_by(row.new.memory, workload.replicas),
        },
        cpu: Resource {
            usage: profile.cpu_nanocores,
            vpa: profile.vpa_cpu,
            krr: profile.krr_cpu.into(),
            strategy: profile.cpu.into(),
        },
        memory: Resource {
            usage: profile.memory_bytes,
            vpa: profile.vpa_memory,
            krr: profile.krr_memory.into(),
            strategy: profile.memory.into(),
        },
        oom_kills: profile.oom_kills,
        gaps: profile.gaps.count,
        gap_seconds: profile.gaps.nanos as f64 / 1e9,
    }
}
