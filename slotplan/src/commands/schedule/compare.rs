//! Placements of the schedulers of two versions.

use std::collections::BTreeMap;

use inventory::Inventory;
use scheduler::{Outcome, PodId, Profile, Version};
use schemars::JsonSchema;
use serde::Serialize;

use super::plan::{Plan, name};
use crate::commands::scheduler_options::SchedulerArgs;
use crate::placement::Placement;

/// Differences between the chosen version and the other one.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Comparison {
    /// The other version.
    pub with: &'static str,
    /// Pods that go elsewhere.
    pub moved: Vec<Moved>,
}

/// Pod that goes elsewhere.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Moved {
    /// Pod, as NAMESPACE/NAME.
    pub pod: String,
    /// Node by the chosen version; absent if none takes the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Node by the other version; absent if none takes the pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<String>,
}

impl Comparison {
    /// Places the pods with both versions.
    pub fn new(
        inventory: &Inventory,
        options: &SchedulerArgs,
        preempts: bool,
    ) -> anyhow::Result<Self> {
        let chosen = options.profile();
        let with = match chosen.version {
            Version::V1_34 => Version::V1_36,
            Version::V1_36 => Version::V1_34,
        };
        let other = Profile {
            version: with,
            ..chosen.clone()
        };
        let place = |profile: &Profile| -> anyhow::Result<_> {
            let placement = Placement::new(inventory)?;
            let ties = options.ties.0;
            let plan = Plan::new(inventory, placement, profile, ties, preempts)?;
            Ok(nodes(&plan))
        };
        let (nodes, others) = (place(&chosen)?, place(&other)?);
        let mut moved = Vec::new();
        for (id, node) in nodes {
            let other = others.get(&id).cloned().flatten();
            if node != other {
                moved.push(Moved {
                    pod: name(&inventory.pods[id.0 as usize]),
                    node,
                    other,
                });
            }
        }
        Ok(Self {
            with: with.name(),
            moved,
        })
    }

    /// Returns how many pods the other version alone places, and how many the chosen one alone.
    pub fn alone(&self) -> (usize, usize) {
        let count = |is: fn(&Moved) -> bool| self.moved.iter().filter(|moved| is(moved)).count();
        (
            count(|moved| moved.node.is_none()),
            count(|moved| moved.other.is_none()),
        )
    }
}

fn nodes(plan: &Plan<'_>) -> BTreeMap<PodId, Option<String>> {
    let node = |outcome: &Outcome| match outcome {
        Outcome::Placed { node, .. } => Some(plan.node(*node).to_owned()),
        _ => None,
    };
    let outcomes = plan.outcomes.iter();
    outcomes.map(|(&id, outcome)| (id, node(outcome))).collect()
}
