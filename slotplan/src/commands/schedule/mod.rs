//! `slotplan schedule`: which node every pod goes to.

mod compare;
pub(super) mod document;
pub(super) mod explain;
mod markdown;
pub(super) mod over_time;
mod page;
mod plan;
mod text;

use anyhow::Context;
use clap::{Args, ValueEnum};
use inventory::{Inventory, Pod};

use crate::answer::{Answer, Header, OutputArgs};
use crate::commands::scheduler_options::SchedulerArgs;
use crate::exit::Verdict;
use crate::input::{Input, InputArgs};
use crate::placement::Placement;
use crate::progress::Phase;
use compare::Comparison;
use document::Document;
use plan::Plan;

/// Options of `slotplan schedule`.
#[derive(Debug, Args)]
pub struct ScheduleArgs {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    scheduler: SchedulerArgs,
    /// Whether pods of lower priority are removed for a pod that fits nowhere
    #[arg(
        long,
        value_enum,
        value_name = "ON|OFF",
        default_value = "on",
        help_heading = "Scheduler"
    )]
    preemption: Preemption,
    /// Show for the pod NAMESPACE/NAME the verdict and the scores of every node instead
    #[arg(
        long,
        value_name = "NAMESPACE/NAME",
        conflicts_with = "compare_schedulers"
    )]
    explain: Option<String>,
    /// Let pods arrive, wait, run and depart at their times; a pod that waits runs as long as it
    /// ran, and no pod is removed for another
    #[arg(long, conflicts_with_all = ["explain", "compare_schedulers"])]
    over_time: bool,
    /// Show which pods the scheduler of the other version places elsewhere, too
    #[arg(long)]
    compare_schedulers: bool,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Preemption {
    On,
    Off,
}

impl ScheduleArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input that cannot be read or is wrong, or a pod to explain that the input does not have.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let input = self.input.read()?;
        let _phase = Phase::begin(format!("placing {} pods", input.inventory.pods.len()));
        if self.over_time {
            let assumptions = &input.inventory.assumptions;
            let mut header = Header::new(over_time::SCHEMA, &input.files, assumptions);
            header.seed = self.scheduler.seed();
            return over_time::answer(&input.inventory, header, &self.scheduler);
        }
        let placement = Placement::new(&input.inventory)?;
        if let Some(name) = &self.explain {
            return self.explain(&input, placement, name);
        }
        let comparison = self
            .compare_schedulers
            .then(|| Comparison::new(&input.inventory, &self.scheduler, self.preempts()));
        let header = self.header(document::SCHEMA, &input, &placement);
        let inventory = &input.inventory;
        let profile = self.scheduler.profile();
        let plan = Plan::new(
            inventory,
            placement,
            &profile,
            self.scheduler.ties.0,
            self.preempts(),
        )?;
        let document = Document::new(
            header,
            self.scheduler.shown(),
            &plan,
            comparison.transpose()?,
        );
        Ok(Answer {
            verdict: if document.holds() {
                Verdict::Good
            } else {
                Verdict::DoesNotHold
            },
            text: text::write(&document)?,
            page: Some(page::write(&document, &plan)),
            markdown: Some(markdown::write(&document)),
            document: serde_json::to_value(document)?,
        })
    }

    fn explain(&self, input: &Input, placement: Placement, name: &str) -> anyhow::Result<Answer> {
        let header = self.header(explain::SCHEMA, input, &placement);
        let number = find(&input.inventory, name)?;
        let profile = self.scheduler.profile();
        let ties = self.scheduler.ties.0;
        let explanation = explain::Explanation::new(
            &input.inventory,
            placement,
            number,
            &profile,
            ties,
            self.preempts(),
        )?;
        let document = explain::Document::new(header, self.scheduler.shown(), name, &explanation);
        Ok(Answer {
            verdict: if document.holds() {
                Verdict::Good
            } else {
                Verdict::DoesNotHold
            },
            text: explain::text(&document)?,
            document: serde_json::to_value(document)?,
            markdown: None,
            page: None,
        })
    }

    fn preempts(&self) -> bool {
        self.preemption == Preemption::On
    }

    fn header(&self, schema: &'static str, input: &Input, placement: &Placement) -> Header {
        let assumptions = [
            input.inventory.assumptions.as_slice(),
            &placement.assumptions,
        ]
        .concat();
        let mut header = Header::new(schema, &input.files, &assumptions);
        header.seed = self.scheduler.seed();
        header
    }
}

/// Finds a pod by namespace and name; the namespace is `default` if none is given.
fn find(inventory: &Inventory, name: &str) -> anyhow::Result<usize> {
    let (namespace, short) = name.split_once('/').unwrap_or(("default", name));
    let is =
        |pod: &Pod| &*pod.namespace == namespace && &*pod.name == short && pod.departure.is_none();
    let found = inventory.pods.iter().position(is);
    found.with_context(|| format!("the input has no pod {namespace}/{short} (--explain)"))
}
