//! Error of a gate.

use std::io;

use super::program::ProgramError;
use crate::commands::error::RunError;
use crate::drive::driver::DriverKind;
use crate::result::directory::SaveError;

/// Failure to run a gate.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The pods could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// One of the two programs is not available.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The subjects are of different kinds.
    #[error(
        "base is loaded over {} and head over {}: a gate compares two sandboxers, or two CRI \
         runtimes", drivers[0], drivers[1]
    )]
    Unlike {
        /// Drivers of base and head.
        drivers: [DriverKind; 2],
    },
    /// No result of so few blocks could show that the head is slower.
    #[error("--max-blocks must be at least {needed} for --alpha {alpha}")]
    TooFewBlocks {
        /// Lowest sufficient number of blocks.
        needed: u32,
        /// Highest probability of an alarm by chance.
        alpha: f64,
    },
    /// The kernel does not tell the CPUs of this process.
    #[error("find the CPUs that may be used; --cpus all needs none")]
    Cpus(#[source] io::Error),
    /// This process may use fewer CPUs than a block is to use.
    #[error("--cpus {asked}: this process may use {allowed} CPUs")]
    TooFewCpus {
        /// Number of CPUs for each block.
        asked: usize,
        /// Number of CPUs that this process may use.
        allowed: usize,
    },
    /// The programs cannot be kept on their CPUs.
    #[error("stay on the CPUs {cpus:?}; --cpus all does not need it")]
    Confine {
        /// Numbers of the CPUs.
        cpus: Vec<usize>,
        /// The failure.
        #[source]
        source: io::Error,
    },
    /// There is no directory for the logs.
    #[error("keep the sandboxers' logs")]
    Directory(#[source] io::Error),
}

/// Failure to write the further file of a result.
impl From<SaveError> for GateError {
    fn from(error: SaveError) -> Self {
        Self::Run(error.into())
    }
}

/// Failure to print a result.
impl From<io::Error> for GateError {
    fn from(error: io::Error) -> Self {
        Self::Run(error.into())
    }
}

impl GateError {
    /// Returns whether the cause is a requested stop.
    pub fn is_interruption(&self) -> bool {
        match self {
            Self::Run(error) => error.is_interruption(),
            Self::Program(error) => matches!(error, ProgramError::Interrupted),
            Self::Unlike { .. }
            | Self::TooFewBlocks { .. }
            | Self::Cpus(_)
            | Self::TooFewCpus { .. }
            | Self::Confine { .. }
            | Self::Directory(_) => false,
        }
    }
}
