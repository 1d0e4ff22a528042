//! The error of a gate.

use std::io;

use super::program::ProgramError;
use crate::commands::error::RunError;

/// A gate cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The pods could not be run.
    #[error(transparent)]
    Run(#[from] RunError),
    /// One of the two programs cannot be had.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// So few rounds could never show that the head is slower.
    #[error("--max-rounds must be at least {needed} for --alpha {alpha}")]
    TooFewRounds {
        /// The least number of rounds that could.
        needed: u32,
        /// Highest probability of an alarm by chance.
        alpha: f64,
    },
    /// There is no place for the logs.
    #[error("keep the sandboxers' logs")]
    Directory(#[source] io::Error),
}

/// A result that cannot be printed.
impl From<io::Error> for GateError {
    fn from(error: io::Error) -> Self {
        Self::Run(error.into())
    }
}

impl GateError {
    /// Returns whether a stop that was asked for is the reason.
    pub fn is_interruption(&self) -> bool {
        match self {
            Self::Run(error) => error.is_interruption(),
            Self::Program(error) => matches!(error, ProgramError::Interrupted),
            Self::TooFewRounds { .. } | Self::Directory(_) => false,
        }
    }
}
