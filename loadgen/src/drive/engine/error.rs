//! Errors that end a load early.

use std::io;

/// Reason for which a load did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A second stop was requested.
    #[error("aborted: nothing was saved, and what was created may be left behind")]
    Aborted,
    /// A connection could not be opened.
    #[error(transparent)]
    Connect(#[from] containerd_sandbox::Error),
    /// A thread or its async runtime could not be started.
    #[error("start a load thread")]
    Thread(#[source] io::Error),
    /// A load thread panicked, which is a bug in this program.
    #[error("a load thread panicked, which is a bug in loadgen")]
    Panicked,
}
