//! `slotplan inventory`: what was read.

use clap::Args;
use display::{columns, human};
use serde::Serialize;

use crate::answer::{Answer, Header, OutputArgs};
use crate::exit::Verdict;
use crate::input::InputArgs;

/// Options of `slotplan inventory`.
#[derive(Debug, Args)]
pub struct InventoryArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    header: Header,
    pods: usize,
    nodes: usize,
}

impl InventoryArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input that cannot be read.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let input = self.input.read()?;
        let inventory = &input.inventory;
        let rows = [
            ["pods".to_owned(), human::count(inventory.pods.len() as u64)],
            [
                "nodes".to_owned(),
                human::count(inventory.nodes.len() as u64),
            ],
        ];
        let mut text = String::new();
        columns::write(&mut text, &rows)?;
        let document = Document {
            header: Header::new("slotplan/inventory/1", &input.files, &inventory.assumptions),
            pods: inventory.pods.len(),
            nodes: inventory.nodes.len(),
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
