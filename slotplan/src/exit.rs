//! Exit codes.

use std::process::ExitCode;

/// Outcome of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Answered, and nothing speaks against the plan: 0.
    Good,
    /// Wrong usage, or an input that is missing or cannot be read: 1.
    Environment,
    /// Answered, and the plan does not hold: a pod does not fit or is refused, a budget is
    /// exceeded: 3.
    DoesNotHold,
}

impl Verdict {
    /// Returns the exit code of the process.
    pub fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Environment => 1,
            Self::DoesNotHold => 3,
        }
    }
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        Self::from(verdict.code())
    }
}
