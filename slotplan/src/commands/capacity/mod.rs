//! `slotplan capacity`: how many nodes a load needs.

pub(super) mod document;
pub(super) mod fill;
mod loss;
mod mixture;
pub(super) mod page;
mod plan;
pub(super) mod present;
mod text;

use capacity::{Load, Shape};
use clap::Args;
use inventory::Assumption;

use crate::answer::{Answer, Header, OutputArgs};
use crate::commands::scheduler_options::SchedulerArgs;
use crate::exit::Verdict;
use crate::input::InputArgs;
use crate::placement::DefaultSpread;
use crate::progress::Phase;

use document::Document;
use plan::Planner;

/// Options of `slotplan capacity`.
#[derive(Debug, Args)]
pub struct CapacityArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Node that can be added: CPU, memory and pods, and if wanted other resources, a price per
    /// hour, a name, zones (which nodes take in turns) and labels, such as
    /// 8c,32Gi,58pods,price=0.40,name=large,zone=a:b,label.disk=ssd; give it several times to
    /// compare and mix
    #[arg(long, value_name = "SHAPE", required = true, help_heading = "Nodes")]
    node: Vec<Shape>,
    /// Add to the nodes of the input and the pods that run on them, instead of planning all pods
    /// on new nodes
    #[arg(long, help_heading = "Nodes")]
    existing: bool,
    /// Largest number of new nodes; if more are needed, the exit code is 3
    #[arg(long, value_name = "NUMBER", help_heading = "Nodes")]
    max_nodes: Option<usize>,
    #[command(flatten)]
    scheduler: SchedulerArgs,
    /// Count how many more pods of this workload fit on the planned nodes; by default the one with
    /// the most pods
    #[arg(long, value_name = "NAME")]
    more: Option<String>,
    /// Try every number of nodes, however long it takes: more nodes can place fewer pods, so that
    /// only then a number is known to be the least
    #[arg(long)]
    exhaustive: bool,
    /// Number of intervals of the heat map over time
    #[arg(long, value_name = "NUMBER", default_value_t = 48,
          value_parser = clap::value_parser!(u16).range(1..=1000))]
    intervals: u16,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// End of the assumption about a DaemonSet of an input without nodes.
const NO_DAEMONS: &str = "has no pods, because the input has no nodes";

impl CapacityArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input that cannot be read or is wrong, or a spec that no API server accepts.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let input = self.input.read()?;
        let _phase = Phase::begin(format!("placing {} pods", input.inventory.pods.len()));
        let inventory = &input.inventory;
        let spread = DefaultSpread::new(inventory)?;
        let mut assumptions = inventory.assumptions.clone();
        // Every planned node runs the daemons.
        assumptions.retain(|Assumption(text)| !text.ends_with(NO_DAEMONS));
        let present = present::Present::new(inventory, self.existing, &spread);
        let pods = present.waiting(&inventory.pods);
        let load = Load::new(&pods, &inventory.per_node, |pod| spread.selector(pod));
        assumptions.extend(self.assumed(&load, inventory.nodes.len()));
        let planner = Planner {
            args: self,
            inventory,
            pods: &pods,
            load: &load,
            present: &present,
        };
        let mut header = Header::new(document::SCHEMA, &input.files, &assumptions);
        header.seed = self.scheduler.seed();
        let planned = planner.plan()?;
        let document = Document::new(header, self, &planner, &planned);
        let verdict = if document.holds {
            Verdict::Good
        } else {
            Verdict::DoesNotHold
        };
        Ok(Answer {
            verdict,
            text: text::text(&document)?,
            markdown: Some(text::markdown(&document)?),
            page: Some(page::page(&document, &planner, &planned)),
            document: serde_json::to_value(document)?,
        })
    }

    fn assumed(&self, load: &Load, nodes: usize) -> Vec<Assumption> {
        let mut assumed = Vec::new();
        for shape in &self.node {
            if !shape.states_pods {
                let pods = capacity::DEFAULT_PODS;
                assumed.push(format!("{shape}: a node takes {pods} pods, as by default"));
            }
        }
        assumed.push("new nodes are for Linux on amd64, without taints".to_owned());
        if nodes > 0 && !self.existing {
            assumed.push(format!(
                "the {nodes} nodes of the input are left out (--existing adds to them)"
            ));
        }
        if load.kinds.iter().any(|kind| kind.selector.is_some()) {
            assumed.push(
                "the selector of a workload is taken to be the labels of its pods, for the \
                 scheduler's default spreading"
                    .to_owned(),
            );
        }
        if load.has_times() {
            assumed.push("a pod that waits runs as long as it ran".to_owned());
        }
        assumed.into_iter().map(Assumption).collect()
    }
}
