//! A server of CRI that passes every call on to a runtime, byte for byte, and records it.

use std::convert::Infallible;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures::Stream;
use hyper_util::rt::TokioIo;
use tokio::net::{UnixListener, UnixStream};
use tonic::body::Body;
use tonic::codec::Streaming;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{NamedService, ServerStreamingService};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status};

use super::codec::Raw;
use super::{CANCELLED, Call, Entry, LONGEST_MESSAGE, Writer};

/// The file of a recording and the start of its time.
#[derive(Clone)]
struct Recorder {
    start: Instant,
    writer: Arc<Mutex<Writer<File>>>,
}

impl Recorder {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn append(&self, entry: &Entry) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = writer.append(entry) {
            eprintln!("record-cri: the recording is incomplete: {error}");
        }
    }
}

/// Serves CRI on the socket `listen`, passes the calls on to the runtime at `runtime`, and
/// records them in `output` until the process ends.
///
/// # Errors
/// The socket or the file cannot be created, or the server fails.
pub async fn serve(listen: &Path, runtime: &Path, output: &Path) -> io::Result<()> {
    let recorder = Recorder {
        start: Instant::now(),
        writer: Arc::new(Mutex::new(Writer::new(File::create(output)?))),
    };
    // A channel connects at its first call, and again when the runtime was started again.
    let connector = Connector {
        runtime: runtime.to_owned(),
        recorder: recorder.clone(),
    };
    let channel = Endpoint::from_static("http://runtime").connect_with_connector_lazy(connector);
    let forward = Forward { channel, recorder };
    let listener = UnixListener::bind(listen)?;
    let connections = futures::stream::unfold(listener, |listener| async {
        let accepted = listener.accept().await.map(|(stream, _)| stream);
        Some((accepted, listener))
    });
    Server::builder()
        .add_service(Runtime(forward.clone()))
        .add_service(Image(forward))
        .serve_with_incoming(connections)
        .await
        .map_err(io::Error::other)
}

/// Connects to the runtime and records each connection.
#[derive(Clone)]
struct Connector {
    runtime: PathBuf,
    recorder: Recorder,
}

impl Service<http::Uri> for Connector {
    type Response = TokioIo<UnixStream>;
    type Error = io::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Uri) -> Self::Future {
        let Self { runtime, recorder } = self.clone();
        Box::pin(async move {
            let stream = UnixStream::connect(runtime).await?;
            recorder.append(&Entry::RuntimeConnected);
            Ok(TokioIo::new(stream))
        })
    }
}

/// Passes calls of one service on.
#[derive(Clone)]
struct Forward {
    channel: Channel,
    recorder: Recorder,
}

impl Forward {
    fn serve(&self, request: http::Request<Body>) -> Answer {
        let path = request.uri().path_and_query().cloned();
        let path = path.unwrap_or_else(|| PathAndQuery::from_static("/"));
        let method = Method {
            forward: self.clone(),
            path,
        };
        Box::pin(async move {
            let mut server = tonic::server::Grpc::new(Raw)
                .max_decoding_message_size(LONGEST_MESSAGE)
                .max_encoding_message_size(LONGEST_MESSAGE);
            Ok(server.server_streaming(method, request).await)
        })
    }
}

type Answer = BoxFuture<http::Response<Body>, Infallible>;

macro_rules! services {
    ($($service:ident: $name:literal;)*) => {$(
        #[doc = concat!("Passes the calls of `", $name, "` on.")]
        #[derive(Clone)]
        struct $service(Forward);

        impl NamedService for $service {
            const NAME: &'static str = $name;
        }

        impl Service<http::Request<Body>> for $service {
            type Response = http::Response<Body>;
            type Error = Infallible;
            type Future = Answer;

            fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
                Poll::Ready(Ok(()))
            }

            fn call(&mut self, request: http::Request<Body>) -> Answer {
                self.0.serve(request)
            }
        }
    )*};
}

services! {
    Runtime: "runtime.v1.RuntimeService";
    Image: "runtime.v1.ImageService";
}

/// A method of the runtime. Each is called as one that streams its replies, which on the wire a
/// method with one reply is, too.
struct Method {
    forward: Forward,
    path: PathAndQuery,
}

impl ServerStreamingService<Vec<u8>> for Method {
    type Response = Vec<u8>;
    type ResponseStream = Replies;
    type Future = BoxFuture<Response<Replies>, Status>;

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        let Forward { channel, recorder } = self.forward.clone();
        let path = self.path.clone();
        Box::pin(async move {
            let mut record = Record::begin(recorder, path.path(), request.get_ref());
            let mut client = tonic::client::Grpc::new(channel)
                .max_decoding_message_size(LONGEST_MESSAGE)
                .max_encoding_message_size(LONGEST_MESSAGE);
            let replies = async {
                client
                    .ready()
                    .await
                    .map_err(|e| Status::unavailable(e.to_string()))?;
                client.server_streaming(request, path, Raw).await
            };
            match replies.await {
                Ok(replies) => Ok(replies.map(|inner| Replies { inner, record })),
                Err(status) => {
                    record.end(Some(&status));
                    Err(status)
                }
            }
        })
    }
}

/// The replies of a call, which are recorded as the client takes them.
struct Replies {
    inner: Streaming<Vec<u8>>,
    record: Record,
}

impl Stream for Replies {
    type Item = Result<Vec<u8>, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = ready!(Pin::new(&mut self.inner).poll_next(context));
        match &next {
            Some(Ok(reply)) => self.record.call.replies.push(reply.clone()),
            Some(Err(status)) => self.record.end(Some(status)),
            None => self.record.end(None),
        }
        Poll::Ready(next)
    }
}

/// A call that goes on. Dropping it records that its caller gave it up.
struct Record {
    recorder: Recorder,
    call: Call,
    ended: bool,
}

impl Record {
    fn begin(recorder: Recorder, path: &str, request: &[u8]) -> Self {
        let call = Call {
            at_ms: recorder.now_ms(),
            took_ms: 0,
            method: path.rsplit('/').next().unwrap_or_default().to_owned(),
            request: request.to_owned(),
            replies: Vec::new(),
            code: CANCELLED,
            message: String::new(),
        };
        Self {
            recorder,
            call,
            ended: false,
        }
    }

    fn end(&mut self, status: Option<&Status>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.call.code = status.map_or(0, |status| status.code().into());
        self.call.message = status.map(Status::message).unwrap_or_default().to_owned();
        self.append();
    }

    fn append(&mut self) {
        self.call.took_ms = self.recorder.now_ms().saturating_sub(self.call.at_ms);
        self.recorder.append(&Entry::Call(self.call.clone()));
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if !self.ended {
            self.append();
        }
    }
}
