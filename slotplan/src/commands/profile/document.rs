//! The document `slotplan/profile/1`.

use rightsizing::{Bounds, Costs, Lack, Sizing, Summary};
use serde::Serialize;

use super::figures::{core_hours, gib_hours};
use super::plan::{Plan, Row, Sums};
use crate::answer::Header;

#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    header: Header,
    strategy: String,
    /// Times of the first and the last sample.
    first_sample: String,
    last_sample: String,
    containers: Vec<Container<'a>>,
    sums: Change<Sum>,
    back_test: BackTest,
    unknown_usage: &'a [String],
    counted_by_name: Vec<ByName<'a>>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Container<'a> {
    namespace: &'a str,
    kind: &'a str,
    workload: &'a str,
    name: &'a str,
    replicas: u64,
    pods_with_usage: usize,
    today: Sizing,
    new: Sizing,
    /// Part of the requests of all pods that the new ones save.
    saved: Sum,
    cpu: Resource,
    memory: Resource,
    oom_kills: u64,
    gaps: u64,
    gap_seconds: f64,
}

/// CPU in millicores (usage in billionths of a core), memory in bytes.
#[derive(Debug, Serialize)]
struct Resource {
    usage: Option<Summary>,
    vpa: Option<Bounds>,
    krr: Answer,
    strategy: Answer,
}

#[derive(Debug, Serialize)]
struct Answer {
    request: Option<i64>,
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

#[derive(Debug, Serialize)]
struct Change<T> {
    before: T,
    after: T,
}

#[derive(Debug, Serialize)]
struct Sum {
    cpu_millicores: i64,
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

#[derive(Debug, Serialize)]
struct ByName<'a> {
    pod: &'a str,
    workload: String,
}

#[derive(Debug, Serialize)]
struct BackTest {
    step_seconds: i64,
    steps: u64,
    container_hours: f64,
    strategies: Vec<OfStrategy>,
}

#[derive(Debug, Serialize)]
struct OfStrategy {
    strategy: String,
    cpu_above_request_core_hours: f64,
    cpu_throttled_core_hours: f64,
    cpu_wasted_core_hours: f64,
    memory_above_request_gib_hours: f64,
    memory_wasted_gib_hours: f64,
    oom_kills: u64,
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
