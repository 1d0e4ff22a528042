//! `slotplan policy`: decisions of an API server on pods.

pub(super) mod document;
mod markdown;
mod page;
mod text;

use admission::Policies;
use clap::Args;

use crate::answer::{Answer, OutputArgs};
use crate::exit::Verdict;
use crate::input::InputArgs;
use crate::progress::Phase;

use document::Document;

/// Options of `slotplan policy`.
#[derive(Debug, Args)]
pub struct PolicyCommandArgs {
    #[command(flatten)]
    input: InputArgs,
    /// Label of pods by which refusals are counted, beside namespaces
    #[arg(long, value_name = "LABEL", default_value = "team")]
    team: String,
    /// Print the decision on each pod, in the order of arrival
    #[arg(long)]
    all: bool,
    /// Options for the output.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl PolicyCommandArgs {
    /// Computes the answer.
    ///
    /// # Errors
    /// An input that cannot be read, or a policy that no API server accepts.
    pub fn run(&self) -> anyhow::Result<Answer> {
        let input = self.input.read_raw()?;
        let _phase = Phase::begin(format!("deciding on {} pods", input.inventory.pods.len()));
        let policies = Policies::read(&input.inventory.objects)?;
        let requester = self.input.requester();
        let replay = admission::replay(&input.inventory.pods, &policies, &requester);
        let document = Document::new(&input, &policies, &requester, &replay, &self.team);
        let verdict = match document.pods.refused {
            0 => Verdict::Good,
            _ => Verdict::DoesNotHold,
        };
        Ok(Answer {
            verdict,
            text: text::write(&document, self.all)?,
            markdown: Some(markdown::write(&document)),
            page: Some(page::write(&document)),
            document: serde_json::to_value(document)?,
        })
    }
}
