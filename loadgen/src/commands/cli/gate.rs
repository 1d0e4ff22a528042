//! Options of `loadgen gate`.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, FromArgMatches};

use super::compare::percent;
use super::{ContainerRange, FilesArgs, OutputArgs, RequestArgs};
use crate::drive::driver::DriverKind;
use crate::server::subject::Subject;
use crate::workload::plan::Plan;
use crate::workload::runtime::HANDLER;

/// Options of `loadgen gate`.
#[derive(Debug, Clone, Args)]
pub struct GateArgs {
    /// Subject to compare with: a resource-slot-sandboxer, or a git revision, built in a
    /// temporary worktree; containerd:PATH, to start one, with
    /// ?handler=NAME&config=FILE&env=NAME=VALUE&sandboxer=PATH, each of which may be left out;
    /// or unix:///PATH?handler=NAME, a running CRI runtime.
    #[arg(long, env = "LOADGEN_BASE", value_name = "SUBJECT")]
    pub base: Subject,
    /// Subject to compare: like --base.
    #[arg(long, env = "LOADGEN_HEAD", value_name = "SUBJECT")]
    pub head: Subject,
    /// Smallest increase of a pod's CPU time that matters, in percent.
    #[arg(long, env = "LOADGEN_MIN_EFFECT", value_name = "PERCENT", default_value = "3",
          value_parser = percent)]
    pub min_effect: f64,
    /// Smallest increase of latency that matters, in percent.
    #[arg(long, env = "LOADGEN_MIN_LATENCY_EFFECT", value_name = "PERCENT", default_value = "10",
          value_parser = percent)]
    pub min_latency_effect: f64,
    /// Highest probability of an alarm if nothing is slower.
    #[arg(long, env = "LOADGEN_ALPHA", value_name = "P", default_value = "0.01",
          value_parser = alpha)]
    pub alpha: f64,
    /// Time for the rounds, in minutes. After the first blocks the gate says what it can find in
    /// this time. Most gates decide earlier.
    #[arg(long, env = "LOADGEN_MAX_MINUTES", value_name = "M", default_value = "5",
          value_parser = minutes)]
    pub max_minutes: f64,
    /// Highest number of blocks of rounds; no limit by default.
    #[arg(long, env = "LOADGEN_MAX_BLOCKS", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub max_blocks: Option<u32>,
    /// CPUs that both programs and their load share in a block: a number, or all. They are drawn
    /// for each block. One CPU gives the least noise, and hides the cost of contention
    /// between CPUs.
    #[arg(long, env = "LOADGEN_CPUS", value_name = "N|all", default_value = "1")]
    pub cpus: CpuChoice,
    /// Number of pods of each subject in each round, best a multiple of the concurrency: a turn
    /// has so many pods [default: 192 of sandboxers, 96 through containerd, 16 of real
    /// containers].
    #[arg(long, env = "LOADGEN_PODS", value_name = "N",
          value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub pods: Option<u64>,
    /// Containers per pod: MIN-MAX, or one number [default: 1-4 of sandboxers, else 1].
    #[arg(long, env = "LOADGEN_CONTAINERS", value_name = "MIN-MAX")]
    pub containers: Option<ContainerRange>,
    /// Requests of the pods.
    #[command(flatten)]
    pub requests: RequestArgs,
    /// Driver that runs the pods of sandboxers: ttrpc, or controller, as containerd calls
    /// a sandboxer. Others are loaded over CRI.
    #[arg(long, env = "LOADGEN_TARGET", value_name = "DRIVER", default_value = "controller",
          value_parser = driver)]
    pub target: DriverKind,
    /// Number of pods under way at once [default: 8 of sandboxers, else 4].
    #[arg(long, env = "LOADGEN_CONCURRENCY", value_name = "N",
          value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub concurrency: Option<u32>,
    /// Argument for both sandboxers; may be repeated.
    #[arg(
        long = "sandboxer-arg",
        env = "LOADGEN_SANDBOXER_ARG",
        value_name = "ARG",
        allow_hyphen_values = true
    )]
    pub sandboxer_args: Vec<OsString>,
    /// Further argument for the head alone; may be repeated.
    #[arg(
        long = "head-arg",
        env = "LOADGEN_HEAD_ARG",
        value_name = "ARG",
        allow_hyphen_values = true
    )]
    pub head_args: Vec<OsString>,
    /// Place of the files of both programs.
    #[command(flatten)]
    pub files: FilesArgs,
    /// Append the verdict as Markdown to this file, such as $GITHUB_STEP_SUMMARY; - is standard
    /// output.
    #[arg(long, env = "LOADGEN_MARKDOWN", value_name = "FILE")]
    pub markdown: Option<PathBuf>,
    /// Form and place of the result.
    #[command(flatten)]
    pub output: OutputArgs,
}

impl GateArgs {
    /// Returns the options of a gate of one program with itself, with defaults for the others.
    ///
    /// # Errors
    /// A variable of the environment with a wrong value.
    pub fn of_one(program: &str) -> Result<Self, clap::Error> {
        let command = Self::augment_args(clap::Command::new("gate").no_binary_name(true));
        let command = options::ignore_empty(command, |name| std::env::var_os(name));
        let options = ["--base", program, "--head", program];
        Self::from_arg_matches(&command.try_get_matches_from(options)?)
    }

    /// Returns the drivers of base and head.
    pub fn drivers(&self) -> [DriverKind; 2] {
        [&self.base, &self.head].map(|subject| subject.driver(self.target))
    }

    /// Returns the number of pods of each subject in each round.
    pub fn pods(&self) -> u64 {
        let runs_containers = [&self.base, &self.head]
            .into_iter()
            .any(|subject| subject.handler().is_some_and(|handler| handler != HANDLER));
        self.pods.unwrap_or(match self.drivers()[0] {
            DriverKind::Ttrpc | DriverKind::Controller => 192,
            DriverKind::Cri if runs_containers => 16,
            DriverKind::Cri => 96,
        })
    }

    /// Returns the number of pods under way at once.
    pub fn concurrency(&self) -> u32 {
        self.concurrency.unwrap_or(match self.drivers()[0] {
            DriverKind::Ttrpc | DriverKind::Controller => 8,
            DriverKind::Cri => 4,
        })
    }

    /// Returns the numbers of containers of a pod.
    pub fn containers(&self) -> ContainerRange {
        self.containers.clone().unwrap_or(match self.drivers()[0] {
            DriverKind::Ttrpc | DriverKind::Controller => ContainerRange(1..=4),
            DriverKind::Cri => ContainerRange(1..=1),
        })
    }

    /// Returns the plan of each round.
    pub fn plan(&self) -> Plan {
        self.requests.plan(&self.containers())
    }
}

/// Number of CPUs for a block, or all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuChoice(Option<NonZeroUsize>);

impl CpuChoice {
    /// Returns the number of CPUs; `None` for all.
    pub fn number(self) -> Option<usize> {
        self.0.map(NonZeroUsize::get)
    }
}

impl FromStr for CpuChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self(None));
        }
        let number = text
            .parse()
            .map_err(|_| "a number above 0, or all".to_owned())?;
        Ok(Self(Some(number)))
    }
}

impl fmt::Display for CpuChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(number) => write!(f, "{number}"),
            None => f.write_str("all"),
        }
    }
}

fn minutes(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(minutes) if minutes > 0.0 && minutes <= 1440.0 => Ok(minutes),
        _ => Err("more than 0 and at most 1440, in minutes".to_owned()),
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
