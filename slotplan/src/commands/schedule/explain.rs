//! `--explain`: the verdict and the scores of every node for one pod.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use anyhow::Context;
use display::columns;
use inventory::Inventory;
use scheduler::{
    Cluster, Evaluation, Outcome, Plugin, PodId, Profile, Refusals, Settings, Ties, Verdict,
    Waiting,
};
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::plan;
use crate::answer::Header;
use crate::commands::scheduler_options::ShownScheduler;
use crate::placement::Placement;

/// What the scheduler sees and does when the pod's turn comes.
#[derive(Debug)]
pub struct Explanation {
    nodes: Vec<String>,
    evaluation: Evaluation,
    refusals: Vec<Refusals>,
    outcome: Outcome,
}

impl Explanation {
    /// Places the pods before this one, or takes it off its node, and looks at all nodes.
    pub fn new(
        inventory: &Inventory,
        placement: Placement,
        number: usize,
        profile: &Profile,
        ties: Ties,
        preempts: bool,
    ) -> anyhow::Result<Self> {
        let id = PodId(u32::try_from(number).unwrap_or(u32::MAX));
        let budgets = placement.budgets.clone();
        let settings = Settings {
            profile,
            ties,
            preemption: preempts.then_some(budgets.as_slice()),
        };
        let waiting = placement.waiting.iter().find(|waiting| waiting.id == id);
        let Some(waiting) = waiting.copied() else {
            let (cluster, pod) = without(placement.cluster, id)?;
            return Ok(Self::of(cluster, pod, &settings, 0));
        };
        let mut turn = None;
        let watch = |cluster: &Cluster, pod: Waiting, draw: u64| {
            if pod.id == id && turn.is_none() {
                turn = Some((cluster.clone(), draw));
            }
        };
        let (end, _) = plan::place(inventory, placement, profile, ties, preempts, watch)?;
        let (cluster, draw) = turn.unwrap_or((end, 0));
        Ok(Self::of(cluster, waiting, &settings, draw))
    }

    fn of(mut cluster: Cluster, waiting: Waiting, settings: &Settings<'_>, draw: u64) -> Self {
        let nodes = cluster.nodes().iter();
        let nodes = nodes.map(|node| node.node().name.to_string()).collect();
        let evaluation = cluster.evaluate_on(waiting.class, settings.profile, waiting.only);
        let refusals = cluster.explain(waiting.class, settings.profile);
        let spec = &cluster.class_of(waiting.class).template().spec;
        let outcome = if spec.scheduling_gates.is_empty() {
            cluster.schedule_one(waiting, settings, draw)
        } else {
            Outcome::Gated
        };
        Self {
            nodes,
            evaluation,
            refusals,
            outcome,
        }
    }
}

/// Takes a pod off its node, so that the scheduler can look at it again.
fn without(mut cluster: Cluster, id: PodId) -> anyhow::Result<(Cluster, Waiting)> {
    let nodes = cluster.nodes().iter().enumerate();
    let on_node = nodes
        .flat_map(|(node, state)| state.pods().iter().map(move |pod| (node, *pod)))
        .find(|(_, pod)| pod.id == id);
    let (node, pod) = on_node.context("the pod takes no part in the plan (--explain)")?;
    cluster.remove(node, id);
    let waiting = Waiting {
        id,
        class: pod.class,
        only: None,
        arrival: None,
    };
    Ok((cluster, waiting))
}

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/schedule-explain/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document>(SCHEMA)
}

/// Verdict and scores of every node for one pod.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Document {
    #[serde(flatten)]
    header: Header,
    /// Scheduler that places the pods.
    scheduler: ShownScheduler,
    /// Pod, as `--explain` names it.
    pod: String,
    /// Node to which the pod goes; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    /// Scheduler's message; absent if the pod goes to a node.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// Verdicts of all nodes, in the order of the input.
    nodes: Vec<Node>,
}

/// Verdict of one node.
#[derive(Debug, Serialize, JsonSchema)]
struct Node {
    /// Name.
    name: String,
    /// Whether the pod fits.
    feasible: bool,
    /// Sum of the weighted scores; absent if the pod does not fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<i64>,
    /// Weighted score of each plugin that does not skip the pod.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    scores: BTreeMap<&'static str, i64>,
    /// Refusals of all filters, of which the scheduler tells the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    refusals: Vec<Refusal>,
}

/// Refusal of one filter.
#[derive(Debug, Serialize, JsonSchema)]
struct Refusal {
    /// Name of the plugin.
    plugin: &'static str,
    /// Reasons, as the scheduler states them.
    reasons: Vec<String>,
    /// Whether removing pods from the node can help.
    resolvable: bool,
}

impl Document {
    pub fn new(
        header: Header,
        scheduler: ShownScheduler,
        pod: &str,
        explanation: &Explanation,
    ) -> Self {
        let nodes = explanation.nodes.iter().enumerate();
        let node = |(number, name): (usize, &String)| {
            let verdict = explanation.evaluation.verdict(number);
            let refused = match verdict {
                Verdict::Excluded => &[],
                _ => explanation.refusals[number].as_slice(),
            };
            let refusals = refused.iter().map(|refusal| Refusal {
                plugin: refusal.plugin.name(),
                reasons: refusal.reasons.iter().map(ToString::to_string).collect(),
                resolvable: refusal.resolvable,
            });
            let scores = match verdict {
                Verdict::Feasible(scores) => Some(scores),
                Verdict::Rejected(_) | Verdict::Excluded => None,
            };
            let of_plugins = scores.iter().flat_map(|scores| {
                let plugins = Plugin::SCORES.into_iter();
                plugins.filter_map(|plugin| Some((plugin.name(), scores.of(plugin)?)))
            });
            Node {
                name: name.clone(),
                feasible: scores.is_some(),
                total: scores.map(scheduler::Scores::total),
                scores: of_plugins.collect(),
                refusals: refusals.collect(),
            }
        };
        let (chosen, message) = match &explanation.outcome {
            Outcome::Placed { node, .. } => (Some(explanation.nodes[*node].clone()), None),
            Outcome::Unschedulable(message) => (None, Some(message.clone())),
            Outcome::Gated | Outcome::Evicted => (None, Some(scheduler::GATED.to_owned())),
        };
        Self {
            header,
            scheduler,
            pod: pod.to_owned(),
            node: chosen,
            message,
            nodes: nodes.map(node).collect(),
        }
    }

    /// Returns whether some node takes the pod.
    pub fn holds(&self) -> bool {
        self.node.is_some()
    }
}

/// Plugins with the names of their columns.
const COLUMNS: [(Plugin, &str); 6] = [
    (Plugin::TaintToleration, "taints"),
    (Plugin::NodeAffinity, "labels"),
    (Plugin::NodeResourcesFit, "room"),
    (Plugin::PodTopologySpread, "spread"),
    (Plugin::InterPodAffinity, "pods"),
    (Plugin::NodeResourcesBalancedAllocation, "balance"),
];

/// Writes the tables for a terminal.
pub fn text(document: &Document) -> Result<String, fmt::Error> {
    let mut text = String::new();
    match (&document.node, &document.message) {
        (Some(node), _) => writeln!(text, "{} goes to {node}", document.pod)?,
        (None, Some(message)) => writeln!(text, "{} fits nowhere: {message}", document.pod)?,
        (None, None) => {}
    }
    let (feasible, refused): (Vec<_>, Vec<_>) =
        document.nodes.iter().partition(|node| node.feasible);
    if !feasible.is_empty() {
        let mut header = vec!["node".to_owned(), "score".to_owned()];
        header.extend(COLUMNS.map(|(_, name)| name.to_owned()));
        let rows = feasible.iter().map(|node| {
            let total = node.total.unwrap_or(0).to_string();
            let scores = COLUMNS.iter().map(|(plugin, _)| {
                let score = node.scores.get(plugin.name());
                score.map_or_else(|| "-".to_owned(), ToString::to_string)
            });
            [node.name.clone(), total]
                .into_iter()
                .chain(scores)
                .collect()
        });
        let rows: Vec<Vec<String>> = std::iter::once(header).chain(rows).collect();
        writeln!(text)?;
        columns::write(&mut text, &rows)?;
        writeln!(
            text,
            "Scores are weighted: taints (TaintToleration), labels (NodeAffinity), room\n\
             (NodeResourcesFit), spread (PodTopologySpread), pods (InterPodAffinity), balance\n\
             (NodeResourcesBalancedAllocation); - for a plugin that skips the pod."
        )?;
    }
    if !refused.is_empty() {
        writeln!(text)?;
    }
    for node in refused {
        let refusals = node.refusals.iter().map(|refusal| {
            let reasons = refusal.reasons.join(", ");
            format!("{} ({})", reasons, refusal.plugin)
        });
        let refusals: Vec<_> = refusals.collect();
        let all = match refusals.as_slice() {
            [] => "the pod names other nodes (NodeAffinity)".to_owned(),
            some => some.join("; "),
        };
        writeln!(text, "{}: {all}", node.name)?;
    }
    Ok(text)
}
