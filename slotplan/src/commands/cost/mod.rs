//! `slotplan cost`: money by group.

mod choices;
pub(super) mod document;
mod mixture;
mod page;
mod table;

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use capacity::Shape;
use clap::Args;
use cost::{
    Account, Estimate, Grouped, Grouping, MONTH_HOURS, Money, Period, Property, group, write_focus,
};
use inventory::{Assumption, Node};

use crate::answer::{Answer, Header, OutputArgs};
use crate::commands::period::period;
use crate::commands::places::place;
use crate::commands::pricing::PriceArgs;
use crate::exit::Verdict;
use crate::input::InputArgs;
use crate::progress::Phase;

use choices::{Divided, IdleChoice, PeriodArgs, ShareIdle};
use mixture::Mixture;

/// Options of `slotplan cost`.
#[derive(Debug, Args)]
pub struct CostArgs {
    /// Group by these properties together: cluster, node, namespace, owner, controllerkind,
    /// deployment, statefulset, daemonset, job, pod, container, team, department, environment,
    /// product, label:NAME
    #[arg(
        long,
        value_name = "PROPERTY",
        value_delimiter = ',',
        default_value = "namespace"
    )]
    by: Vec<Property>,
    /// Lay idle costs on the containers of their node, or of the cluster, by weight
    #[arg(long, value_enum, default_value_t, value_name = "SCOPE")]
    share_idle: ShareIdle,
    /// Show idle costs that are not laid on containers as one group or by node, or leave them out
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    idle: IdleChoice,
    /// Let the other groups bear the costs of a namespace: in proportion to their costs (weighted,
    /// the default) or evenly
    #[arg(long, value_name = "NAMESPACE[=DIVISION]")]
    share: Vec<Divided<String>>,
    /// Let the groups bear a cost per hour beside those of nodes, such as a management fee
    #[arg(long, value_name = "PRICE[=DIVISION]")]
    overhead: Vec<Divided<Money>>,
    /// Name of the cluster
    #[arg(long, default_value = "cluster", value_name = "NAME")]
    cluster: String,
    /// Node that can be bought, such as 8c,32Gi,110pods,price=0.40: shows the cheapest of these
    /// shapes for the pods that stay; without a price, a shape costs the prices by resource
    #[arg(long, value_name = "SHAPE")]
    node: Vec<Shape>,
    /// Largest total cost of a month of 730 hours; above it, the exit code is 3
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<Money>,
    /// Number of groups in tables and on the page, the dearest; 0 for all
    #[arg(long, default_value_t = 40, value_name = "NUMBER")]
    top: usize,
    /// Write the costs of all containers and idle nodes as a data set of FOCUS 1.2 to FILE, too
    #[arg(long, value_name = "FILE")]
    focus: Option<PathBuf>,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    prices: PriceArgs,
    #[command(flatten)]
    period: PeriodArgs,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Everything that the forms of the answer show.
struct Shown<'a> {
    estimate: &'a Estimate,
    grouped: &'a Grouped,
    cheapest: Option<&'a Mixture>,
    by: &'a [Property],
    has_usage: bool,
    budget: Option<Money>,
    top: usize,
    assumptions: &'a [Assumption],
}

impl CostArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input or a list of prices that cannot be read, absurd amounts, or a data set that cannot
    /// be written.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let mut input = self.input.read()?;
        let _phase = Phase::begin("computing the costs".to_owned());
        let (list, files) = self.prices.read()?;
        input.files.extend(files);
        place(&mut input.inventory)?;
        let inventory = &input.inventory;
        let period = match self.period.period()? {
            Period::Fitting => period(&self.input.history, inventory)?,
            chosen => chosen,
        };
        let estimate = Estimate::of(inventory, &list, period)?;
        let grouping = self.grouping();
        let grouped = group(
            &estimate.allocations,
            &estimate.nodes,
            estimate.window,
            &grouping,
        );
        if let Some(path) = &self.focus {
            self.write_focus(path, &estimate, &inventory.nodes)?;
        }
        let mut assumptions = inventory.assumptions.clone();
        assumptions.extend(estimate.assumptions.iter().cloned().map(Assumption));
        let cheapest = mixture::mixture(inventory, &self.node, &list, &mut assumptions)?;
        let shown = Shown {
            estimate: &estimate,
            grouped: &grouped,
            cheapest: cheapest.as_ref(),
            by: &self.by,
            has_usage: !inventory.usage.is_empty(),
            budget: self.budget,
            top: self.top,
            assumptions: &assumptions,
        };
        let header = Header::new(document::SCHEMA, &input.files, &assumptions);
        Ok(Answer {
            verdict: shown.verdict(),
            text: table::text(&shown)?,
            document: document::document(header, &shown)?,
            markdown: Some(table::markdown(&shown)?),
            page: Some(page::page(&shown)),
        })
    }

    fn grouping(&self) -> Grouping {
        Grouping {
            by: self.by.clone(),
            cluster: self.cluster.clone(),
            idle: choices::idle(self.share_idle, self.idle),
            shares: self
                .share
                .iter()
                .map(|share| (share.value.clone(), share.split))
                .collect(),
            overheads: self
                .overhead
                .iter()
                .map(|overhead| (overhead.value, overhead.split))
                .collect(),
        }
    }

    fn write_focus(&self, path: &Path, estimate: &Estimate, nodes: &[Node]) -> anyhow::Result<()> {
        let account = Account {
            cluster: self.cluster.clone(),
            overheads: self
                .overhead
                .iter()
                .map(|overhead| overhead.value)
                .collect(),
        };
        let write = || {
            let mut out = BufWriter::new(File::create(path)?);
            write_focus(&mut out, estimate, nodes, &account)?;
            out.flush()
        };
        write().with_context(|| format!("write {}", path.display()))
    }
}

impl Shown<'_> {
    /// Returns an amount of the window as one of a month.
    fn per_month(&self, amount: Money) -> Money {
        amount.at_rate(self.estimate.window.nanoseconds(), MONTH_HOURS)
    }

    /// Returns an amount of the window as one of an hour.
    fn per_hour(&self, amount: Money) -> Money {
        amount.at_rate(self.estimate.window.nanoseconds(), 1)
    }

    fn is_over_budget(&self) -> bool {
        let total = self.per_month(self.grouped.total());
        self.budget.is_some_and(|budget| total > budget)
    }

    fn verdict(&self) -> Verdict {
        if self.is_over_budget() {
            Verdict::DoesNotHold
        } else {
            Verdict::Good
        }
    }

    /// Describes the window.
    fn period(&self) -> String {
        let window = self.estimate.window;
        if self.estimate.is_projection {
            return format!("a month of {MONTH_HOURS} hours with the pods that stay");
        }
        let hours = window.nanoseconds() as f64 / cost::HOUR_NS as f64;
        format!("{} to {} ({hours:.2} hours)", window.start(), window.end())
    }
}
