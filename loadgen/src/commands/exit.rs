//! What the exit code says.

use std::process::ExitCode;

/// How a command went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// As asked for: 0.
    Good,
    /// Wrong usage, or something that is needed is missing: 1.
    Environment,
    /// Errors or wrong answers: 2.
    WrongAnswers,
    /// What was measured is not within its bars: 3.
    Missed,
    /// Not the whole measurement, or not one to be believed: 4.
    Incomplete,
}

impl Verdict {
    /// The process's exit code.
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
