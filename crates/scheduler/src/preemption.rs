//! Making room for a pod by removing pods of lower priority: the plugin `DefaultPreemption`.
//!
//! The sources are `defaultpreemption/default_preemption.go` and
//! `pkg/scheduler/framework/preemption/preemption.go`. A scheduler looks at a tenth of the nodes
//! that could help, but at least at 100, from a random one on; here all are looked at.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use inventory::Timestamp;

use crate::cluster::{ClassId, Cluster, PodOnNode};
use crate::disruption::Budget;
use crate::evaluate::Prepared;
use crate::evaluation::{Evaluation, Reason, fit_message};
use crate::profile::Profile;

/// Node for a pod, and the pods that must go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Nomination {
    /// Number of the node.
    pub node: usize,
    /// Pods that must go, the most important first.
    pub victims: Vec<PodOnNode>,
    /// Number of victims whose disruption a budget forbids.
    pub violations: usize,
}

/// Words of a scheduler about a pod for which no removal of pods makes room.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{preemption}")]
pub struct NotHelpful {
    /// Words of the plugin `DefaultPreemption`.
    pub preemption: String,
    /// Words of all plugins, which follow [`Evaluation::message`] and a space in the events of a
    /// cluster (`RunPostFilterPlugins` in `pkg/scheduler/framework/runtime/framework.go`).
    pub all: String,
}

impl NotHelpful {
    fn new(words: &str) -> Self {
        let preemption = format!("preemption: {words}");
        // The plugin for claims of devices runs before and has nothing to do.
        let all = format!("no new claims to deallocate, {preemption}");
        Self { preemption, all }
    }
}

impl Cluster {
    /// Looks for pods to remove so that a pod of this class, which no node takes, fits.
    ///
    /// # Errors
    /// No removal of pods helps, or the pod may remove none.
    ///
    /// # Panics
    /// The class is of another cluster.
    pub fn preempt(
        &self,
        class: ClassId,
        profile: &Profile,
        evaluation: &Evaluation,
        budgets: &[Budget],
    ) -> Result<Nomination, NotHelpful> {
        let class = self.class_of(class);
        if class.template.spec.preemption_policy.as_deref() == Some("Never") {
            let words = "not eligible due to preemptionPolicy=Never.";
            return Err(NotHelpful::new(words));
        }
        let allowed: Vec<_> = budgets.iter().map(|budget| budget.allowed(self)).collect();
        let mut prepared = Prepared::new(self, class, profile.version);
        let mut best: Option<(Rank, Nomination)> = None;
        let mut refused = BTreeMap::new();
        let mut explicit = 0;
        for (node, rejection) in &evaluation.rejected {
            if !rejection.resolvable {
                continue;
            }
            match self.victims(&mut prepared, *node, budgets, &allowed) {
                Ok(nomination) => {
                    let rank = self.rank(&nomination);
                    if best.as_ref().is_none_or(|(other, _)| rank < *other) {
                        best = Some((rank, nomination));
                    }
                }
                Err(reasons) => {
                    explicit += 1;
                    for reason in reasons {
                        *refused.entry(reason).or_insert(0_usize) += 1;
                    }
                }
            }
        }
        if let Some((_, nomination)) = best {
            return Ok(nomination);
        }
        if evaluation.nodes > explicit {
            *refused.entry(Reason::NotHelpful).or_insert(0) += evaluation.nodes - explicit;
        }
        let reasons = refused
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"));
        let mut words = NotHelpful::new(&fit_message(evaluation.nodes, reasons));
        if evaluation.conflict {
            // The plugin for claims misses its state, as no filter ran before it, and its error
            // ends the round of plugins.
            "not found".clone_into(&mut words.all);
        }
        Err(words)
    }

    /// Returns the fewest and least important pods without which the pod fits on a node
    /// (`SelectVictimsOnNode`).
    fn victims(
        &self,
        prepared: &mut Prepared<'_>,
        node: usize,
        budgets: &[Budget],
        allowed: &[i64],
    ) -> Result<Nomination, Vec<Reason>> {
        let state = &self.nodes()[node];
        let priority = prepared.class.priority();
        let mut potential: Vec<PodOnNode> = state
            .pods
            .iter()
            .filter(|pod| self.class_of(pod.class).priority() < priority)
            .copied()
            .collect();
        if potential.is_empty() {
            return Err(vec![Reason::NoVictims]);
        }
        let mut usage = state.usage.clone();
        for pod in &potential {
            let class = self.class_of(pod.class);
            usage.remove(class);
            prepared.change(self, node, class, -1);
        }
        let mut removed = potential.clone();
        let fits = prepared.filter(self, node, &usage);
        let mut violations = 0;
        if fits.is_ok() {
            potential.sort_by_key(|pod| self.importance(pod));
            removed.clear();
            let (violating, others) = self.split(&potential, budgets, allowed);
            let both = !violating.is_empty() && !others.is_empty();
            let count = violating.len();
            for (place, pod) in violating.into_iter().chain(others).enumerate() {
                let class = self.class_of(pod.class);
                usage.add(class);
                prepared.change(self, node, class, 1);
                if prepared.filter(self, node, &usage).is_err() {
                    usage.remove(class);
                    prepared.change(self, node, class, -1);
                    removed.push(pod);
                    violations += usize::from(place < count);
                }
            }
            if both {
                removed.sort_by_key(|pod| self.importance(pod));
            }
        }
        for pod in &removed {
            prepared.change(self, node, self.class_of(pod.class), 1);
        }
        match fits {
            Err(rejection) => Err(rejection.reasons),
            Ok(()) if removed.is_empty() => Err(vec![Reason::NotHelpful]),
            Ok(()) => Ok(Nomination {
                node,
                victims: removed,
                violations,
            }),
        }
    }

    /// Returns a key by which the more important pod comes first (`MoreImportantPod`).
    fn importance(&self, pod: &PodOnNode) -> (Reverse<i32>, Timestamp) {
        (Reverse(self.class_of(pod.class).priority()), pod.start)
    }

    /// Splits pods into those whose removal violates a budget and the others
    /// (`filterPodsWithPDBViolation`).
    fn split(
        &self,
        pods: &[PodOnNode],
        budgets: &[Budget],
        allowed: &[i64],
    ) -> (Vec<PodOnNode>, Vec<PodOnNode>) {
        let mut left = allowed.to_vec();
        pods.iter().partition(|pod| {
            let class = self.class_of(pod.class);
            let mut violates = false;
            for (budget, left) in budgets.iter().zip(&mut left) {
                if budget.covers(class) {
                    *left -= 1;
                    violates |= *left < 0;
                }
            }
            violates
        })
    }

    /// Returns a key by which the better node comes first (`pickOneNodeForPreemption`).
    fn rank(&self, nomination: &Nomination) -> Rank {
        let priorities = || {
            let victims = nomination.victims.iter();
            victims.map(|pod| self.class_of(pod.class).priority())
        };
        // Shifted so that fewer victims of negative priority are better than more.
        let shifted = priorities().map(|priority| i64::from(priority) + (1 << 31));
        let highest = priorities().max().unwrap_or(i32::MIN);
        let first = nomination.victims.first();
        let top = nomination
            .victims
            .iter()
            .filter(|pod| self.class_of(pod.class).priority() == highest);
        Rank {
            violations: nomination.violations,
            highest: first.map_or(i32::MIN, |pod| self.class_of(pod.class).priority()),
            sum: shifted.sum(),
            victims: nomination.victims.len(),
            earliest: Reverse(top.map(|pod| pod.start).min().unwrap_or_default()),
        }
    }
}

/// Criteria for the node, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    violations: usize,
    highest: i32,
    sum: i64,
    victims: usize,
    earliest: Reverse<Timestamp>,
}
