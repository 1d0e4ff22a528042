//! The protocol that a connection switches to, and the connection after its switch.

use hyper::header::{CONNECTION, HeaderValue, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::{Request, Response, StatusCode};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tracing::debug;

use super::port_channels::PortsError;
use super::protocol::{
    Connection, PORT_FORWARD, Protocol, RemoteCommand, STREAM_VERSION, Socket, TUNNEL,
    VersionError, asks_for_spdy, negotiate, offers_tunnel,
};
use super::tokens::Purpose;
use super::tunnel::Tunnel;
use super::{channels, port_channels, port_forward, remote_command};

/// Longest message of a client of WebSocket, in bytes.
const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// Protocol of a connection after its switch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wire {
    /// Exec or attach over SPDY.
    RemoteCommand(RemoteCommand),
    /// Port-forward over SPDY.
    PortForward,
    /// Port-forward over SPDY in WebSocket.
    Tunnel,
    /// Exec or attach over WebSocket.
    Channels(Protocol),
    /// Port-forward over WebSocket, with the ports of the query.
    PortChannels(Vec<u16>),
}

/// Reason to refuse a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum SwitchError {
    #[error(transparent)]
    Version(#[from] VersionError),
    #[error(transparent)]
    Ports(#[from] PortsError),
    #[error(
        "Upgrade: SPDY/3.1, or a WebSocket with Sec-WebSocket-Protocol v5.channel.k8s.io or \
         v4.channel.k8s.io, is needed"
    )]
    NoProtocol,
    #[error("no WebSocket: {0}")]
    WebSocket(tokio_tungstenite::tungstenite::Error),
}

/// Chooses the protocol among those that a request offers, and returns the response that
/// switches to it.
///
/// # Errors
/// [`SwitchError`].
pub(super) fn chosen<B>(
    request: &Request<B>,
    is_port_forward: bool,
) -> Result<(Wire, Response<String>), SwitchError> {
    let headers = request.headers();
    if asks_for_spdy(headers) {
        let (name, wire) = if is_port_forward {
            let (name, ()) = negotiate(headers, &PORT_FORWARD)?;
            (name, Wire::PortForward)
        } else {
            let (name, version) = negotiate(headers, &RemoteCommand::ALL)?;
            (name, Wire::RemoteCommand(version))
        };
        return Ok((wire, to_spdy(name)));
    }
    let (name, wire) = if is_port_forward && offers_tunnel(headers) {
        (TUNNEL, Wire::Tunnel)
    } else {
        let protocol = Protocol::offered(headers).ok_or(SwitchError::NoProtocol)?;
        let wire = if is_port_forward {
            let query = request.uri().query().unwrap_or_default();
            Wire::PortChannels(port_channels::ports(query)?)
        } else {
            Wire::Channels(protocol)
        };
        (protocol.name(), wire)
    };
    let response = create_response_with_body(request, String::new);
    let mut response = response.map_err(SwitchError::WebSocket)?;
    let name = HeaderValue::from_static(name);
    response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, name);
    Ok((wire, response))
}

fn to_spdy(version: HeaderValue) -> Response<String> {
    let mut response = Response::new(String::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("SPDY/3.1"));
    headers.insert(STREAM_VERSION, version);
    response
}

/// Runs a connection until it ends.
pub(super) async fn run(wire: Wire, io: Connection, purpose: Purpose) {
    match (purpose, wire) {
        (
            Purpose::Exec(streams, handler) | Purpose::Attach(streams, handler),
            Wire::RemoteCommand(version),
        ) => remote_command::run(io, version, streams, handler).await,
        (
            Purpose::Exec(streams, handler) | Purpose::Attach(streams, handler),
            Wire::Channels(protocol),
        ) => channels::run(socket(io).await, protocol, streams, handler).await,
        (Purpose::PortForward(forwarder), Wire::PortForward) => {
            port_forward::run(io, &forwarder).await;
        }
        (Purpose::PortForward(forwarder), Wire::Tunnel) => {
            port_forward::run(Tunnel::new(socket(io).await), &forwarder).await;
        }
        (Purpose::PortForward(forwarder), Wire::PortChannels(ports)) => {
            port_channels::run(socket(io).await, &ports, &forwarder).await;
        }
        (_, wire) => debug!("a stream's connection chose {wire:?} for another purpose"),
    }
}

async fn socket(io: Connection) -> Socket {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    Socket::from_raw_socket(io, Role::Server, Some(config)).await
}
