//! Document of a gate, as saved in `result.json`.

use std::io;

use serde::{Deserialize, Serialize};

use super::block::Block;
use super::decide::{Decision, Judged, Rule};
use super::forecast::Forecast;
use super::program::Program;
use crate::process::counters::Counted;
use crate::result::ErrorResult;
use crate::result::environment::Environment;
use crate::result::header::{Document, Header};

/// Result of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateResult {
    /// Fields common to all documents.
    #[serde(flatten)]
    pub header: Header,
    /// Duration of all blocks, in seconds.
    pub wall_s: f64,
    /// Decision of the gate.
    pub decision: Decision,
    /// Reasons for an undecided gate, in words; empty otherwise.
    pub reasons: Vec<String>,
    /// Program to compare with.
    pub base: Program,
    /// Program to compare.
    pub head: Program,
    /// Parameters of the gate.
    pub scenario: GateScenario,
    /// SHA-256 over the plan's requests, in hexadecimal.
    pub plan_hash: String,
    /// Rule of the decision.
    pub rule: Rule,
    /// Counters of the machine.
    pub counters: Counters,
    /// Forecast after the first blocks; absent if the gate ended before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<Forecast>,
    /// Verdict on each metric after the last look, or after all blocks.
    pub metrics: Vec<Judged>,
    /// Figures of every block.
    pub blocks: Vec<Block>,
    /// Failures by operation, code and class of message.
    pub errors: Vec<ErrorResult>,
    /// Further problems, in words.
    pub complaints: Vec<String>,
    /// Machine of the measurement.
    pub environment: Environment,
}

impl Document for GateResult {
    const SCHEMA: &'static str = "resource-slot.loadgen.gate";
    const VERSION: u32 = 2;
    /// Version 1 had rounds of one program after the other.
    const OLDEST_VERSION: u32 = 2;
}

/// Counters of instructions and cycles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Counted part of the programs' work; absent without counters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// Reason for which there are none, in words of the kernel.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl Counters {
    /// Describes what a machine counts.
    pub fn of(available: &io::Result<Counted>) -> Self {
        Self {
            counted: available.as_ref().ok().copied(),
            missing: available.as_ref().err().map(ToString::to_string),
        }
    }
}

/// Parameters of a gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GateScenario {
    /// Driver: `ttrpc` or `controller`.
    pub target: String,
    /// Arguments of both programs.
    pub sandboxer_args: Vec<String>,
    /// Further arguments of the head.
    pub head_args: Vec<String>,
    /// Kind of file system of the programs' files.
    pub files_on: String,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Number of pods of each program in each round.
    pub pods: u64,
    /// Number of warm-up pods of each program before the rounds of a block; not
    /// measured.
    pub warm_up_pods: u64,
    /// Lowest number of containers of a pod.
    pub containers_min: u32,
    /// Highest number of containers of a pod.
    pub containers_max: u32,
    /// Signal that ends containers: `kill`, `term` or `mix`.
    pub signal: String,
    /// Number of pods under way at once.
    pub concurrency: u32,
    /// Number of connections that the pods share.
    pub connections: usize,
    /// Time limit of a call, in seconds.
    pub timeout_s: f64,
    /// CPUs that programs and load share in a block: a number, or `all`.
    pub cpus: String,
    /// Time for all blocks, in minutes.
    pub max_minutes: f64,
    /// Highest number of blocks; `None` without a limit.
    pub max_blocks: Option<u32>,
}
