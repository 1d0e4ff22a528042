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
    /// Not the whole measurement: 4. (3 is for regressions.)
    Incomplete,
}

impl Verdict {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Environment => 1,
            Self::WrongAnswers => 2,
            Self::Incomplete => 4,
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(verdict.code())
    }
}
