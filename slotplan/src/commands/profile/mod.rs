//! `slotplan profile`: usage of workloads, and the requests that it suggests.

pub(super) mod document;
mod figures;
mod page;
mod plan;
mod tables;
#[cfg(test)]
mod tests;
mod write;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use inventory::{Assumption, Inventory};
use rightsizing::{Strategy, StrategyError};

use crate::answer::{Answer, Header, OutputArgs};
use crate::exit::Verdict;
use crate::input::InputArgs;
use crate::progress::Phase;
use plan::Plan;

/// Options of `slotplan profile`.
#[derive(Debug, Args)]
pub struct ProfileArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Rule for the new requests: vpa, krr, percentile=95 or requested
    #[arg(
        long,
        value_name = "RULE",
        default_value = "vpa",
        value_parser = strategy,
        help_heading = "Profile"
    )]
    strategy: Strategy,
    /// Rules that the back-test compares
    #[arg(
        long,
        value_name = "RULE",
        value_delimiter = ',',
        default_value = "requested,vpa,krr,percentile=95,percentile=99",
        value_parser = strategy,
        help_heading = "Profile"
    )]
    compare: Vec<Strategy>,
    /// Step of the back-test, each with the requests that the time before it suggests
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = step, help_heading = "Profile")]
    step: Duration,
    /// Write a patch for each workload into the directory DIR (kubectl patch --patch-file)
    #[arg(long, value_name = "DIR", help_heading = "Profile")]
    apply: Option<PathBuf>,
    /// Write the new requests to FILE, which other commands read with --resize FILE
    #[arg(long, value_name = "FILE", help_heading = "Profile")]
    apply_to: Option<PathBuf>,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

fn strategy(text: &str) -> Result<Strategy, StrategyError> {
    text.parse()
}

fn step(text: &str) -> Result<Duration, String> {
    let step = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if step < Duration::from_secs(60) {
        return Err("less than a minute".to_owned());
    }
    match i64::try_from(step.as_nanos()) {
        Ok(_) => Ok(step),
        Err(_) => Err("more than 292 years".to_owned()),
    }
}

impl ProfileArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input that cannot be read or has no usage; a file that cannot be written.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let mut input = self.input.read()?;
        let _phase = Phase::begin("trying the rules".to_owned());
        let mut plan = self.plan(&mut input.inventory)?;
        let assumptions = &input.inventory.assumptions;
        plan.assumptions = assumptions
            .iter()
            .map(|Assumption(text)| text.clone())
            .collect();
        let header = Header::new(document::SCHEMA, &input.files, assumptions);
        let resize = plan.resize();
        if let Some(directory) = &self.apply {
            write::patches(directory, &resize)?;
        }
        if let Some(path) = &self.apply_to {
            write::resize(path, &resize)?;
        }
        Ok(Answer {
            verdict: Verdict::Good,
            text: tables::text(&plan)?,
            document: document::document(&plan, header)?,
            markdown: Some(tables::markdown(&plan)?),
            page: self.output.html.as_ref().map(|_| page::page(&plan)),
        })
    }

    fn plan(&self, inventory: &mut Inventory) -> anyhow::Result<Plan> {
        let mut compare = self.compare.clone();
        if !compare.contains(&self.strategy) {
            compare.push(self.strategy);
        }
        let step = i64::try_from(self.step.as_nanos()).unwrap_or(i64::MAX);
        let usage = rightsizing::join(inventory);
        Plan::new(usage, self.strategy, compare, step).context(
            "no usage of the pods in the input; name a file of Prometheus, OpenMetrics or CSV \
             with --usage FILE",
        )
    }
}
