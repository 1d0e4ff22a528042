//! Budgets for the disruption of pods (`PodDisruptionBudget`).

use std::sync::Arc;

use inventory::api::LabelSelector;

use crate::cluster::{Class, Cluster};
use crate::spec::selector::{Selector, SelectorError};

/// Number or share of pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Number.
    Count(i64),
    /// Share of the expected pods in percent, of which a fraction of a pod counts as one.
    Percent(i64),
}

impl Amount {
    fn of(self, expected: i64) -> i64 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => {
                let hundredfold = i128::from(expected) * i128::from(percent);
                let rounded_up = -(-hundredfold).div_euclid(100);
                i64::try_from(rounded_up).unwrap_or(i64::MAX)
            }
        }
    }
}

/// Bound of a budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// Pods that must stay.
    MinAvailable(Amount),
    /// Pods that may be missing.
    MaxUnavailable(Amount),
}

/// Budget for the disruption of the pods that a selector selects.
#[derive(Debug, Clone)]
pub struct Budget {
    namespace: Arc<str>,
    selector: Selector,
    bound: Bound,
}

impl Budget {
    /// Returns the budget of the pods of a namespace that a selector selects.
    ///
    /// # Errors
    /// A selector that no API server accepts.
    pub fn new(
        namespace: &Arc<str>,
        selector: Option<&LabelSelector>,
        bound: Bound,
    ) -> Result<Self, SelectorError> {
        Ok(Self {
            namespace: Arc::clone(namespace),
            selector: Selector::of(selector)?,
            bound,
        })
    }

    /// Returns whether the budget counts pods of a class. One without a requirement counts none
    /// for a scheduler, nor does any count a pod without labels (`filterPodsWithPDBViolation`).
    pub(crate) fn covers(&self, class: &Class) -> bool {
        self.namespace == class.namespace
            && !class.labels().is_empty()
            && !self.selector.is_everything()
            && self.selector.matches(class.labels())
    }

    /// Returns how many of its pods may go now (`updatePdbStatus` in
    /// `pkg/controller/disruption/disruption.go`).
    ///
    /// Every pod on a node counts as healthy, and as many as are on nodes are expected; a
    /// workload that has pods that wait for a node is expected to have fewer than it wants.
    pub fn allowed(&self, cluster: &Cluster) -> i64 {
        let covered = cluster.classes().iter().filter(|class| self.covers(class));
        let pods = covered.flat_map(Class::on_nodes);
        let healthy: i64 = pods.map(|(_, count)| i64::from(count)).sum();
        let desired = match self.bound {
            Bound::MinAvailable(amount) => amount.of(healthy),
            Bound::MaxUnavailable(amount) => healthy.saturating_sub(amount.of(healthy)).max(0),
        };
        healthy.saturating_sub(desired).max(0)
    }
}
