//! Port-forward: two channels for each port, one for data and one for errors. Data is
//! echoed.

use futures::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::{Error, Message};
use tracing::debug;

use super::protocol::Socket;

/// Largest number of ports: a channel number is a byte, and a port has two channels.
const MAX_PORTS: usize = 128;

/// Errors in the query of a port-forward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PortsError {
    #[error("query parameter port: missing; port=8080, once for each port, is needed")]
    Missing,
    #[error("query parameter port \"{0}\": a number from 1 to 65535 is needed")]
    Invalid(String),
    #[error("query parameter port: given {0} times; at most {MAX_PORTS} are possible")]
    TooMany(usize),
}

/// Parses the ports in a query such as `port=80&port=443`.
pub(super) fn ports(query: &str) -> Result<Vec<u16>, PortsError> {
    let parameters = query
        .split('&')
        .filter_map(|parameter| parameter.split_once('='));
    let stated = parameters.filter(|(name, _)| *name == "port");
    let numbers = stated.flat_map(|(_, value)| value.split(','));
    let port = |text: &str| match text.parse() {
        Ok(0) | Err(_) => Err(PortsError::Invalid(text.chars().take(64).collect())),
        Ok(port) => Ok(port),
    };
    let ports: Vec<u16> = numbers.map(port).collect::<Result<_, _>>()?;
    match ports.len() {
        0 => Err(PortsError::Missing),
        1..=MAX_PORTS => Ok(ports),
        more => Err(PortsError::TooMany(more)),
    }
}

/// Forwards until the client ends.
pub(super) async fn run(socket: Socket, ports: &[u16]) {
    if let Err(e) = echo(socket, ports).await {
        debug!("a port-forward failed: {e}");
    }
}

async fn echo(mut socket: Socket, ports: &[u16]) -> Result<(), Error> {
    // Each channel opens with its port, the lower byte first.
    for (channel, port) in (0..=u8::MAX).zip(ports.iter().flat_map(|port| [port, port])) {
        let [low, high] = port.to_le_bytes();
        socket
            .send(Message::binary(vec![channel, low, high]))
            .await?;
    }
    while let Some(message) = socket.next().await {
        let bytes = match message? {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            Message::Close(_) => break,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        match bytes.first() {
            Some(channel) if channel % 2 == 0 && usize::from(channel / 2) < ports.len() => {
                socket.send(Message::Binary(bytes)).await?;
            }
            Some(other) => debug!("a port-forward's client wrote to channel {other}"),
            None => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_read_from_the_query() {
        assert_eq!(ports("port=80&x=1&port=443"), Ok(vec![80, 443]));
        assert_eq!(ports("port=80,443"), Ok(vec![80, 443]));
        assert_eq!(ports("x=1"), Err(PortsError::Missing));
        assert_eq!(ports("port=0"), Err(PortsError::Invalid("0".into())));
        assert_eq!(
            ports("port=65536"),
            Err(PortsError::Invalid("65536".into()))
        );
        let many = "port=1&".repeat(129);
        assert_eq!(ports(&many), Err(PortsError::TooMany(129)));
    }
}
