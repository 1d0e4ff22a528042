//! `slotplan diff`: two inputs, before and after a change.

pub(super) mod document;
mod page;
mod side;
mod table;

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use cost::{Change, Money, WorkloadCost, changes};
use inventory::Assumption;

use crate::answer::{Answer, Header, OutputArgs};
use crate::commands::places::Places;
use crate::commands::pricing::PriceArgs;
use crate::exit::Verdict;
use crate::history::HistoryArgs;
use crate::input::Replicas;

use side::Read;

/// Options of `slotplan diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Manifests, dump or journal before the change, or a document of `slotplan cost --json`
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The same after the change
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    /// Largest cost of a month after the change; above it, the exit code is 3
    #[arg(long, value_name = "AMOUNT")]
    budget: Option<Money>,
    /// Largest increase of the cost of a month, as an amount or in percent; above it, the exit code
    /// is 3
    #[arg(long, value_name = "AMOUNT|PERCENT%")]
    budget_increase: Option<Increase>,
    /// Number of workloads in tables, those with the largest change of cost; 0 for all
    #[arg(long, default_value_t = 30, value_name = "NUMBER")]
    top: usize,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    prices: PriceArgs,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Options for the input of both sides.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
struct Common {
    /// Nodes of both sides, in place of those in BEFORE and AFTER
    #[arg(long, value_name = "INPUT")]
    nodes: Vec<PathBuf>,
    /// Number of pods of a workload with a HorizontalPodAutoscaler
    #[arg(long, value_enum, default_value_t, value_name = "NUMBER")]
    replicas: Replicas,
    #[command(flatten)]
    history: HistoryArgs,
}

/// Limit of an increase.
#[derive(Debug, Clone, Copy)]
enum Increase {
    /// Amount in a month.
    Amount(Money),
    /// Percentage of the cost before.
    Percent(Money),
}

impl FromStr for Increase {
    type Err = cost::MoneyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().strip_suffix('%') {
            Some(percent) => percent.parse().map(Self::Percent),
            None => text.parse().map(Self::Amount),
        }
    }
}

/// Everything that the forms of the answer show.
struct Compared {
    currency: String,
    before: WorkloadCost,
    after: WorkloadCost,
    /// Costs of all nodes in a month.
    provisioned: Option<(Money, Money)>,
    changes: Vec<Change>,
    /// Places of the pods on the nodes, before and after.
    fit: Option<(Places, Places)>,
    /// Whether the number of pods and the requests are known.
    has_pods: bool,
    /// Limits that are exceeded.
    exceeded: Vec<String>,
    top: usize,
}

impl DiffArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input that cannot be read, or two that cannot be compared.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let (list, mut files) = self.prices.read()?;
        let before = Read::from(&self.before, &self.common, &list)?;
        let after = Read::from(&self.after, &self.common, &list)?;
        anyhow::ensure!(
            before.currency == after.currency,
            "the costs before are in {}, those after in {}",
            before.currency,
            after.currency
        );
        anyhow::ensure!(
            before.is_document == after.is_document,
            "a document of slotplan cost can only be compared with another"
        );
        let mut assumptions = before.assumptions.clone();
        for assumption in &after.assumptions {
            if !assumptions.contains(assumption) {
                assumptions.push(assumption.clone());
            }
        }
        let mut compared = Compared {
            currency: after.currency.clone(),
            before: before.side.total(),
            after: after.side.total(),
            provisioned: before.side.provisioned.zip(after.side.provisioned),
            changes: changes(&before.side, &after.side),
            fit: before.placement.zip(after.placement),
            has_pods: !after.is_document,
            exceeded: Vec::new(),
            top: self.top,
        };
        compared.exceeded = self.exceeded(&compared);
        files.extend(before.files);
        for file in after.files {
            if !files.contains(&file) {
                files.push(file);
            }
        }
        let header = Header::new(document::SCHEMA, &files, &assumptions);
        Ok(Answer {
            verdict: compared.verdict(),
            text: table::text(&compared, &assumptions)?,
            document: document::document(header, &compared)?,
            markdown: Some(table::markdown(&compared, &assumptions)?),
            page: Some(page::page(&compared, &assumptions)),
        })
    }

    /// Returns the limits that are exceeded.
    fn exceeded(&self, compared: &Compared) -> Vec<String> {
        let (before, after) = (compared.before.per_month, compared.after.per_month);
        let currency = &compared.currency;
        let mut exceeded = Vec::new();
        if let Some(budget) = self.budget
            && after > budget
        {
            exceeded.push(format!(
                "{} {currency} a month is above the budget of {}",
                after.rounded(2),
                budget.rounded(2)
            ));
        }
        let increase = after - before;
        let limit = match self.budget_increase {
            None => return exceeded,
            Some(Increase::Amount(most)) => (most, format!("{} {currency}", most.rounded(2))),
            Some(Increase::Percent(percent)) => (
                before.percent(percent),
                format!("{percent}% of {} {currency}", before.rounded(2)),
            ),
        };
        if increase > limit.0 {
            exceeded.push(format!(
                "an increase of {} {currency} a month is above {}",
                increase.rounded(2),
                limit.1
            ));
        }
        exceeded
    }
}

impl Compared {
    fn verdict(&self) -> Verdict {
        let stops = self.stops_fitting().next().is_some();
        if stops || !self.exceeded.is_empty() {
            Verdict::DoesNotHold
        } else {
            Verdict::Good
        }
    }

    /// Returns the change of the cost in percent; `None` if nothing was paid before.
    fn percent(&self) -> Option<f64> {
        let (before, after) = (
            self.before.per_month.to_f64(),
            self.after.per_month.to_f64(),
        );
        (before > 0.0).then(|| (after - before) / before * 100.0)
    }

    /// Returns the workloads of which more pods are without a node than before: the name, the
    /// number before and after, the scheduler's message.
    fn stops_fitting(&self) -> impl Iterator<Item = (&str, u64, u64, &str)> {
        let fit = self.fit.iter();
        fit.flat_map(|(before, after)| {
            after
                .pending
                .iter()
                .filter_map(|(workload, (count, message))| {
                    let earlier = before.pending.get(workload).map_or(0, |(count, _)| *count);
                    (*count > earlier).then_some((
                        workload.as_str(),
                        earlier,
                        *count,
                        message.as_str(),
                    ))
                })
        })
    }
}

/// Returns the assumptions of a reader and of the costs together.
fn together(read: &[Assumption], more: &[String]) -> Vec<Assumption> {
    let mut all = read.to_vec();
    all.extend(more.iter().cloned().map(Assumption));
    all
}
