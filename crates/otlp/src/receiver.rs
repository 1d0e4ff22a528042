//! The server that receives spans.

use std::convert::Infallible;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use flate2::read::GzDecoder;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use prost::Message;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::span::{self, Span};
use crate::{PATH, PROTOBUF};

/// Longest message, compressed or not, in bytes: far above a batch of the longest queue that the
/// senders of a measurement are given.
const MAX_MESSAGE: usize = 64 << 20;

/// Timeout for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// Time between a failure to accept a connection and the next attempt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// A server on a port of the loopback address that passes all received spans on. It runs on a
/// thread of its own until it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Receiver {
    /// Starts to receive, on any free port. `take` is called with the spans of each request, in
    /// one call after the other.
    ///
    /// # Errors
    /// A port or thread that the system refuses.
    pub fn start(take: impl FnMut(Vec<Span>) + Send + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let take: Arc<Taker> = Arc::new(std::sync::Mutex::new(take));
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, take) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("spans".to_owned());
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread.spawn(serve)?),
        })
    }

    /// Returns the base of the server's URLs, for `OTEL_EXPORTER_OTLP_ENDPOINT` and
    /// [`Endpoint`](crate::Endpoint).
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed, and concerns its spans alone.
            let _ = thread.join();
        }
    }
}

/// Function that takes spans, which the connections call in turn.
type Taker = std::sync::Mutex<dyn FnMut(Vec<Span>) + Send>;

async fn accept(listener: TcpListener, take: Arc<Taker>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(serve(stream, Arc::clone(&take)));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn serve(stream: TcpStream, take: Arc<Taker>) {
    let answer = service_fn(move |request| {
        let take = Arc::clone(&take);
        async move { Ok::<_, Infallible>(answer(request, &take).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answer);
    // The sender of a broken connection tries again.
    let _ = connection.await;
}

async fn answer(request: Request<Incoming>, take: &Taker) -> Response<Full<Bytes>> {
    match received(request).await {
        Ok(spans) => {
            if let Ok(mut take) = take.lock() {
                take(spans);
            }
            let reply = ExportTraceServiceResponse::default().encode_to_vec();
            let mut reply = Response::new(Full::from(reply));
            let protobuf = HeaderValue::from_static(PROTOBUF);
            reply.headers_mut().insert(CONTENT_TYPE, protobuf);
            reply
        }
        Err((status, reason)) => {
            let mut reply = Response::new(Full::from(reason));
            *reply.status_mut() = status;
            reply
        }
    }
}

async fn received(request: Request<Incoming>) -> Result<Vec<Span>, (StatusCode, String)> {
    let refused = |status, reason: &str| Err((status, format!("{reason}\n")));
    if request.uri().path() != PATH {
        return refused(StatusCode::NOT_FOUND, "spans are sent to /v1/traces");
    }
    if request.method() != Method::POST {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "spans are sent with POST");
    }
    let header = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    if header(CONTENT_TYPE) != Some(PROTOBUF.as_bytes()) {
        let reason = "the content type must be application/x-protobuf";
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason);
    }
    let compressed = match header(CONTENT_ENCODING) {
        None | Some(b"identity") => false,
        Some(b"gzip") => true,
        Some(_) => {
            let reason = "the content encoding must be gzip or identity";
            return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason);
        }
    };
    let body = Limited::new(request.into_body(), MAX_MESSAGE)
        .collect()
        .await;
    let body = match body {
        Ok(body) => body.to_bytes(),
        Err(error) => return refused(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    let message = if compressed {
        inflated(&body)
    } else {
        Ok(body)
    };
    let message = message.and_then(|message| Ok(ExportTraceServiceRequest::decode(message)?));
    match message {
        Ok(message) => Ok(span::decode(message)),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

fn inflated(body: &[u8]) -> io::Result<Bytes> {
    let mut message = Vec::new();
    let limit = MAX_MESSAGE as u64 + 1;
    GzDecoder::new(body).take(limit).read_to_end(&mut message)?;
    if message.len() > MAX_MESSAGE {
        return Err(io::Error::other("the message is too long"));
    }
    Ok(message.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::Kind;

    fn span() -> Span {
        Span {
            trace: 7,
            id: 8,
            parent: None,
            name: "Create".to_owned(),
            service: "tested".into(),
            kind: Kind::Server,
            from_ns: 1,
            until_ns: 2,
            attributes: Vec::new(),
            failed: false,
        }
    }

    /// Sends a request with this head, below the request line, and returns the status line of the
    /// reply.
    fn sent(receiver: &Receiver, line: &str, head: &str, body: &[u8]) -> String {
        let mut stream = std::net::TcpStream::connect(receiver.address).unwrap();
        let length = body.len();
        let head = format!(
            "{line} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {length}\r\n{head}\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let reply = String::from_utf8_lossy(&reply).into_owned();
        reply.lines().next().unwrap_or_default().to_owned()
    }

    const TYPE: &str = "Content-Type: application/x-protobuf\r\n";

    #[test]
    fn spans_arrive_with_and_without_compression() {
        let (give, taken) = mpsc::channel();
        let receiver = Receiver::start(move |spans| give.send(spans).unwrap()).unwrap();
        let body = span::encode("tested", &[span()]).encode_to_vec();
        let line = "POST /v1/traces";
        assert_eq!(sent(&receiver, line, TYPE, &body), "HTTP/1.1 200 OK");
        assert_eq!(taken.recv().unwrap(), [span()]);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(&body).unwrap();
        let head = format!("{TYPE}Content-Encoding: gzip\r\n");
        let body = gzip.finish().unwrap();
        assert_eq!(sent(&receiver, line, &head, &body), "HTTP/1.1 200 OK");
        assert_eq!(taken.recv().unwrap(), [span()]);
    }

    #[test]
    fn other_requests_are_refused() {
        let receiver = Receiver::start(|_| panic!("there are no spans")).unwrap();
        for (line, head, body, status) in [
            ("POST /", TYPE, "", "404 Not Found"),
            ("GET /v1/traces", TYPE, "", "405 Method Not Allowed"),
            ("POST /v1/traces", "", "", "415 Unsupported Media Type"),
            ("POST /v1/traces", TYPE, "no message", "400 Bad Request"),
            (
                "POST /v1/traces",
                "Content-Type: application/x-protobuf\r\nContent-Encoding: br\r\n",
                "",
                "415 Unsupported Media Type",
            ),
        ] {
            let found = sent(&receiver, line, head, body.as_bytes());
            assert_eq!(found, format!("HTTP/1.1 {status}"), "{line} {head}");
        }
    }
}
