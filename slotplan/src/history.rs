//! Options for what was recorded: journals and usage.

use clap::Args;
use inventory::journal::JournalOptions;
use inventory::{Timestamp, Window};
use kube_resources::Quantity;

/// Options for what was recorded.
#[derive(Debug, Clone, Default, Args)]
pub struct HistoryArgs {
    /// Read the segments before the newest snapshot of a journal, too, which a sandboxer with
    /// --history keeps
    #[arg(long)]
    pub history: bool,
    /// Memory of the node of a journal, such as 16Gi: shows the memory requests, which no runtime
    /// is told, by the OOM score adjustments
    #[arg(long, value_name = "QUANTITY", value_parser = memory)]
    pub node_memory: Option<u64>,
    /// Use only what lived or was measured from TIME on, such as 2026-01-31T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<Timestamp>,
    /// Use only what lived or was measured before TIME
    #[arg(long, value_name = "TIME")]
    pub to: Option<Timestamp>,
}

impl HistoryArgs {
    /// Returns the facts that a journal does not have.
    pub fn journal(&self) -> JournalOptions {
        JournalOptions {
            node_memory: self.node_memory,
        }
    }

    /// Returns the window of time.
    pub fn window(&self) -> Window {
        Window {
            from: self.from,
            to: self.to,
        }
    }
}

fn memory(text: &str) -> Result<u64, String> {
    let quantity: Quantity = text.parse().map_err(|error| format!("{error}"))?;
    match quantity.whole() {
        0 => Err("a node has more than 0 bytes".to_owned()),
        bytes => Ok(bytes),
    }
}
