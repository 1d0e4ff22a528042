//! Files and directories to an inventory.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use inventory::Inventory;
use sha2::{Digest, Sha256};

use crate::answer::InputFile;

/// Options for the input, which every command has.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Files and directories with pods, nodes, usage and policies: manifests, cluster dumps,
    /// journals, traces, in any mixture
    #[arg(value_name = "INPUT")]
    pub inputs: Vec<PathBuf>,
    /// Use only the pods and workloads of INPUT
    #[arg(long, value_name = "INPUT")]
    pub load: Vec<PathBuf>,
    /// Use only the nodes of INPUT
    #[arg(long, value_name = "INPUT")]
    pub nodes: Vec<PathBuf>,
}

/// What was read, and from where.
#[derive(Debug, Default)]
pub struct Input {
    /// What was read.
    pub inventory: Inventory,
    /// Files that were read, in the order of reading.
    pub files: Vec<InputFile>,
}

impl InputArgs {
    /// Reads all inputs.
    ///
    /// # Errors
    /// A file that cannot be read, or whose contents are wrong.
    pub fn read(&self) -> anyhow::Result<Input> {
        let mut input = Input::default();
        for path in self.inputs.iter().chain(&self.load).chain(&self.nodes) {
            input.files.push(hash(path)?);
        }
        Ok(input)
    }
}

fn hash(path: &Path) -> anyhow::Result<InputFile> {
    let bytes = fs::read(path).with_context(|| format!("read {}", path.display()))?;
    let mut digits = String::new();
    for byte in Sha256::digest(&bytes) {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
    }
    Ok(InputFile {
        path: path.display().to_string(),
        bytes: bytes.len() as u64,
        sha256: digits,
    })
}
