//! Profiles of all containers, sums, and the back-test over all.

use rightsizing::resize::{ContainerResize, Resize, SCHEMA, WorkloadResize};
use rightsizing::{
    Amount, ContainerUsage, Costs, Profile, Sizing, Span, Strategy, Usage, Workload, back_test,
    profile, resized,
};

/// Everything that the forms of the answer show.
#[derive(Debug)]
pub(super) struct Plan {
    pub usage: Usage,
    pub strategy: Strategy,
    pub span: Span,
    /// Profiles in the order of the workloads and their containers.
    pub rows: Vec<Row>,
    pub before: Sums,
    pub after: Sums,
    pub back_test: BackTest,
    /// What the input does not say and was taken for granted.
    pub assumptions: Vec<String>,
}

/// Profile of one container.
#[derive(Debug)]
pub(super) struct Row {
    /// Place of the workload in the usage, and of the container in the workload.
    workload: usize,
    container: usize,
    pub profile: Profile,
    /// Requests and limits after the strategy.
    pub new: Sizing,
}

/// Amounts that all pods request together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sums {
    pub millicores: i128,
    pub bytes: i128,
    /// Containers of pods without a request of CPU, and of memory, counted as 0.
    pub without: [u64; 2],
}

/// Costs of strategies over all containers.
#[derive(Debug)]
pub(super) struct BackTest {
    pub step: i64,
    /// Most steps of one container.
    pub steps: u64,
    /// Time of containers that was counted, in nanoseconds.
    pub nanos: i128,
    pub costs: Vec<(Strategy, Costs)>,
}

impl Plan {
    /// Computes the plan; `None` without a sample of a container of the pods.
    pub(super) fn new(
        usage: Usage,
        strategy: Strategy,
        compare: Vec<Strategy>,
        step: i64,
    ) -> Option<Self> {
        let span = Span::of(&usage)?;
        let mut test = BackTest {
            step,
            steps: 0,
            nanos: 0,
            costs: Vec::new(),
        };
        let mut costs = vec![Costs::default(); compare.len()];
        let mut rows = Vec::new();
        let (mut before, mut after) = (Sums::default(), Sums::default());
        for (place, workload) in usage.workloads.iter().enumerate() {
            let count = workload.containers.len();
            for (container, with_usage) in workload.containers.iter().enumerate() {
                let profile = profile(with_usage, count, strategy, span);
                let new = resized(
                    strategy,
                    with_usage.today,
                    profile.cpu.ok(),
                    profile.memory.ok(),
                );
                before.add(workload.replicas, &with_usage.today);
                after.add(workload.replicas, &new);
                let of_one = back_test(with_usage, count, &compare, span, step);
                test.steps = test.steps.max(of_one.steps);
                test.nanos = test.nanos.saturating_add(of_one.nanos);
                for (sum, costs) in costs.iter_mut().zip(&of_one.costs) {
                    sum.add(costs);
                }
                rows.push(Row {
                    workload: place,
                    container,
                    profile,
                    new,
                });
            }
        }
        test.costs = compare.into_iter().zip(costs).collect();
        Some(Self {
            usage,
            strategy,
            span,
            rows,
            before,
            after,
            back_test: test,
            assumptions: Vec::new(),
        })
    }

    /// Returns the workload of a row.
    pub(super) fn workload(&self, row: &Row) -> &Workload {
        &self.usage.workloads[row.workload]
    }

    /// Returns the container of a row.
    pub(super) fn container(&self, row: &Row) -> &ContainerUsage {
        &self.workload(row).containers[row.container]
    }

    /// Returns the requests and limits that change.
    pub(super) fn resize(&self) -> Resize {
        let mut workloads: Vec<WorkloadResize> = Vec::new();
        for row in &self.rows {
            let container = self.container(row);
            let change = ContainerResize::between(&container.name, &container.today, &row.new);
            let Some(change) = change else { continue };
            let id = &self.workload(row).id;
            let is_same = |last: &&mut WorkloadResize| {
                *last.namespace == *id.namespace && *last.kind == *id.kind && *last.name == *id.name
            };
            match workloads.last_mut().filter(is_same) {
                Some(last) => last.containers.push(change),
                None => workloads.push(WorkloadResize {
                    namespace: id.namespace.to_string(),
                    kind: id.kind.to_string(),
                    name: id.name.to_string(),
                    containers: vec![change],
                }),
            }
        }
        Resize {
            schema: SCHEMA.to_owned(),
            strategy: self.strategy.to_string(),
            workloads,
        }
    }

    /// Returns remarks on the input and on assumptions.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let usage = &self.usage;
        let mut note = |count: u64, one: &str, many: &str, rest: &str| {
            if count > 0 {
                let noun = if count == 1 { one } else { many };
                notes.push(format!("{} {noun} {rest}", display::human::count(count)));
            }
        };
        note(
            usage.unknown.len() as u64,
            "usage series belongs",
            "usage series belong",
            &format!(
                "to no container of the pods and is left out{}",
                some(&usage.unknown)
            ),
        );
        let by_name: Vec<_> = usage.by_name.iter().map(|(pod, _)| pod.clone()).collect();
        note(
            by_name.len() as u64,
            "pod with usage is",
            "pods with usage are",
            &format!(
                "counted to a workload by the form of the name{}",
                some(&by_name)
            ),
        );
        note(
            usage.out_of_order,
            "sample was",
            "samples were",
            "out of the order of time and have been sorted",
        );
        let gaps = self.rows.iter().map(|row| row.profile.gaps);
        let (count, nanos) = gaps.fold((0, 0_i128), |(count, nanos), gaps| {
            (count + gaps.count, nanos + i128::from(gaps.nanos))
        });
        let hours = nanos as f64 / 3.6e12;
        note(
            count,
            "gap of",
            "gaps of",
            &format!("together {hours:.1} h without samples, which count for nothing"),
        );
        let lacking = |of: fn(&Row) -> bool| self.rows.iter().filter(|row| of(row)).count() as u64;
        note(
            lacking(|row| !row.profile.is_known()),
            "container has",
            "containers have",
            "no usage",
        );
        if self.strategy != Strategy::Requested {
            note(
                lacking(|row| row.profile.cpu.is_err() || row.profile.memory.is_err()),
                "container has",
                "containers have",
                "not enough data for a new request and keep today's",
            );
        }
        if self.strategy == Strategy::Vpa {
            note(
                lacking(|row| row.profile.is_known() && row.profile.krr_cpu.is_err()),
                "container has",
                "containers have",
                "few samples (fewer than 100, or less than 3 h): VPA answers all the same, with \
                 wide bounds",
            );
        }
        for (place, resource) in ["CPU", "memory"].into_iter().enumerate() {
            note(
                self.before.without[place],
                "container of the pods requests",
                "containers of the pods request",
                &format!("no {resource}, which counts as 0 in the sums"),
            );
        }
        notes
    }
}

/// Names a few of many.
fn some(names: &[String]) -> String {
    const MOST: usize = 3;
    let first = names
        .iter()
        .take(MOST)
        .cloned()
        .collect::<Vec<_>>()
        .join(", ");
    match names.len() {
        0..=MOST => format!(": {first}"),
        _ => format!(": {first}, ..."),
    }
}

impl Sums {
    fn add(&mut self, replicas: u64, sizing: &Sizing) {
        let mut sum = |place: usize, amount: Amount| {
            if amount.request.is_none() {
                self.without[place] += replicas;
            }
            i128::from(amount.request.unwrap_or(0)).saturating_mul(replicas.into())
        };
        let (millicores, bytes) = (sum(0, sizing.cpu), sum(1, sizing.memory));
        self.millicores = self.millicores.saturating_add(millicores);
        self.bytes = self.bytes.saturating_add(bytes);
    }
}
