//! Comparison of the costs before and after a change.

use std::collections::{BTreeMap, BTreeSet};

use crate::estimate::Estimate;
use crate::hours::MONTH_HOURS;
use crate::money::Money;
use crate::resource::{Quantities, Rates};

/// Costs of one side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Side {
    /// Costs by workload, `NAMESPACE/KIND/NAME`.
    pub workloads: BTreeMap<String, WorkloadCost>,
    /// Cost of all nodes in a month; `None` without nodes.
    pub provisioned: Option<Money>,
}

/// Cost of one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkloadCost {
    /// Number of its pods.
    pub pods: u64,
    /// Requested amounts, on average over the time.
    pub requested: Rates,
    /// Cost in a month of 730 hours.
    pub per_month: Money,
}

impl WorkloadCost {
    /// Adds the cost of another workload.
    pub fn add(&mut self, other: &Self) {
        self.pods = self.pods.saturating_add(other.pods);
        self.requested.add(&other.requested);
        self.per_month += other.per_month;
    }
}

impl Side {
    /// Returns the costs by workload of an estimate.
    pub fn of(estimate: &Estimate) -> Self {
        let length = estimate.window.nanoseconds();
        let mut pods: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        let mut sums: BTreeMap<String, (Quantities, Money)> = BTreeMap::new();
        for allocation in &estimate.allocations {
            let names = &allocation.names;
            let key = match &names.owner {
                Some((kind, name)) => format!("{}/{kind}/{name}", names.namespace),
                None => format!("{}/Pod/{}", names.namespace, names.pod),
            };
            let sum = sums.entry(key.clone()).or_default();
            sum.0.add(&allocation.requested);
            sum.1 += allocation.cost.total();
            pods.entry(key).or_default().insert(&names.pod);
        }
        let workload = |(key, (requested, cost)): (String, (Quantities, Money))| {
            let cost = WorkloadCost {
                pods: pods.get(&key).map_or(0, |pods| pods.len() as u64),
                requested: Rates::from_fn(|resource| requested[resource] / length.max(1)),
                per_month: cost.at_rate(length, MONTH_HOURS),
            };
            (key, cost)
        };
        let provisioned = estimate.provisioned().total();
        Self {
            workloads: sums.into_iter().map(workload).collect(),
            provisioned: (!estimate.nodes.is_empty())
                .then(|| provisioned.at_rate(length, MONTH_HOURS)),
        }
    }

    /// Returns the sum over all workloads.
    pub fn total(&self) -> WorkloadCost {
        let mut total = WorkloadCost::default();
        for cost in self.workloads.values() {
            total.add(cost);
        }
        total
    }
}

/// Change of one workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Workload.
    pub workload: String,
    /// Cost before; `None` if the workload was added.
    pub before: Option<WorkloadCost>,
    /// Cost after; `None` if the workload was removed.
    pub after: Option<WorkloadCost>,
}

impl Change {
    /// Returns `added`, `removed` or `changed`.
    pub fn name(&self) -> &'static str {
        match (self.before, self.after) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        }
    }

    /// Returns the change of the cost in a month.
    pub fn per_month(&self) -> Money {
        let cost = |side: Option<WorkloadCost>| side.unwrap_or_default().per_month;
        cost(self.after) - cost(self.before)
    }
}

/// Returns the workloads that are not the same on both sides: the largest change of cost first, of
/// equal ones in the order of their names.
pub fn changes(before: &Side, after: &Side) -> Vec<Change> {
    let all: BTreeSet<_> = before
        .workloads
        .keys()
        .chain(after.workloads.keys())
        .collect();
    let mut changes: Vec<_> = all
        .into_iter()
        .map(|workload| Change {
            workload: workload.clone(),
            before: before.workloads.get(workload).copied(),
            after: after.workloads.get(workload).copied(),
        })
        .filter(|change| change.before != change.after)
        .collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.per_month().magnitude()));
    changes
}
