//! Versions of Kubernetes' channel protocol, and the connection that carries it.

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::SEC_WEBSOCKET_PROTOCOL;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;

use super::traffic::Watched;

/// A connection after its switch to WebSocket.
pub(super) type Socket = WebSocketStream<Watched<TokioIo<Upgraded>>>;

/// Versions of the protocol, the preferred one first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    V5,
    V4,
}

impl Protocol {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::V5 => "v5.channel.k8s.io",
            Self::V4 => "v4.channel.k8s.io",
        }
    }

    /// Returns the preferred version among those that a client offers.
    pub(super) fn offered(request: &Request<Incoming>) -> Option<Self> {
        let offers = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL);
        let offers = offers.iter().filter_map(|value| value.to_str().ok());
        let offers: Vec<&str> = offers
            .flat_map(|list| list.split(','))
            .map(str::trim)
            .collect();
        let known = [Self::V5, Self::V4];
        known
            .into_iter()
            .find(|protocol| offers.contains(&protocol.name()))
    }
}
