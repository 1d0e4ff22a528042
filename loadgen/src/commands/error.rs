//! Error of the commands that run pods: any failure of the modules below.

use std::io;
use std::path::PathBuf;
use std::time::SystemTime;

use containerd_sandbox::Code;

use crate::commands::cli::ScenarioChoiceError;
use crate::drive::bundle::BundleError;
use crate::drive::engine::{EngineError, IndivisibleError};
use crate::measure::metrics::MetricsError;
use crate::result::LoadError;
use crate::result::directory::SaveError;
use crate::server::ServerError;
use crate::server::child::ChildError;
use crate::server::profile::ProfileError;
use crate::server::subject::SubjectError;
use crate::stop::SignalError;
use crate::workload::trace::TraceError;

/// Failure that prevented a result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// There is no scenario to run.
    #[error(transparent)]
    Scenario(#[from] ScenarioChoiceError),
    /// The scenario names no subject.
    #[error("subject of the scenario")]
    Subject(#[from] SubjectError),
    /// There is no trace to replay, or a trace cannot be written.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The bundles could not be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// There is no server to load.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The load could not be run to its end.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The metrics of the run cannot be served or pushed.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    /// The calibration cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The calibration was made on another machine.
    #[error(
        "{} was made on another machine: {}; make one here with loadgen calibrate",
        path.display(),
        differences.join("; ")
    )]
    OtherMachine {
        /// Path of the calibration.
        path: PathBuf,
        /// Differing fields of the machine, with both values.
        differences: Vec<String>,
    },
    /// The stop was requested before the first of several runs.
    #[error("interrupted before the first run")]
    NoRun,
    /// The runs of a calibration do not measure its figures.
    #[error("no calibration: {reason}")]
    NotCalibrated {
        /// Reason, in words.
        reason: String,
    },
    /// The load cannot be divided.
    #[error(transparent)]
    Indivisible(#[from] IndivisibleError),
    /// The load was to begin before the program was started.
    #[error("--start-at: {} has passed", humantime::format_rfc3339_seconds(*at))]
    Past {
        /// Stated time.
        at: SystemTime,
    },
    /// The server was not ready at the time at which the load was to begin.
    #[error(
        "--start-at: the server was not ready at {}; state a later time",
        humantime::format_rfc3339_seconds(*at)
    )]
    Late {
        /// Stated time.
        at: SystemTime,
    },
    /// The target sends no spans.
    #[error(
        "--spans: spans come from a containerd that this program starts; use --target cri without --endpoint"
    )]
    NoSpans,
    /// The target has no profile.
    #[error(
        "--cpu-profile: the profile is that of a containerd that this program starts; use --target cri without --endpoint"
    )]
    NoProfile,
    /// The profile cannot be taken.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The receiver of spans cannot be started.
    #[error("start to receive spans")]
    Spans(#[source] io::Error),
    /// The result could not be saved.
    #[error(transparent)]
    Save(#[from] SaveError),
    /// The scenario is an open loop; a density measurement needs a closed one.
    #[error("the scenario {scenario:?} is an open loop; a density is reached by a closed one")]
    NotClosed {
        /// Name of the scenario.
        scenario: String,
    },
    /// The result cannot be printed.
    #[error("print the result")]
    Print(#[from] io::Error),
    /// The listener for signals cannot be installed.
    #[error(transparent)]
    Signals(#[from] SignalError),
}

impl From<ChildError> for RunError {
    fn from(error: ChildError) -> Self {
        Self::Server(error.into())
    }
}

impl RunError {
    /// Returns whether the cause is a requested stop.
    pub fn is_interruption(&self) -> bool {
        match self {
            Self::NoRun
            | Self::Bundle(BundleError::Interrupted)
            | Self::Engine(EngineError::Aborted)
            | Self::Server(ServerError::Child(ChildError::Interrupted)) => true,
            Self::Server(
                ServerError::Endpoint { source, .. }
                | ServerError::Image { source, .. }
                | ServerError::Child(ChildError::Image { source }),
            ) => source.code() == Code::Cancelled,
            _ => false,
        }
    }
}
