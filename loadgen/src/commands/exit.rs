//! Exit codes.

use std::process::ExitCode;

/// Outcome of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Success: 0.
    Good,
    /// Wrong usage, or a missing file or program: 1.
    Environment,
    /// Errors or wrong answers: 2.
    WrongAnswers,
    /// A figure missed its bar: 3.
    Missed,
    /// Incomplete or invalid measurement: 4.
    Incomplete,
}

impl Verdict {
    /// Returns the exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Environment => 1,
            Self::WrongAnswers => 2,
            Self::Missed => 3,
            Self::Incomplete => 4,
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(verdict.code())
    }
}
