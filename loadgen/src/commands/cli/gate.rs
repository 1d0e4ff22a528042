//! The options of `loadgen gate`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::compare::percent;
use super::{ContainerRange, OutputArgs, RequestArgs};
use crate::drive::driver::DriverKind;
use crate::workload::plan::Plan;

/// `loadgen gate`.
#[derive(Debug, Clone, Args)]
pub struct GateArgs {
    /// What is compared with: a resource-slot-sandboxer, or a git revision that is built in a
    /// temporary worktree.
    #[arg(long, env = "LOADGEN_BASE", value_name = "BIN|REV")]
    pub base: String,
    /// What is compared: likewise.
    #[arg(long, env = "LOADGEN_HEAD", value_name = "BIN|REV")]
    pub head: String,
    /// How much more CPU time, in percent, is too much.
    #[arg(long, env = "LOADGEN_MIN_EFFECT", value_name = "PERCENT", default_value = "3",
          value_parser = percent)]
    pub min_effect: f64,
    /// How much more latency, in percent, is too much.
    #[arg(long, env = "LOADGEN_MIN_LATENCY_EFFECT", value_name = "PERCENT", default_value = "10",
          value_parser = percent)]
    pub min_latency_effect: f64,
    /// How likely an alarm may be if nothing is slower.
    #[arg(long, env = "LOADGEN_ALPHA", value_name = "P", default_value = "0.01",
          value_parser = alpha)]
    pub alpha: f64,
    /// How many rounds of each program at most.
    #[arg(long, env = "LOADGEN_MAX_ROUNDS", value_name = "N", default_value_t = 64,
          value_parser = clap::value_parser!(u32).range(2..=1000))]
    pub max_rounds: u32,
    /// How many pods in each round.
    #[arg(long, env = "LOADGEN_PODS", value_name = "N", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub pods: u64,
    /// How many containers a pod has: MIN-MAX, or one number.
    #[arg(
        long,
        env = "LOADGEN_CONTAINERS",
        value_name = "MIN-MAX",
        default_value = "1-4"
    )]
    pub containers: ContainerRange,
    /// How they are made and asked for.
    #[command(flatten)]
    pub requests: RequestArgs,
    /// How pods are run: over ttrpc, or as containerd calls a sandboxer: controller.
    #[arg(long, env = "LOADGEN_TARGET", value_name = "DRIVER", default_value = "controller",
          value_parser = driver)]
    pub target: DriverKind,
    /// How many pods are under way at once.
    #[arg(long, env = "LOADGEN_CONCURRENCY", value_name = "N", default_value_t = 8,
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: u32,
    /// An argument for both sandboxers; may be repeated.
    #[arg(
        long = "sandboxer-arg",
        env = "LOADGEN_SANDBOXER_ARG",
        value_name = "ARG",
        allow_hyphen_values = true
    )]
    pub sandboxer_args: Vec<OsString>,
    /// A further argument for the head alone; may be repeated.
    #[arg(
        long = "head-arg",
        env = "LOADGEN_HEAD_ARG",
        value_name = "ARG",
        allow_hyphen_values = true
    )]
    pub head_args: Vec<OsString>,
    /// The directory below which the sandboxers keep their files [default: /dev/shm if it has room,
    /// else that of temporary files].
    #[arg(long, env = "LOADGEN_FILES", value_name = "DIR")]
    pub files: Option<PathBuf>,
    /// Append the verdict as Markdown to this file, such as $GITHUB_STEP_SUMMARY; - is standard
    /// output.
    #[arg(long, env = "LOADGEN_MARKDOWN", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// What is said of the result, and where it is kept.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl GateArgs {
    /// The plan of each round.
    pub fn plan(&self) -> Plan {
        self.requests.plan(&self.containers)
    }
}

fn alpha(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(alpha) if alpha > 0.0 && alpha <= 0.2 => Ok(alpha),
        _ => Err("more than 0 and at most 0.2".to_owned()),
    }
}

fn driver(text: &str) -> Result<DriverKind, String> {
    match text {
        "ttrpc" => Ok(DriverKind::Ttrpc),
        "controller" => Ok(DriverKind::Controller),
        _ => Err("ttrpc or controller".to_owned()),
    }
}
