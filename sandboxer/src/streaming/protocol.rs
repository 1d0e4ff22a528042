//! Protocols by which a client may speak to the server, and how one is chosen.

use hyper::header::{HeaderMap, HeaderName, HeaderValue, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;

use super::traffic::Watched;

/// A connection after its switch of protocols.
pub(super) type Connection = Watched<TokioIo<Upgraded>>;

/// A connection after its switch to WebSocket.
pub(super) type Socket = WebSocketStream<Connection>;

/// Header by which Kubernetes' clients of SPDY offer versions, and the server chooses one
/// (`k8s.io/streaming/pkg/httpstream/httpstream.go`).
pub(super) const STREAM_VERSION: HeaderName = HeaderName::from_static("x-stream-protocol-version");
/// Header of a refusal, with the versions that the server speaks.
pub(super) const ACCEPTED_VERSIONS: HeaderName =
    HeaderName::from_static("x-accepted-stream-protocol-versions");

/// Versions of the protocol with a channel in each message, the preferred one first.
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
    pub(super) fn offered(headers: &HeaderMap) -> Option<Self> {
        let offers = list(headers, &SEC_WEBSOCKET_PROTOCOL);
        let known = [Self::V5, Self::V4];
        known
            .into_iter()
            .find(|protocol| offers.contains(&protocol.name()))
    }
}

/// Subprotocol of WebSocket that carries SPDY: kubectl's port-forward
/// (`k8s.io/apimachinery/pkg/util/portforward/constants.go`).
pub(super) const TUNNEL: &str = "SPDY/3.1+portforward.k8s.io";

/// Returns whether a client offers to carry SPDY in WebSocket.
pub(super) fn offers_tunnel(headers: &HeaderMap) -> bool {
    list(headers, &SEC_WEBSOCKET_PROTOCOL).contains(&TUNNEL)
}

/// Returns whether a request is for a switch to SPDY.
pub(super) fn asks_for_spdy(headers: &HeaderMap) -> bool {
    let upgrade = list(headers, &UPGRADE);
    upgrade
        .iter()
        .any(|name| name.eq_ignore_ascii_case("SPDY/3.1"))
}

/// Versions of exec and attach over SPDY
/// (`k8s.io/cri-streaming/pkg/streaming/remotecommand/constants.go`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum RemoteCommand {
    V1,
    /// The status is a text, and only that of a failure is sent.
    V2,
    /// Terminals have a stream for their sizes.
    V3,
    /// The status is JSON.
    V4,
}

impl RemoteCommand {
    pub(super) const ALL: [(&str, Self); 4] = [
        ("v4.channel.k8s.io", Self::V4),
        ("v3.channel.k8s.io", Self::V3),
        ("v2.channel.k8s.io", Self::V2),
        ("channel.k8s.io", Self::V1),
    ];

    pub(super) fn has_resize(self) -> bool {
        self >= Self::V3
    }

    pub(super) fn has_json_status(self) -> bool {
        self >= Self::V4
    }
}

/// The only version of port-forward over SPDY.
pub(super) const PORT_FORWARD: [(&str, ()); 1] = [("portforward.k8s.io", ())];

/// Reason to refuse the versions of a client.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum VersionError {
    #[error("X-Stream-Protocol-Version: missing")]
    Missing,
    #[error("X-Stream-Protocol-Version: no version that is spoken here")]
    Unknown,
}

/// Returns the first version of a client that is among `known`, with its name.
///
/// # Errors
/// [`VersionError`].
pub(super) fn negotiate<V: Copy>(
    headers: &HeaderMap,
    known: &[(&'static str, V)],
) -> Result<(HeaderValue, V), VersionError> {
    let offers = list(headers, &STREAM_VERSION);
    if offers.is_empty() {
        return Err(VersionError::Missing);
    }
    let found = offers
        .iter()
        .find_map(|offer| known.iter().find(|(name, _)| name == offer));
    let (name, version) = found.ok_or(VersionError::Unknown)?;
    Ok((HeaderValue::from_static(name), *version))
}

/// Returns the names in a header that is a list.
fn list<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let values = headers.get_all(name).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let names = texts.flat_map(|text| text.split(',')).map(str::trim);
    names.filter(|name| !name.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offered(values: &[&str]) -> Result<RemoteCommand, VersionError> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(STREAM_VERSION, value.parse().unwrap());
        }
        negotiate(&headers, &RemoteCommand::ALL).map(|(_, version)| version)
    }

    #[test]
    fn the_first_known_version_of_a_client_is_chosen() {
        use RemoteCommand::{V1, V2, V4};
        for (values, expected) in [
            (&["v5.channel.k8s.io, v4.channel.k8s.io"][..], Ok(V4)),
            (&["v2.channel.k8s.io,v4.channel.k8s.io"], Ok(V2)),
            (&["x", "channel.k8s.io"], Ok(V1)),
            (&["portforward.k8s.io"], Err(VersionError::Unknown)),
            (&[" , "], Err(VersionError::Missing)),
            (&[], Err(VersionError::Missing)),
        ] {
            assert_eq!(offered(values), expected, "{values:?}");
        }
    }
}
