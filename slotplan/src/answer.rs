//! Answers of commands: text, JSON, Markdown and page, and the header of documents.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use display::page;
use inventory::Assumption;
use maud::html;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::exit::Verdict;

/// Answer of a command in every form that the command has.
#[derive(Debug)]
pub struct Answer {
    /// Outcome.
    pub verdict: Verdict,
    /// Tables for a terminal.
    pub text: String,
    /// Document; contains a [`Header`].
    pub document: serde_json::Value,
    /// Tables for a pull request; `None` for the text in a block.
    pub markdown: Option<String>,
    /// Self-contained page; `None` for the text on a page.
    pub page: Option<String>,
}

impl Answer {
    /// Returns the answer for a pull request.
    pub fn markdown(&self) -> String {
        let in_block = || format!("```text\n{}```\n", self.text);
        self.markdown.clone().unwrap_or_else(in_block)
    }

    /// Returns the answer as a page.
    pub fn page(&self) -> String {
        let schema = self.document["schema"].as_str().unwrap_or("slotplan");
        let command: Vec<&str> = schema.split('/').take(2).collect();
        let command = command.join(" ");
        let header = html! { p.what { (command) } };
        let main = html! { pre tabindex="0" { (self.text) } };
        let on_page = || page::readable(&page::shell(&command, "", &header, &main).into_string());
        self.page.clone().unwrap_or_else(on_page)
    }
}

/// Header of every document.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Header {
    /// Kind and version of the document, such as `slotplan/capacity/1`.
    pub schema: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Files that were read.
    pub inputs: Vec<InputFile>,
    /// Seed of every drawn choice; absent if nothing is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Facts that the input does not state and that were taken for granted.
    pub assumptions: Vec<String>,
}

impl Header {
    /// Returns the header of a document of this schema.
    pub fn new(schema: &'static str, inputs: &[InputFile], assumptions: &[Assumption]) -> Self {
        Self {
            schema,
            version: env!("CARGO_PKG_VERSION"),
            inputs: inputs.to_vec(),
            seed: None,
            assumptions: assumptions
                .iter()
                .map(|Assumption(text)| text.clone())
                .collect(),
        }
    }
}

/// File that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct InputFile {
    /// Path, as the user wrote it.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// SHA-256 of the contents, in hexadecimal digits.
    pub sha256: String,
}

/// Form of an answer on standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Format {
    /// Tables for a terminal.
    #[default]
    Text,
    /// Document.
    Json,
    /// Tables for a pull request.
    Markdown,
}

/// Options for the output, which every command has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// Form of the answer on standard output
    #[arg(long, value_enum, default_value_t, value_name = "FORM")]
    pub format: Format,
    /// Same as --format json, and wins over it
    #[arg(long)]
    pub json: bool,
    /// Same as --format markdown, and wins over it
    #[arg(long)]
    pub markdown: bool,
    /// Write the answer as a self-contained page to FILE, too
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl OutputArgs {
    /// Returns the form of the answer on standard output.
    pub fn form(&self) -> Format {
        match (self.json, self.markdown) {
            (true, _) => Format::Json,
            (_, true) => Format::Markdown,
            _ => self.format,
        }
    }
}
