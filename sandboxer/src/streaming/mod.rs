//! The server behind the URLs that CRI's Exec, Attach and PortForward give out.
//!
//! A caller says what is to happen and gets a URL with a token that is good
//! for one connection within a minute. Whoever connects speaks WebSocket with
//! the subprotocol `v5.channel.k8s.io` or `v4.channel.k8s.io` of Kubernetes, in
//! which the first byte of each message names a channel. An exec or attach
//! becomes a [`Session`] that is handed to the caller's function; a port-forward
//! echoes what it is sent, for there is no process that listens.
//!
//! SPDY/3.1, which clients before WebSocket use, is not spoken: no kept library
//! for it is known. Who asks for it gets an HTTP error that says so, and the
//! token is still good.

mod channels;
mod forward;
mod http;
mod status;
mod tokens;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use futures::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::debug;

use tokens::{Purpose, Tokens};

/// Where the server listens unless told otherwise: on this machine only, on any
/// free port.
pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

/// The most connections at once; more of them wait to be accepted.
const MAX_CONNECTIONS: usize = 1024;

/// Why the server cannot do what is asked.
#[derive(Debug, thiserror::Error)]
pub enum StreamingError {
    /// The address cannot be listened on.
    #[error("listen for streams on {address}: {source}")]
    Listen {
        /// The address that was stated.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// Too many URLs are waiting to be used.
    #[error("{0} stream URLs are waiting to be used; they expire after a minute")]
    TooMany(usize),
    /// The system gives no random bytes for a token.
    #[error("no random bytes for a stream's token")]
    NoRandomness,
}

/// Which streams a client asks for, as in CRI's ExecRequest and AttachRequest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "they are CRI's fields")]
pub struct Streams {
    /// Whether the client sends standard input.
    pub stdin: bool,
    /// Whether it wants standard output.
    pub stdout: bool,
    /// Whether it wants standard error.
    pub stderr: bool,
    /// Whether there is a terminal, which has no standard error of its own.
    pub tty: bool,
}

/// The size of a client's terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TerminalSize {
    /// Columns.
    pub width: u16,
    /// Rows.
    pub height: u16,
}

/// A client that is connected. What it does not ask for is read as ended or
/// thrown away.
pub struct Session {
    /// What the client sends; it ends when the client says so.
    pub stdin: Box<dyn AsyncRead + Send + Unpin>,
    /// What the client gets as standard output.
    pub stdout: Box<dyn AsyncWrite + Send + Unpin>,
    /// What the client gets as standard error.
    pub stderr: Box<dyn AsyncWrite + Send + Unpin>,
    /// Sizes of the client's terminal, the first at its start.
    pub resizes: mpsc::Receiver<TerminalSize>,
}

/// What a session does, and the exit code that it comes to. It is dropped when
/// the client goes away.
pub type Handler = Box<dyn FnOnce(Session) -> BoxFuture<'static, u8> + Send>;

/// A server that runs until it is dropped, and all its sessions with it.
pub struct StreamingServer {
    address: SocketAddr,
    tokens: Arc<Tokens>,
    accepting: JoinHandle<()>,
}

impl StreamingServer {
    /// Listens on an address.
    ///
    /// # Errors
    /// [`StreamingError::Listen`], with the address.
    pub async fn start(address: SocketAddr) -> Result<Self, StreamingError> {
        let refused = |source| StreamingError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let tokens = Arc::<Tokens>::default();
        let accepting = tokio::spawn(http::accept(listener, Arc::clone(&tokens), MAX_CONNECTIONS));
        debug!("Streams are served on {address}");
        Ok(Self {
            address,
            tokens,
            accepting,
        })
    }

    /// The address that is listened on, with its port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A URL for one exec.
    ///
    /// # Errors
    /// [`StreamingError::TooMany`] or [`StreamingError::NoRandomness`].
    pub fn exec(&self, streams: Streams, handler: Handler) -> Result<String, StreamingError> {
        let token = self.tokens.issue(Purpose::Exec(streams, handler))?;
        Ok(format!("http://{}/exec/{token}", self.address))
    }

    /// A URL for one attach.
    ///
    /// # Errors
    /// [`StreamingError::TooMany`] or [`StreamingError::NoRandomness`].
    pub fn attach(&self, streams: Streams, handler: Handler) -> Result<String, StreamingError> {
        let token = self.tokens.issue(Purpose::Attach(streams, handler))?;
        Ok(format!("http://{}/attach/{token}", self.address))
    }

    /// A URL for one port-forward. The client's query names the ports.
    ///
    /// # Errors
    /// [`StreamingError::TooMany`] or [`StreamingError::NoRandomness`].
    pub fn port_forward(&self) -> Result<String, StreamingError> {
        let token = self.tokens.issue(Purpose::PortForward)?;
        Ok(format!("http://{}/portforward/{token}", self.address))
    }
}

impl Drop for StreamingServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
