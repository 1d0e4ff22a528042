//! What can keep a run from happening.

use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use containerd_sandbox::Code;
use exposition::ListenError;

use crate::result::LoadError;

use crate::workload::scenario::{Mismatch, ScenarioError};
use crate::workload::trace::TraceError;

/// The bundles could not be written.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A stop was asked for meanwhile.
    #[error("interrupted before the load began")]
    Interrupted,
    /// A spec could not be encoded.
    #[error("encode config.json")]
    Encode(#[source] serde_json::Error),
    /// There is not enough room for them.
    #[error(
        "the bundles of {bundles} containers need up to {} MiB and as many inodes twice, which \
         {} does not have; run fewer pods, or set TMPDIR to a file system with more room",
        bytes >> 20, dir.display()
    )]
    NoRoom {
        /// How many there may be.
        bundles: u64,
        /// What they may take, in bytes.
        bytes: u64,
        /// The directory that would have held them.
        dir: PathBuf,
    },
    /// The file system says no.
    #[error("write {}", path.display())]
    Write {
        /// What was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// There is no scenario to run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioChoiceError {
    /// It cannot be found or is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// An option has no meaning for it.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
}

/// Nobody can be told how a run goes on.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The address of `--metrics-listen` cannot be had.
    #[error("--metrics-listen")]
    Listen(#[from] ListenError),
    /// No thread for `--push`.
    #[error("start a thread for --push")]
    Thread(#[source] io::Error),
}

/// The load could not be run to an end.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A second stop was asked for.
    #[error("aborted: nothing was saved, and what was created may be left behind")]
    Aborted,
    /// No connection.
    #[error(transparent)]
    Connect(#[from] containerd_sandbox::Error),
    /// No thread or no runtime for it.
    #[error("start a load thread")]
    Thread(#[source] io::Error),
    /// A bug in this program.
    #[error("a load thread panicked, which is a bug in loadgen")]
    Panicked,
}

/// A program that the run needs could not be started.
#[derive(Debug, thiserror::Error)]
pub enum ChildError {
    /// There is no such program.
    #[error("cannot find {program} beside loadgen or on PATH; {advice}")]
    NotFound {
        /// Its name.
        program: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// It cannot be run.
    #[error("start the {name} {}", program.display())]
    Spawn {
        /// What it is.
        name: &'static str,
        /// Its path.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Its private directory cannot be made.
    #[error("make a private directory for the {name}")]
    Directory {
        /// What it is.
        name: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It ended before it answered.
    #[error("the {name} {} ended ({status}) before it answered{log}", program.display())]
    Died {
        /// What it is.
        name: &'static str,
        /// Its path.
        program: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log, on lines of its own.
        log: String,
    },
    /// It runs and does not answer.
    #[error("the {name} {} did not answer within {seconds} s: {reason}{log}", program.display())]
    Silent {
        /// What it is.
        name: &'static str,
        /// Its path.
        program: PathBuf,
        /// How long it was given.
        seconds: u64,
        /// What the last attempt said.
        reason: containerd_sandbox::Error,
        /// The end of its log, on lines of its own.
        log: String,
    },
    /// containerd does not take the image for pods.
    #[error("put an image into containerd")]
    Image {
        /// Why not.
        #[source]
        source: containerd_sandbox::Error,
    },
    /// A stop was asked for meanwhile.
    #[error("interrupted before the load began")]
    Interrupted,
}

/// Two results cannot be compared.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// See [`LoadError`].
    #[error(transparent)]
    Load(#[from] LoadError),
    /// They are not about the same.
    #[error(
        "not comparable:\n  {}\n--anyway compares them nevertheless",
        differences.join("\n  ")
    )]
    Incomparable {
        /// Every field that differs, with both values.
        differences: Vec<String>,
    },
    /// The comparison cannot be printed.
    #[error("print the comparison")]
    Print(#[from] io::Error),
}

/// A gate cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// It could never say that something is slower.
    #[error("--max-rounds must be at least {needed} for --alpha {alpha}")]
    TooFewRounds {
        /// What it would need.
        needed: u32,
        /// How likely an alarm may be by chance.
        alpha: f64,
    },
    /// There is no place for the logs.
    #[error("keep the sandboxers' logs")]
    Directory(#[source] io::Error),
}

/// A program of a gate cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// A stop was asked for meanwhile.
    #[error("interrupted before the first round")]
    Interrupted,
    /// There is no place to build in.
    #[error("make a directory for the programs")]
    Directory(#[source] io::Error),
    /// It is nothing that can be run or built.
    #[error("{asked} is neither a file nor a revision that git knows here: {reason}")]
    Unknown {
        /// As it was asked for.
        asked: String,
        /// What git says.
        reason: String,
    },
    /// It is there and cannot be read.
    #[error("read {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It cannot be built.
    #[error("build {commit}: {step}: {reason}")]
    Build {
        /// Of which commit.
        commit: String,
        /// What failed.
        step: &'static str,
        /// How.
        reason: String,
    },
}

/// A result could not be saved.
#[derive(Debug, thiserror::Error)]
#[error("save the result as {}", path.display())]
pub struct SaveError {
    /// The file or directory.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub source: io::Error,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// See [`ScenarioChoiceError`].
    #[error(transparent)]
    Scenario(#[from] ScenarioChoiceError),
    /// See [`TraceError`].
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// See [`BundleError`].
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// See [`ChildError`].
    #[error(transparent)]
    Child(#[from] ChildError),
    /// See [`EngineError`].
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// See [`GateError`].
    #[error(transparent)]
    Gate(#[from] GateError),
    /// See [`ProgramError`].
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// See [`MetricsError`].
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// See [`SaveError`].
    #[error(transparent)]
    Save(#[from] SaveError),
    /// Nobody answers at the given endpoint.
    #[error("no {server} answers at {}", socket.display())]
    Endpoint {
        /// Who was to answer.
        server: &'static str,
        /// The socket.
        socket: PathBuf,
        /// Why not.
        #[source]
        source: containerd_sandbox::Error,
    },
    /// The image of the containers cannot be had.
    #[error("provide the image {image}")]
    Image {
        /// Its name.
        image: String,
        /// Why not.
        #[source]
        source: containerd_sandbox::Error,
    },
    /// A closed loop is needed.
    #[error("the scenario {scenario:?} is an open loop; a density is reached by a closed one")]
    NotClosed {
        /// The scenario's name.
        scenario: String,
    },
    /// The result cannot be printed.
    #[error("print the result")]
    Print(#[from] io::Error),
    /// Signals cannot be caught.
    #[error("listen for signals")]
    Signals(#[source] io::Error),
}

impl RunError {
    /// Whether somebody asked for it.
    pub fn is_interruption(&self) -> bool {
        matches!(
            self,
            Self::Bundle(BundleError::Interrupted)
                | Self::Child(ChildError::Interrupted)
                | Self::Engine(EngineError::Aborted)
                | Self::Program(ProgramError::Interrupted)
        ) || matches!(
            self,
            Self::Endpoint { source, .. }
            | Self::Image { source, .. }
            | Self::Child(ChildError::Image { source })
                if source.code() == Code::Cancelled
        )
    }
}
