//! Error of a gate.

use std::io;

use super::program::ProgramError;
use crate::commands::error::RunError;

/// Failure to run a gate.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The pods could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// One of the two programs is not available.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// No result of so few rounds could show that the head is slower.
    #[error("--max-rounds must be at least {needed} for --alpha {alpha}")]
    TooFewRounds {
        /// Lowest sufficient number of rounds.
        needed: u32,
        /// Highest probability of an alarm by chance.
        alpha: f64,
    },
    /// There is no directory for the logs.
    #[error("keep the sandboxers' logs")]
    Directory(#[source] io::Error),
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
            Self::TooFewRounds { .. } | Self::Directory(_) => false,
        }
    }
}
