//! The result of a gate, as its `result.json` holds it.

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::decide::{Decision, Judged, Rule};
use super::program::Program;
use crate::result::ErrorResult;
use crate::result::environment::Environment;
use crate::result::header::{Document, Header};

/// Two programs, and whether one is slower.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// The fields that every document begins with.
    #[serde(flatten)]
    pub header: Header,
    /// How long all blocks took, in seconds.
    pub wall_s: f64,
    /// What the gate says.
    pub decision: Decision,
    /// Why nothing else, in words, if it is undecided; empty otherwise.
    pub reasons: Vec<String>,
    /// What is compared with.
    pub base: Program,
    /// What is compared.
    pub head: Program,
    /// What both were put under.
    pub scenario: GateScenario,
    /// SHA-256 over the plan's requests, in hexadecimal.
    pub plan_hash: String,
    /// What it goes by.
    pub rule: Rule,
    /// What is to be said of each metric after the last look, or after all blocks.
    pub metrics: Vec<Judged>,
    /// What every block measured.
    pub blocks: Vec<Block>,
    /// Failures by operation, code and class of message.
    pub errors: Vec<ErrorResult>,
    /// What else went wrong, in words.
    pub complaints: Vec<String>,
    /// The machine.
    pub environment: Environment,
}

impl Document for GateResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.gate";
    const VERSION: u32 = 1;
}

/// The parameters of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateScenario {
    /// How pods were run: `ttrpc` or `controller`.
    pub target: String,
    /// The arguments of both programs.
    pub sandboxer_args: Vec<String>,
    /// The head's own beyond those.
    pub head_args: Vec<String>,
    /// The kind of file system that the programs' files were on.
    pub files_on: String,
    /// Everything random comes from it.
    pub seed: u64,
    /// Pods in each round.
    pub pods: u64,
    /// Pods of each program before the rounds of a block, which do not count.
    pub warm_up_pods: u64,
    /// The fewest containers a pod has.
    pub containers_min: u32,
    /// The most containers a pod has.
    pub containers_max: u32,
    /// How containers are ended: `kill`, `term` or `mix`.
    pub signal: String,
    /// Pods under way at once.
    pub concurrency: u32,
    /// Connections that they shared.
    pub connections: usize,
    /// How long a call could take, in seconds.
    pub timeout_s: f64,
    /// The most rounds of each program.
    pub max_rounds: u32,
}
