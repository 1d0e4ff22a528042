//! Sessions: the streams of a connected client, and errors of asking for a session.

use std::net::SocketAddr;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;

/// Largest number of terminal sizes that wait for the session; more are dropped.
pub(super) const MAX_RESIZES: usize = 8;

/// Errors of the server.
#[derive(Debug, thiserror::Error)]
pub enum StreamingError {
    /// The address cannot be listened on.
    #[error("listen for streams on {address}")]
    Listen {
        /// The requested address.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// Too many URLs wait to be used.
    #[error("{0} stream URLs are waiting to be used; they expire after a minute")]
    TooMany(usize),
    /// The system gives no random bytes for a token.
    #[error("no random bytes for a stream's token")]
    NoRandomness,
}

/// Streams that a client asks for, as in CRI's ExecRequest and AttachRequest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are CRI's fields")]
pub struct Streams {
    /// Whether the client sends standard input.
    pub stdin: bool,
    /// Whether the client wants standard output.
    pub stdout: bool,
    /// Whether the client wants standard error.
    pub stderr: bool,
    /// Whether the session has a terminal, which has no standard error of its own.
    pub tty: bool,
}

/// Size of a client's terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TerminalSize {
    /// Number of columns.
    pub width: u16,
    /// Number of rows.
    pub height: u16,
}

/// Streams of a connected client. A stream that the client did not ask for reads as ended
/// or drops what is written to it.
pub struct Session {
    /// Standard input; it ends when the client says so.
    pub stdin: Box<dyn AsyncRead + Send + Unpin>,
    /// Standard output.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// Standard error.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin>,
    /// Sizes of the client's terminal, the first at its start.
    pub resizes: mpsc::Receiver<TerminalSize>,
}

/// Runs a session and returns its exit code. The future is dropped when the client goes
/// away.
pub type Handler = Box<dyn FnOnce(Session) -> BoxFuture<'static, u8> + Send>;
