//! `slotplan inventory`: what was read.
//!
//! - `figures`: the figures, as the document has them.
//! - `pods`: one line for each pod.
//! - `text`: tables for a terminal.

mod figures;
mod pods;
mod text;

use clap::Args;
use serde::Serialize;

use crate::answer::{Answer, Header, OutputArgs};
use crate::exit::Verdict;
use crate::input::InputArgs;

use figures::Figures;
use pods::PodLine;

/// Options of `slotplan inventory`.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    #[command(flatten)]
    input: InputArgs,
    /// List every pod, one a line
    #[arg(long)]
    pods: bool,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Serialize)]
struct Document<'a> {
    #[serde(flatten)]
    header: Header,
    #[serde(flatten)]
    figures: &'a Figures,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod_list: Option<&'a [PodLine]>,
}

impl InventoryArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input that cannot be read.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let input = self.input.read()?;
        let inventory = &input.inventory;
        let figures = Figures::of(inventory);
        let lines = self.pods.then(|| pods::lines(inventory));
        let header = Header::new("slotplan/inventory/1", &input.files, &inventory.assumptions);
        let mut text = String::new();
        text::write(&mut text, &figures, &header.assumptions)?;
        if let Some(lines) = &lines {
            pods::write(&mut text, lines)?;
        }
        let document = Document {
            header,
            figures: &figures,
            pod_list: lines.as_deref(),
        };
        Ok(Answer {
            verdict: Verdict::Good,
            text,
            document: serde_json::to_value(document)?,
            markdown: None,
            page: None,
        })
    }
}
