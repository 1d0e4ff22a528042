//! Port-forward over WebSocket: two channels for each port, one for data and one for errors.

use std::io;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadHalf, WriteHalf, duplex};
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::{Error, Message};
use tracing::debug;

use super::forward::Forwarder;
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

/// Buffer of each port in bytes; a writer waits while it is full.
const BUFFER_BYTES: usize = 64 << 10;
/// Largest content of one message, in bytes.
const CHUNK_BYTES: usize = 8 << 10;

type Sink = Mutex<SplitSink<Socket, Message>>;

/// Forwards until the client ends.
pub(super) async fn run(socket: Socket, ports: &[u16], forwarder: &Forwarder) {
    let (sink, source) = socket.split();
    let sink = Sink::new(sink);
    if let Err(e) = open(&sink, ports).await {
        return debug!("a port-forward failed: {e}");
    }
    let mut inputs = Vec::new();
    let mut served = FuturesUnordered::new();
    for (data, port) in (0..=u8::MAX).step_by(2).zip(ports) {
        let (near, far) = duplex(BUFFER_BYTES);
        let (read, write) = tokio::io::split(near);
        inputs.push(write);
        let end = forwarder(*port, Box::new(far));
        served.push(serve(&sink, data, read, end));
    }
    let all = async {
        while served.next().await.is_some() {}
        // A port that has ended leaves the others as they are.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = distribute(source, inputs) => {}
        () = all => {}
    }
}

/// Opens each channel with its port, the lower byte first.
async fn open(sink: &Sink, ports: &[u16]) -> Result<(), Error> {
    for (channel, port) in (0..=u8::MAX).zip(ports.iter().flat_map(|port| [port, port])) {
        send(sink, channel, &port.to_le_bytes()).await?;
    }
    Ok(())
}

async fn send(sink: &Sink, channel: u8, bytes: &[u8]) -> Result<(), Error> {
    let message = [&[channel], bytes].concat();
    sink.lock().await.send(Message::binary(message)).await
}

/// Sends what a port answers, and its error on the channel after that of its data.
async fn serve(
    sink: &Sink,
    data: u8,
    mut read: ReadHalf<DuplexStream>,
    end: BoxFuture<'static, io::Result<()>>,
) {
    let copied = async {
        let mut buffer = vec![0; CHUNK_BYTES];
        while let Ok(count @ 1..) = read.read(&mut buffer).await {
            if send(sink, data, &buffer[..count]).await.is_err() {
                return;
            }
        }
    };
    let ended = async {
        if let Err(e) = end.await {
            // The client may be gone.
            let _ = send(sink, data | 1, e.to_string().as_bytes()).await;
        }
    };
    tokio::join!(copied, ended);
}

/// Hands the messages of the client to their ports, until the client is gone.
async fn distribute(mut source: SplitStream<Socket>, mut inputs: Vec<WriteHalf<DuplexStream>>) {
    while let Some(Ok(message)) = source.next().await {
        let bytes = match message {
            Message::Binary(bytes) => bytes,
            Message::Text(text) => text.into(),
            Message::Close(_) => return,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => continue,
        };
        let Some((channel, content)) = bytes.split_first() else {
            continue;
        };
        let input = inputs.get_mut(usize::from(channel / 2));
        match input.filter(|_| channel % 2 == 0) {
            Some(input) => {
                // A port that has ended reads no more.
                let _ = input.write_all(content).await;
            }
            None => debug!("a port-forward's client wrote to channel {channel}"),
        }
    }
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
