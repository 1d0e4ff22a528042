//! Port-forward over SPDY: a client opens a pair of streams, one for data and one for errors,
//! for each connection to a port.
//!
//! The headers and the rules are those of
//! `k8s.io/cri-streaming/pkg/streaming/portforward/httpstream.go`.

use std::collections::HashMap;

use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;
use tracing::debug;

use super::forward::Forwarder;
use super::remote_command::{CREATION_TIMEOUT, STREAM_TYPE};

/// Header with the number of the port.
const PORT: &str = "port";
/// Header that the two streams of a pair have in common.
const REQUEST_ID: &str = "requestID";

/// Kind of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Error,
}

/// Reason to reset a stream.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum PairError {
    #[error("header {PORT}: a number from 1 to 65535 is needed")]
    Port,
    #[error("header {STREAM_TYPE}: data or error is needed")]
    Kind,
    #[error("header {REQUEST_ID}: a pair has two streams of one kind")]
    Twice,
}

/// One stream of a pair, until the other one comes.
struct Half {
    kind: Kind,
    stream: spdy::Stream,
    since: Instant,
}

/// Forwards until the client ends.
pub(super) async fn run(io: impl AsyncRead + AsyncWrite + Unpin, forwarder: &Forwarder) {
    let (streams, connection) = spdy::serve(io);
    let ended = tokio::select! {
        ended = connection => ended,
        never = serve(streams, forwarder) => match never {},
    };
    if let Err(e) = ended {
        debug!("a port-forward failed: {e}");
    }
}

/// Joins streams to pairs and serves each. Never ends, because the connection ends with the
/// client.
async fn serve(mut streams: spdy::Streams, forwarder: &Forwarder) -> std::convert::Infallible {
    let mut halves: HashMap<String, Half> = HashMap::new();
    let mut served = FuturesUnordered::new();
    let mut is_open = true;
    loop {
        let oldest = halves.values().map(|half| half.since).min();
        tokio::select! {
            stream = streams.next(), if is_open => match stream {
                Some(stream) => match join(&mut halves, stream) {
                    Ok(Some((port, data, error))) => {
                        served.push(one(port, data, error, forwarder));
                    }
                    Ok(None) => {}
                    Err((e, stream)) => {
                        debug!("a port-forward's stream is reset: {e}");
                        stream.reset();
                    }
                },
                None => is_open = false,
            },
            Some(()) = served.next() => {}
            () = expire(oldest) => {
                halves.retain(|_, half| half.since.elapsed() < CREATION_TIMEOUT);
            }
            else => std::future::pending().await,
        }
    }
}

/// Waits until the oldest half has been without its other for too long.
async fn expire(oldest: Option<Instant>) {
    match oldest {
        Some(since) => tokio::time::sleep_until(since + CREATION_TIMEOUT).await,
        None => std::future::pending().await,
    }
}

/// Port, data and errors of a pair.
type Pair = (u16, spdy::Stream, spdy::Stream);

/// Adds a stream, and returns the pair that it completes.
fn join(
    halves: &mut HashMap<String, Half>,
    stream: spdy::Stream,
) -> Result<Option<Pair>, (PairError, spdy::Stream)> {
    let (port, kind) = match parse(&stream) {
        Ok(parsed) => parsed,
        Err(error) => return Err((error, stream)),
    };
    let id = request_id(&stream, kind);
    match halves.remove(&id) {
        None => {
            let since = Instant::now();
            halves.insert(
                id,
                Half {
                    kind,
                    stream,
                    since,
                },
            );
            Ok(None)
        }
        Some(half) if half.kind == kind => {
            halves.insert(id, half);
            Err((PairError::Twice, stream))
        }
        Some(half) => Ok(Some(match kind {
            Kind::Data => (port, stream, half.stream),
            Kind::Error => {
                let port = parse(&half.stream).map_or(port, |(port, _)| port);
                (port, half.stream, stream)
            }
        })),
    }
}

fn parse(stream: &spdy::Stream) -> Result<(u16, Kind), PairError> {
    let headers = stream.headers();
    let port = headers.get(PORT).and_then(|text| text.parse().ok());
    let port = port.filter(|port| *port > 0).ok_or(PairError::Port)?;
    match headers.get(STREAM_TYPE) {
        Some("data") => Ok((port, Kind::Data)),
        Some("error") => Ok((port, Kind::Error)),
        _ => Err(PairError::Kind),
    }
}

/// Returns the text that the streams of a pair have in common. Old clients state none; they open
/// the stream of errors, and then that of data.
fn request_id(stream: &spdy::Stream, kind: Kind) -> String {
    match stream.headers().get(REQUEST_ID) {
        Some(id) if !id.is_empty() => id.to_owned(),
        _ => match kind {
            Kind::Error => stream.id().to_string(),
            Kind::Data => stream.id().saturating_sub(2).to_string(),
        },
    }
}

/// Serves one connection.
fn one(
    port: u16,
    data: spdy::Stream,
    mut error: spdy::Stream,
    forwarder: &Forwarder,
) -> BoxFuture<'static, ()> {
    let ended = forwarder(port, Box::new(data));
    Box::pin(async move {
        if let Err(e) = ended.await {
            let message = format!("error forwarding port {port}: {e}");
            // The client may be gone.
            let _ = error.write_all(message.as_bytes()).await;
        }
    })
}
