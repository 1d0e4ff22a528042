//! The server behind the URLs that CRI's Exec, Attach and PortForward return.
//!
//! A caller states a purpose and gets a URL with a token that is valid for one connection
//! within a minute. The client speaks SPDY/3.1 with the versions `v4.channel.k8s.io` and earlier
//! of Kubernetes, as kubelets and crictl do, or WebSocket with the subprotocol
//! `v5.channel.k8s.io` or `v4.channel.k8s.io`, in which the first byte of each message names a
//! channel. An exec or attach becomes a [`Session`] that is handed to the caller's function. Each
//! connection through a forwarded port is handed to a [`Forwarder`].
//!
//! - `http` accepts connections and answers their requests, `switch` chooses the protocol and
//!   runs the connection after its switch. `origin` refuses web pages of other sites, `tokens`
//!   keeps the purposes of issued URLs.
//! - `remote_command` runs exec and attach over SPDY, `channels` over WebSocket; `status` encodes
//!   how a session ended.
//! - `port_forward` forwards ports over SPDY, which `tunnel` also finds inside of WebSocket;
//!   `port_channels` forwards over WebSocket alone, and `forward` is the other end of a port.
//! - `traffic` finds connections that are idle; `session` and `protocol` hold the types that these
//!   share.

mod channels;
mod forward;
mod http;
mod origin;
mod port_channels;
mod port_forward;
mod protocol;
mod remote_command;
mod session;
mod status;
mod switch;
mod tokens;
mod traffic;
mod tunnel;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tracing::debug;

#[cfg(test)]
use forward::echo;
pub use forward::{Bytes, Forwarder};
pub use session::{Handler, Session, StreamingError, Streams, TerminalSize};
use tokens::{Purpose, Tokens};

/// Default address: on this machine only, on any free port.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Default time after which a session without traffic is closed: that of kubelet and containerd.
pub const DEFAULT_IDLE_TIMEOUT: Duration = Duration::from_secs(4 * 60 * 60);

/// A server that runs, with all its sessions, until it is dropped.
pub struct StreamingServer {
    address: SocketAddr,
    tokens: Arc<Tokens>,
    accepting: JoinHandle<()>,
}

impl StreamingServer {
    /// Listens on an address. A session is closed once it has had no traffic for
    /// `idle_timeout`.
    ///
    /// # Errors
    /// [`StreamingError::Listen`], with the address.
    pub async fn start(
        address: SocketAddr,
        idle_timeout: Duration,
    ) -> Result<Self, StreamingError> {
        let refused = |source| StreamingError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let tokens = Arc::<Tokens>::default();
        let accepting = tokio::spawn(http::accept(listener, Arc::clone(&tokens), idle_timeout));
        debug!("Streams are served on {address}");
        Ok(Self {
            address,
            tokens,
            accepting,
        })
    }

    /// Returns the address on which the server listens, with its port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns a URL for one exec.
    ///
    /// # Errors
    /// [`StreamingError::TooMany`] or [`StreamingError::NoRandomness`].
    pub fn exec(&self, streams: Streams, handler: Handler) -> Result<String, StreamingError> {
        let token = self.tokens.issue(Purpose::Exec(streams, handler))?;
        Ok(format!("http://{}/exec/{token}", self.reachable()))
    }

    /// Returns a URL for one attach.
    ///
    /// # Errors
    /// [`StreamingError::TooMany`] or [`StreamingError::NoRandomness`].
    pub fn attach(&self, streams: Streams, handler: Handler) -> Result<String, StreamingError> {
        let token = self.tokens.issue(Purpose::Attach(streams, handler))?;
        Ok(format!("http://{}/attach/{token}", self.reachable()))
    }

    /// Returns a URL for one port-forward, whose connections `forwarder` serves. The client names
    /// the ports.
    ///
    /// # Errors
    /// [`StreamingError::TooMany`] or [`StreamingError::NoRandomness`].
    pub fn port_forward(&self, forwarder: Forwarder) -> Result<String, StreamingError> {
        let token = self.tokens.issue(Purpose::PortForward(forwarder))?;
        Ok(format!("http://{}/portforward/{token}", self.reachable()))
    }
}

impl StreamingServer {
    /// Returns an address at which a client on this machine reaches the server. The address of
    /// all interfaces is none to connect to: clients do not exempt it from a proxy, as they do
    /// with the loopback.
    fn reachable(&self) -> SocketAddr {
        let ip = match self.address.ip() {
            IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        SocketAddr::new(ip, self.address.port())
    }
}

impl Drop for StreamingServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
