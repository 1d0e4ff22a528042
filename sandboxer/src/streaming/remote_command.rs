//! Exec and attach over SPDY: each standard stream is a stream of the connection.
//!
//! The names of streams and the rules are those of
//! `k8s.io/cri-streaming/pkg/streaming/remotecommand/httpstream.go`.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tracing::debug;

use super::protocol::RemoteCommand;
use super::session::{Handler, MAX_RESIZES, Session, Streams, TerminalSize};
use super::status;

/// Time within which a client opens its streams: that of a kubelet.
pub(super) const CREATION_TIMEOUT: Duration = Duration::from_secs(30);
/// Header with the kind of a stream.
pub(super) const STREAM_TYPE: &str = "streamType";
/// Longest text of a terminal's size, in bytes.
const MAX_SIZE_BYTES: usize = 4096;

/// Streams of a client, by their kind.
#[derive(Default)]
struct Opened {
    error: Option<spdy::Stream>,
    stdin: Option<spdy::Stream>,
    stdout: Option<spdy::Stream>,
    stderr: Option<spdy::Stream>,
    resize: Option<spdy::Stream>,
}

impl Opened {
    /// Waits for all streams that the client has to open. Returns `None` if it opens no more.
    async fn wait(
        streams: &mut spdy::Streams,
        wanted: Streams,
        version: RemoteCommand,
    ) -> Option<Self> {
        let mut opened = Self::default();
        while !opened.has(wanted, version) {
            let stream = streams.next().await?;
            let place = match stream.headers().get(STREAM_TYPE) {
                Some("error") => &mut opened.error,
                Some("stdin") => &mut opened.stdin,
                Some("stdout") => &mut opened.stdout,
                Some("stderr") => &mut opened.stderr,
                Some("resize") => &mut opened.resize,
                other => {
                    debug!("a client opened a stream of the kind {other:?}");
                    continue;
                }
            };
            *place = Some(stream);
        }
        Some(opened)
    }

    fn has(&self, wanted: Streams, version: RemoteCommand) -> bool {
        let needs_resize = wanted.tty && version.has_resize();
        self.error.is_some()
            && (self.stdin.is_some() || !wanted.stdin)
            && (self.stdout.is_some() || !wanted.stdout)
            && (self.stderr.is_some() || !wanted.stderr || wanted.tty)
            && (self.resize.is_some() || !needs_resize)
    }
}

/// Runs a session until it or its client ends.
pub(super) async fn run(
    io: impl AsyncRead + AsyncWrite + Unpin,
    version: RemoteCommand,
    wanted: Streams,
    handler: Handler,
) {
    let (streams, connection) = spdy::serve(io);
    let session = session(streams, version, wanted, handler);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        // What the session wrote is sent before the connection ends.
        () = session => connection.await,
        ended = &mut connection => ended,
    };
    if let Err(e) = ended {
        debug!("a stream's connection failed: {e}");
    }
}

async fn session(
    mut streams: spdy::Streams,
    version: RemoteCommand,
    wanted: Streams,
    handler: Handler,
) {
    let opened = Opened::wait(&mut streams, wanted, version);
    let Ok(Some(opened)) = tokio::time::timeout(CREATION_TIMEOUT, opened).await else {
        return debug!("a client did not open its streams");
    };
    let Opened {
        error: Some(mut error),
        stdin,
        stdout,
        stderr,
        resize,
    } = opened
    else {
        return;
    };
    let (resized, resizes) = mpsc::channel(MAX_RESIZES);
    let ended = handler(Session {
        stdin: match stdin {
            Some(stream) if wanted.stdin => Box::new(stream),
            _ => Box::new(tokio::io::empty()),
        },
        stdout: output(stdout.filter(|_| wanted.stdout)),
        stderr: output(stderr.filter(|_| wanted.stderr && !wanted.tty)),
        resizes,
    });
    let code = tokio::select! {
        code = ended => code,
        () = read_sizes(resize, resized) => return,
    };
    let message = match code {
        code if version.has_json_status() => status::of_exit(code),
        0 => String::new(),
        code => status::text(code),
    };
    // The client may be gone.
    let _ = error.write_all(message.as_bytes()).await;
    let _ = error.shutdown().await;
}

fn output(stream: Option<spdy::Stream>) -> Box<dyn AsyncWrite + Send + Unpin> {
    match stream {
        Some(stream) => Box::new(stream),
        None => Box::new(tokio::io::sink()),
    }
}

/// Hands the sizes of the client's terminal on. Never ends.
async fn read_sizes(stream: Option<spdy::Stream>, resized: mpsc::Sender<TerminalSize>) {
    if let Some(stream) = stream {
        parse_sizes(stream, &resized).await;
    }
    let _held = resized;
    std::future::pending::<()>().await;
}

/// Parses the sizes on a stream: one JSON document after the other.
async fn parse_sizes(mut stream: impl AsyncRead + Unpin, resized: &mpsc::Sender<TerminalSize>) {
    let mut text = Vec::new();
    let mut buffer = [0; 512];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        text.extend_from_slice(&buffer[..count]);
        let mut sizes = serde_json::Deserializer::from_slice(&text).into_iter();
        let mut parsed = 0;
        loop {
            match sizes.next() {
                Some(Ok(size)) => {
                    parsed = sizes.byte_offset();
                    // Only the latest size matters, and another one will follow.
                    let _ = resized.try_send(size);
                }
                Some(Err(e)) if !e.is_eof() => {
                    return debug!("a stream's client sent no size of a terminal: {e}");
                }
                Some(Err(_)) | None => break,
            }
        }
        text.drain(..parsed);
        if text.len() > MAX_SIZE_BYTES {
            return debug!("a stream's client sent no size of a terminal");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sizes_are_read_one_after_the_other_however_they_are_cut() {
        let text = br#"{"Width":80,"Height":24}
            {"Width":132,"Height":43}"#;
        for cut in [1, 7, 30, 1000] {
            let (mut near, far) = tokio::io::duplex(cut);
            let (resized, mut resizes) = mpsc::channel(MAX_RESIZES);
            let write = async move {
                near.write_all(text).await.unwrap();
            };
            tokio::join!(write, parse_sizes(far, &resized));
            let mut sizes = Vec::new();
            while let Ok(size) = resizes.try_recv() {
                sizes.push((size.width, size.height));
            }
            assert_eq!(sizes, [(80, 24), (132, 43)]);
        }
    }

    #[tokio::test]
    async fn a_text_that_is_no_size_ends_the_sizes() {
        for text in ["x", "{\"Width\":-1}", &"{\"Width\":".repeat(1000)] {
            let (resized, mut resizes) = mpsc::channel(MAX_RESIZES);
            parse_sizes(text.as_bytes(), &resized).await;
            assert!(resizes.try_recv().is_err());
        }
    }
}
