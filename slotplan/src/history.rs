//! Options for what was recorded: journals and usage.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use inventory::InventoryBuilder;
use inventory::journal::JournalOptions;
use inventory::usage::Quantity;
use inventory::{Timestamp, Window};

use crate::answer::InputFile;
use crate::hashing::Hashing;

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
    /// Usage of containers: an answer of Prometheus to a range query in JSON, metrics with times
    /// as text (OpenMetrics), or a CSV table. `cpu=FILE` and `memory=FILE` name the quantity of
    /// series without a name, in cores and bytes
    #[arg(long, value_name = "[QUANTITY=]FILE", value_parser = usage_file)]
    pub usage: Vec<UsageFile>,
}

/// File with the usage of containers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageFile {
    /// Path.
    pub path: PathBuf,
    /// Quantity of series whose metric has no name.
    pub unnamed: Option<Quantity>,
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

/// Adds the usage of all files.
///
/// # Errors
/// A file that cannot be read, or whose contents are wrong.
pub(crate) fn add_usage(
    builder: &mut InventoryBuilder,
    files: &[UsageFile],
    read: &mut Vec<InputFile>,
) -> anyhow::Result<()> {
    for UsageFile { path, unnamed } in files {
        let name = path.display().to_string();
        let mut file = File::open(path).with_context(|| format!("read {name}"))?;
        let mut reader = BufReader::with_capacity(1 << 18, Hashing::new(&mut file));
        builder.read_usage(&name, &mut reader, *unnamed)?;
        // The hash is that of the whole file, wherever its reader stopped.
        io::copy(&mut reader, &mut io::sink()).with_context(|| format!("read {name}"))?;
        read.push(reader.into_inner().finish(&name));
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of clap's parsers")]
fn usage_file(text: &str) -> Result<UsageFile, String> {
    let quantities = [("cpu=", Quantity::Cpu), ("memory=", Quantity::Memory)];
    let named = quantities.iter().find_map(|(prefix, quantity)| {
        let path = text.strip_prefix(prefix)?;
        Some((path, *quantity))
    });
    Ok(UsageFile {
        path: named.map_or(text, |(path, _)| path).into(),
        unnamed: named.map(|(_, quantity)| quantity),
    })
}

fn memory(text: &str) -> Result<u64, String> {
    let quantity: kube_resources::Quantity = text.parse().map_err(|error| format!("{error}"))?;
    match quantity.whole() {
        0 => Err("a node has more than 0 bytes".to_owned()),
        bytes => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_before_a_file_is_that_of_series_without_a_name() {
        for (text, path, unnamed) in [
            ("a.json", "a.json", None),
            ("cpu=a.json", "a.json", Some(Quantity::Cpu)),
            ("memory=a=b", "a=b", Some(Quantity::Memory)),
        ] {
            let expected = UsageFile {
                path: path.into(),
                unnamed,
            };
            assert_eq!(usage_file(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_memory_of_a_node_is_a_quantity() {
        assert_eq!(memory("16Gi"), Ok(16 << 30));
        assert!(memory("0").is_err() && memory("-1").is_err() && memory("much").is_err());
    }
}
