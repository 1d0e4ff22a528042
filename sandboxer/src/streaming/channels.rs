//! Exec and attach over WebSocket: standard streams as channels of one connection.

use futures::future::try_join;
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::{Mutex, mpsc};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message, Utf8Bytes};
use tracing::debug;

use super::protocol::{Protocol, Socket};
use super::session::{Handler, MAX_RESIZES, Session, Streams, TerminalSize};
use super::status;

const STDIN: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;
const ERROR: u8 = 3;
const RESIZE: u8 = 4;
/// In version 5 of the protocol: the channel named by the next byte has ended.
const CLOSE: u8 = 255;

/// Buffer of each stream in bytes; a writer waits while it is full.
const BUFFER_BYTES: usize = 64 << 10;
/// Largest content of one message, in bytes.
const CHUNK_BYTES: usize = 8 << 10;

type Sink = Mutex<SplitSink<Socket, Message>>;

/// Runs a session until it or its client ends.
pub(super) async fn run(socket: Socket, protocol: Protocol, streams: Streams, handler: Handler) {
    let (sink, source) = socket.split();
    let sink = Sink::new(sink);
    let (to_stdin, stdin) = duplex(BUFFER_BYTES);
    let (stdout, from_stdout) = duplex(BUFFER_BYTES);
    let (stderr, from_stderr) = duplex(BUFFER_BYTES);
    let (resized, resizes) = mpsc::channel(MAX_RESIZES);
    let session = handler(Session {
        stdin: Box::new(stdin),
        stdout: wanted(stdout, streams.stdout),
        stderr: wanted(stderr, streams.stderr && !streams.tty),
        resizes,
    });
    let input = Input {
        stdin: streams.stdin.then_some(to_stdin),
        resized,
        protocol,
    };
    let output = async {
        greet(&sink, streams).await?;
        let copied = try_join(
            copy(&sink, STDOUT, from_stdout),
            copy(&sink, STDERR, from_stderr),
        );
        // The session ends at once if the client is gone.
        let session = async { Ok(session.await) };
        try_join(session, copied).await.map(|(code, _)| code)
    };
    tokio::select! {
        () = input.read(source) => debug!("a stream's client went away"),
        code = output => {
            if let Err(e) = finish(&sink, code).await {
                debug!("a stream's end could not be sent: {e}");
            }
        }
    }
}

/// Returns the session's end of a stream. A stream that the client does not want is closed
/// for the task that copies it, or the session would never be over.
fn wanted(stream: DuplexStream, wanted: bool) -> Box<dyn AsyncWrite + Send + Unpin> {
    if wanted {
        Box::new(stream)
    } else {
        drop(stream);
        Box::new(tokio::io::sink())
    }
}

/// Sends an empty message on the lowest channel that is written to, which tells a client
/// that the session exists.
async fn greet(sink: &Sink, streams: Streams) -> Result<(), Error> {
    let channel = match () {
        () if streams.stdout => STDOUT,
        () if streams.stderr && !streams.tty => STDERR,
        () => ERROR,
    };
    send(sink, channel, &[]).await
}

async fn send(sink: &Sink, channel: u8, bytes: &[u8]) -> Result<(), Error> {
    let message = [&[channel], bytes].concat();
    sink.lock().await.send(Message::binary(message)).await
}

async fn copy(sink: &Sink, channel: u8, mut from: DuplexStream) -> Result<(), Error> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return Ok(()),
            Ok(read) => send(sink, channel, &buffer[..read]).await?,
        }
    }
}

/// Sends the session's status and closes the connection.
async fn finish(sink: &Sink, code: Result<u8, Error>) -> Result<(), Error> {
    send(sink, ERROR, status::of_exit(code?).as_bytes()).await?;
    let mut sink = sink.lock().await;
    // Without a code clients take the end for a failure.
    let normally = CloseFrame {
        code: CloseCode::Normal,
        reason: Utf8Bytes::default(),
    };
    sink.send(Message::Close(Some(normally))).await?;
    sink.close().await
}

/// Messages from the client.
struct Input {
    /// Destination of standard input, until it ends.
    stdin: Option<DuplexStream>,
    resized: mpsc::Sender<TerminalSize>,
    protocol: Protocol,
}

impl Input {
    /// Reads until the client is gone.
    async fn read(mut self, mut source: SplitStream<Socket>) {
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
            match *channel {
                STDIN => {
                    if let Some(stdin) = &mut self.stdin
                        && stdin.write_all(content).await.is_err()
                    {
                        // The session has stopped reading.
                        self.stdin = None;
                    }
                }
                RESIZE => match serde_json::from_slice(content) {
                    // Only the latest size matters, and another one will follow.
                    Ok(size) => drop(self.resized.try_send(size)),
                    Err(e) => debug!("a stream's client sent no size of a terminal: {e}"),
                },
                CLOSE if self.protocol == Protocol::V5 && content == [STDIN] => self.stdin = None,
                other => debug!("a stream's client wrote to channel {other}"),
            }
        }
    }
}
