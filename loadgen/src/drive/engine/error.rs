//! Reasons for which a load is not run to its end.

use std::io;

/// The load could not be run to an end.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// A second stop was asked for.
    #[error("aborted: nothing was saved, and what was created may be left behind")]
    Aborted,
    /// No connection.
    #[error(transparent)]
    Connect(#[from] containerd_sandbox::Error),
    /// No thread or no runtime for it.
    #[error("start a load thread")]
    Thread(#[source] io::Error),
    /// A bug in this program.
    #[error("a load thread panicked, which is a bug in loadgen")]
    Panicked,
}
