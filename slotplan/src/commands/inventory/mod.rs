//! `slotplan inventory`: what was read.
//!
//! - `figures`: the figures, as the document has them.
//! - `pods`: one line for each pod.
//! - `text`: tables for a terminal.
//! - `markdown`: tables for a pull request.
//! - `page`: the self-contained page.

mod figures;
mod markdown;
mod page;
mod pods;
mod text;

use clap::Args;
use schemars::{JsonSchema, Schema};
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

/// Kind and version of the document.
pub(crate) const SCHEMA: &str = "slotplan/inventory/1";

/// Returns the JSON Schema of the document.
pub(crate) fn schema() -> Schema {
    crate::schema::of::<Document<'static>>(SCHEMA)
}

/// Pods, nodes, usage and objects that were read.
#[derive(Debug, Serialize, JsonSchema)]
struct Document<'a> {
    #[serde(flatten)]
    header: Header,
    #[serde(flatten)]
    figures: &'a Figures,
    /// Every pod; absent without `--pods`.
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
        let header = Header::new(SCHEMA, &input.files, &inventory.assumptions);
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
            markdown: Some(markdown::write(&document)),
            page: Some(page::write(&document, inventory)),
            document: serde_json::to_value(document)?,
        })
    }
}
