//! The result of a command: an exit code, or a reason to leave the commands around it.

/// A reason not to go on with the next command of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unwind {
    /// The command failed with this exit code, after its message. The script goes on.
    Failed(u8),
    /// `break` out of this many loops; at least 1.
    Break(u32),
    /// `continue` with the next round of the loop this many levels up; at least 1.
    Continue(u32),
    /// `return` from a function or a sourced file with this exit code.
    Return(u8),
    /// The shell ends with this exit code.
    Exit(u8),
}

/// An exit code, or a reason to leave the commands around this one.
pub(crate) type Outcome = Result<u8, Unwind>;

/// Returns the exit code of a process that ends with an outcome. `status` is the code of the
/// process's last command, which a `break` or `continue` without a loop leaves as it is.
pub(crate) fn exit_code(outcome: Outcome, status: u8) -> u8 {
    match outcome {
        Ok(code) | Err(Unwind::Failed(code) | Unwind::Exit(code) | Unwind::Return(code)) => code,
        Err(Unwind::Break(_) | Unwind::Continue(_)) => status,
    }
}
