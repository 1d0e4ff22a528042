//! The ttrpc server.
//!
//! The task of a connection reads requests, runs each call until it first waits, and writes the
//! replies; a call that waits goes on in a task of its own. So a request is only read after the
//! calls before it have made their replies or wait for something, and the replies that a peer
//! leaves are known before more of them are made. The services and messages are those of the
//! library `ttrpc`, whose own server starts a task for every request that it reads.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::task::noop_waker_ref;
use protobuf::Message;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::{Notify, mpsc, watch};
use tracing::debug;
use ttrpc::asynchronous::{Service, TtrpcContext};
use ttrpc::proto::{MESSAGE_TYPE_REQUEST, MessageHeader, Request, Response};

use super::bounds::{Held, Kind, Peer, Reply, SMALL};
use super::connection::Connection;
use super::frame::{self, Header};
use super::warnings::Warnings;
use crate::error::{Code, Error, Result};
use crate::scan;

/// Calls that wait for an end: service and method.
const WAITS: [(&str, &str); 3] = [
    ("containerd.runtime.sandbox.v1.Sandbox", "WaitSandbox"),
    ("containerd.task.v2.Task", "Wait"),
    ("containerd.task.v3.Task", "Wait"),
];

/// The ttrpc server of all connections.
pub(super) struct TtrpcServer {
    services: HashMap<String, Service>,
    /// The longest payload that is accepted, in bytes.
    max_message: usize,
    /// Ends all connections when it is dropped or told.
    stopped: watch::Receiver<()>,
    warnings: Warnings,
    /// The parts of a call's context that all calls share.
    context: TtrpcContext,
}

/// A reply on its way to the peer, with what it holds until it is written.
struct Outgoing {
    frame: Vec<u8>,
    _reply: Option<Reply>,
    _call: Option<Held>,
    _request: Option<Held>,
}

/// Tells the calls of a connection that its peer has gone.
#[derive(Default)]
struct Gone {
    is_gone: AtomicBool,
    told: Notify,
}

impl Gone {
    fn tell(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    async fn wait(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        told.as_mut().enable();
        if !self.is_gone.load(Ordering::Acquire) {
            told.await;
        }
    }
}

/// The way of replies to the peer of one connection.
#[derive(Clone)]
struct Outbox {
    peer: Arc<Peer>,
    frames: mpsc::UnboundedSender<Outgoing>,
}

impl Outbox {
    /// Sends a response. If too many bytes of replies wait, an error is sent instead.
    fn send(&self, stream: u32, response: &Response, call: Option<Held>, request: Option<Held>) {
        let mut frame = frame::response(stream, response);
        let reply = match self.peer.reply(frame.len()) {
            Ok(reply) => Some(reply),
            Err(error) => {
                frame = frame::response(stream, &frame::failure(error));
                None
            }
        };
        // A peer that has gone needs no reply.
        let _ = self.frames.send(Outgoing {
            frame,
            _reply: reply,
            _call: call,
            _request: request,
        });
    }

    fn refuse(&self, stream: u32, error: Error) {
        self.send(stream, &frame::failure(error), None, None);
    }
}

/// A request that is admitted.
struct Admitted {
    header: Header,
    request: Request,
    call: Held,
    /// Bytes of the request, if it is large.
    bytes: Option<Held>,
}

impl TtrpcServer {
    /// Creates a server of these services that ends when `stopped` is dropped.
    pub(super) fn new(
        services: HashMap<String, Service>,
        max_message: usize,
        stopped: watch::Receiver<()>,
    ) -> Self {
        Self {
            services,
            max_message: max_message.min(ttrpc::proto::MESSAGE_LENGTH_MAX),
            stopped,
            warnings: Warnings::default(),
            context: TtrpcContext::default(),
        }
    }

    /// Serves a connection until it ends.
    pub(super) async fn serve(self: Arc<Self>, connection: Connection) {
        let peer = Arc::clone(connection.peer());
        let mut stopped = self.stopped.clone();
        tokio::select! {
            ended = self.converse(connection, peer) => match ended {
                Ok(()) => debug!("a ttrpc connection was closed"),
                Err(e) if is_peers_fault(&e) => {
                    self.warnings.warn(format_args!("closed a ttrpc connection: {e}"));
                }
                Err(e) => debug!("a ttrpc connection failed: {e}"),
            },
            _ = stopped.changed() => {}
        }
    }

    /// Reads requests and writes replies until the connection ends.
    async fn converse(
        self: &Arc<Self>,
        stream: impl AsyncRead + AsyncWrite,
        peer: Arc<Peer>,
    ) -> io::Result<()> {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let (sender, mut frames) = mpsc::unbounded_channel::<Outgoing>();
        let outbox = Outbox {
            peer,
            frames: sender,
        };
        let ending = Ending(Arc::default());
        let write = async {
            while let Some(outgoing) = frames.recv().await {
                writer.write_all(&outgoing.frame).await?;
            }
            Ok::<(), io::Error>(())
        };
        let read = self.read(&mut reader, &outbox, &ending.0);
        tokio::pin!(write, read);
        std::future::poll_fn(|cx| {
            // Writing comes first, or a peer that always has another request would use up the
            // turn of the task. It comes again for the replies of the calls that ran.
            if let Poll::Ready(failed) = write.as_mut().poll(cx) {
                return Poll::Ready(failed);
            }
            if let Poll::Ready(ended) = read.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            write.as_mut().poll(cx)
        })
        .await
    }

    async fn read(
        self: &Arc<Self>,
        reader: &mut (impl AsyncRead + Unpin),
        outbox: &Outbox,
        gone: &Arc<Gone>,
    ) -> io::Result<()> {
        loop {
            tokio::task::coop::consume_budget().await;
            if !outbox.peer.has_room() {
                outbox.peer.room().await;
            }
            let Some(header) = frame::header(reader).await? else {
                return Ok(());
            };
            match self.admit(reader, header, &outbox.peer).await? {
                Ok(admitted) => self.start(admitted, outbox, gone),
                Err(error) => outbox.refuse(header.stream, error),
            }
        }
    }

    /// Reads the rest of a frame. The inner error is the reason to refuse the request.
    async fn admit(
        &self,
        reader: &mut (impl AsyncRead + Unpin),
        header: Header,
        peer: &Arc<Peer>,
    ) -> io::Result<Result<Admitted>> {
        let bytes = match self.check(header, peer) {
            Ok(bytes) => bytes,
            Err(error) => {
                frame::skip(reader, header.length).await?;
                return Ok(Err(error));
            }
        };
        let payload = frame::payload(reader, header.length).await?;
        Ok(decode(header, &payload).and_then(|request| {
            let name = (request.service.as_str(), request.method.as_str());
            let kind = if WAITS.contains(&name) {
                Kind::Waits
            } else {
                Kind::Calls
            };
            Ok(Admitted {
                header,
                call: peer.hold(kind)?,
                request,
                bytes,
            })
        }))
    }

    /// Checks a frame by its header, and counts its bytes if they are many.
    fn check(&self, header: Header, peer: &Arc<Peer>) -> Result<Option<Held>> {
        if header.length > self.max_message {
            return Err(Error::resource_exhausted(format!(
                "a message of {} bytes is over the limit of {}",
                header.length, self.max_message
            )));
        }
        if let Some(reason) = peer.refused() {
            return Err(Error::resource_exhausted(reason));
        }
        if header.length <= SMALL {
            return Ok(None);
        }
        let mut bytes = Held::request(peer);
        bytes.grow(header.length)?;
        Ok(Some(bytes))
    }

    /// Runs a call until it first waits. It then goes on in a task of its own, until the peer
    /// has gone.
    fn start(self: &Arc<Self>, admitted: Admitted, outbox: &Outbox, gone: &Arc<Gone>) {
        let (server, outbox, gone) = (Arc::clone(self), outbox.clone(), Arc::clone(gone));
        let mut call = Box::pin(async move {
            let stream = admitted.header.stream;
            let response = tokio::select! {
                biased;
                response = server.call(admitted.header, admitted.request) => response,
                () = gone.wait() => return,
            };
            outbox.send(stream, &response, Some(admitted.call), admitted.bytes);
        });
        let mut context = Context::from_waker(noop_waker_ref());
        if call.as_mut().poll(&mut context).is_pending() {
            tokio::spawn(call);
        }
    }

    /// Calls the method that a request names.
    async fn call(&self, header: Header, request: Request) -> Response {
        let Some(service) = self.services.get(&request.service) else {
            let message = format!("unknown service {}", crate::quoted(&request.service));
            return frame::failure(Error::unimplemented(message));
        };
        let Some(method) = service.methods.get(&request.method) else {
            let message = format!("{}: no such method", crate::quoted(&request.method));
            return frame::failure(Error::unimplemented(message));
        };
        let context = TtrpcContext {
            mh: MessageHeader {
                length: u32::try_from(header.length).unwrap_or(u32::MAX),
                stream_id: header.stream,
                type_: MESSAGE_TYPE_REQUEST,
                flags: 0,
            },
            metadata: ttrpc::context::from_pb(&request.metadata),
            timeout_nano: request.timeout_nano,
            connection_data: Arc::clone(&self.context.connection_data),
        };
        let time = u64::try_from(request.timeout_nano).unwrap_or(0);
        let call = method.handler(context, request);
        let answered = match time {
            0 => call.await,
            nanos => match tokio::time::timeout(Duration::from_nanos(nanos), call).await {
                Ok(answered) => answered,
                Err(_) => {
                    let message = "the deadline of the call has passed";
                    return frame::failure(Error::new(Code::DeadlineExceeded, message));
                }
            },
        };
        // Failures of the service itself are responses: this is a message that it cannot decode.
        answered.unwrap_or_else(|e| frame::failure(Error::invalid_argument(e.to_string())))
    }
}

/// Tells the calls of a connection when it ends in any way.
struct Ending(Arc<Gone>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.tell();
    }
}

/// Decodes the payload of a request.
fn decode(header: Header, payload: &[u8]) -> Result<Request> {
    if header.kind == frame::Kind::Data {
        return Err(Error::invalid_argument("no stream is open"));
    }
    scan::check(payload)?;
    Request::parse_from_bytes(payload)
        .map_err(|e| Error::invalid_argument(format!("not a request: {e}")))
}

/// Returns whether a connection was closed because of what its peer did.
fn is_peers_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidData | io::ErrorKind::TimedOut | io::ErrorKind::UnexpectedEof
    )
}

#[cfg(test)]
mod tests {
    use super::super::bounds::Bounds;
    use super::super::limits::{Limit, Limits};
    use super::*;
    use async_trait::async_trait;
    use std::sync::atomic::AtomicUsize;
    use tokio::io::{AsyncReadExt, DuplexStream, duplex};
    use ttrpc::asynchronous::MethodHandler;
    use ttrpc::proto::MESSAGE_HEADER_LENGTH;

    /// A method that counts its calls. Each waits for the end, or answers this many bytes.
    struct Method {
        calls: Arc<AtomicUsize>,
        answer: Option<usize>,
    }

    #[async_trait]
    impl MethodHandler for Method {
        async fn handler(&self, _: TtrpcContext, _: Request) -> ttrpc::Result<Response> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            match self.answer {
                Some(length) => Ok(Response {
                    payload: vec![7; length],
                    ..Default::default()
                }),
                None => std::future::pending().await,
            }
        }
    }

    /// A server with the methods `Answer`, of 1 MiB, and `Wait`, and the count of their calls.
    fn server() -> (Arc<TtrpcServer>, Arc<AtomicUsize>, watch::Sender<()>) {
        let calls = Arc::<AtomicUsize>::default();
        let method = |answer| -> Box<dyn MethodHandler + Send + Sync> {
            let calls = Arc::clone(&calls);
            Box::new(Method { calls, answer })
        };
        let service = || Service {
            methods: HashMap::from([
                ("Answer".to_owned(), method(Some(1 << 20))),
                ("Wait".to_owned(), method(None)),
            ]),
            streams: HashMap::new(),
        };
        let services = HashMap::from([
            ("test.Service".to_owned(), service()),
            (WAITS[2].0.to_owned(), service()),
        ]);
        let (stop, stopped) = watch::channel(());
        let server = TtrpcServer::new(services, 4 << 20, stopped);
        (Arc::new(server), calls, stop)
    }

    fn request(stream: u32, service: &str, method: &str) -> Vec<u8> {
        let request = Request {
            service: service.to_owned(),
            method: method.to_owned(),
            ..Default::default()
        };
        let payload = request.write_to_bytes().unwrap();
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(stream.to_be_bytes());
        bytes.extend([MESSAGE_TYPE_REQUEST, 0]);
        bytes.extend(payload);
        bytes
    }

    async fn response(peer: &mut DuplexStream) -> (u32, Response) {
        let mut header = [0; MESSAGE_HEADER_LENGTH];
        peer.read_exact(&mut header).await.unwrap();
        let [l0, l1, l2, l3, s0, s1, s2, s3, ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([l0, l1, l2, l3]) as usize];
        peer.read_exact(&mut payload).await.unwrap();
        let response = Response::parse_from_bytes(&payload).unwrap();
        (u32::from_be_bytes([s0, s1, s2, s3]), response)
    }

    /// Serves one end of a stream, and returns the other one.
    fn conversation(server: &Arc<TtrpcServer>, limits: &Limits) -> DuplexStream {
        let (peer, own) = duplex(1 << 20);
        let counts = Bounds::new(limits).peer(None, None);
        let server = Arc::clone(server);
        tokio::spawn(async move { server.converse(own, counts).await });
        peer
    }

    #[tokio::test]
    async fn calls_run_only_while_the_peer_takes_their_replies() {
        const REQUESTS: u32 = 1_000;
        let (server, calls, _stop) = server();
        let mut peer = conversation(&server, &Limits::default());
        let requests = (0..REQUESTS).map(|n| request(2 * n + 1, "test.Service", "Answer"));
        peer.write_all(&requests.collect::<Vec<_>>().concat())
            .await
            .unwrap();
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        let ran = calls.load(Ordering::Relaxed);
        assert!((16..20).contains(&ran), "{ran} calls of 1 MiB each ran");
        for n in 0..REQUESTS {
            let (stream, response) = response(&mut peer).await;
            assert_eq!((stream, response.payload.len()), (2 * n + 1, 1 << 20));
        }
    }

    #[tokio::test]
    async fn calls_that_wait_have_a_bound_of_their_own_and_end_with_the_connection() {
        let limits = Limits {
            in_flight: Limit::new(2, "calls"),
            waits: Limit::new(4, "waits"),
            ..Limits::default()
        };
        let (server, calls, _stop) = server();
        let mut peer = conversation(&server, &limits);
        for n in 0..3 {
            let wait = request(2 * n + 1, WAITS[2].0, "Wait");
            peer.write_all(&wait).await.unwrap();
        }
        // Half of four waits are for one connection.
        let (stream, refused) = response(&mut peer).await;
        let code = ttrpc::Code::RESOURCE_EXHAUSTED;
        assert_eq!((stream, refused.status().code()), (5, code));
        let answer = request(7, "test.Service", "Answer");
        peer.write_all(&answer).await.unwrap();
        assert_eq!(response(&mut peer).await.1.status().code(), ttrpc::Code::OK);
        assert_eq!(calls.load(Ordering::Relaxed), 3);
        drop(peer);
        while Arc::strong_count(&server) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn requests_to_nobody_are_answered_and_the_connection_stays_open() {
        let (server, _calls, _stop) = server();
        let mut peer = conversation(&server, &Limits::default());
        let mut data = request(5, "test.Service", "Answer");
        data[8] = ttrpc::proto::MESSAGE_TYPE_DATA;
        let cases = [
            (
                request(1, "test.Nobody", "Answer"),
                ttrpc::Code::UNIMPLEMENTED,
            ),
            (
                request(3, "test.Service", "Nothing"),
                ttrpc::Code::UNIMPLEMENTED,
            ),
            (data, ttrpc::Code::INVALID_ARGUMENT),
            (request(7, "test.Service", "Answer"), ttrpc::Code::OK),
        ];
        for (bytes, code) in cases {
            peer.write_all(&bytes).await.unwrap();
            assert_eq!(response(&mut peer).await.1.status().code(), code);
        }
    }
}
