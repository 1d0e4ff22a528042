//! The layer in front of all gRPC services, which applies the bounds.
//!
//! A call counts from the moment of its headers until its reply is on the way. Its request has a
//! time limit while it is incomplete, and its message is scanned before the service decodes it.
//! The reply is encoded at once and its bytes count until the peer has taken them.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use flate2::write::GzDecoder;
use futures::task::noop_waker_ref;
use hyper::body::{Body as HttpBody, Bytes, Frame};
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};

use super::bounds::{Held, Kind, Peer, REQUEST_TIME, Reply, SMALL};
use super::limits::MAX_GRPC_MESSAGE;
use crate::error::{Code, Error, Result};
use crate::scan::{Scan, UNSCANNED};

/// Paths of the calls that wait for an end.
const WAITS: [&str; 4] = [
    "/containerd.services.sandbox.v1.Controller/Wait",
    "/grpc.health.v1.Health/Watch",
    "/runtime.v1.RuntimeService/ExecSync",
    "/runtime.v1.RuntimeService/GetContainerEvents",
];

/// Length of a reply in bytes from which the bytes themselves hold the count, which then ends
/// when the last of them is written. The count of a shorter reply ends when it is on the way.
const OWNED: usize = 1 << 10;

/// Length of the prefix of a gRPC message: a flag and the length of the message.
const PREFIX: usize = 5;

/// The layer in front of the gRPC services. Requests of a connection without a [`Peer`] pass.
#[derive(Debug, Clone)]
pub(super) struct Bounded<S>(pub(super) S);

/// What a call holds until its reply is on the way.
pub(super) struct Ticket {
    _call: Held,
    /// Bytes of the request, if it is large.
    request: std::sync::Mutex<Option<Held>>,
}

impl<S> Service<http::Request<Body>> for Bounded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Unpin + Send,
{
    type Response = http::Response<ReplyBody>;
    type Error = S::Error;
    type Future = Call<S>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let Some(peer) = request.extensions_mut().remove::<Arc<Peer>>() else {
            return Call::Running(self.0.call(request), None);
        };
        if let Some(reason) = peer.refused() {
            return Call::Refused(Some(Status::resource_exhausted(reason)));
        }
        let kind = match request.uri().path() {
            path if WAITS.contains(&path) => Kind::Waits,
            _ => Kind::Calls,
        };
        let ticket = match peer.hold(kind) {
            Ok(call) => Arc::new(Ticket {
                _call: call,
                request: std::sync::Mutex::default(),
            }),
            Err(error) => return Call::Refused(Some(error.into())),
        };
        let request =
            request.map(|body| Body::new(RequestBody::new(body, &peer, Arc::clone(&ticket))));
        if peer.has_room() {
            return Call::Running(self.0.call(request), Some((peer, ticket)));
        }
        match peer.hold(Kind::Pending) {
            Ok(pending) => Call::Waiting(Box::pin({
                let mut service = self.0.clone();
                async move {
                    peer.room().await;
                    drop(pending);
                    (service.call(request), (peer, ticket))
                }
            })),
            Err(error) => Call::Refused(Some(error.into())),
        }
    }
}

/// A call in progress.
pub(super) enum Call<S: Service<http::Request<Body>>> {
    /// The call is answered with this status.
    Refused(Option<Status>),
    /// The call waits until the peer has taken earlier replies.
    Waiting(Pin<Box<dyn Future<Output = (S::Future, Holder)> + Send>>),
    /// The service works on the call.
    Running(S::Future, Option<Holder>),
}

/// The peer of a call, and what the call holds.
type Holder = (Arc<Peer>, Arc<Ticket>);

impl<S: Service<http::Request<Body>>> Unpin for Call<S> where S::Future: Unpin {}

impl<S> Future for Call<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Unpin,
{
    type Output = Result<http::Response<ReplyBody>, S::Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            match &mut *self {
                Self::Refused(status) => {
                    let status = status
                        .take()
                        .unwrap_or_else(|| Status::internal("polled twice"));
                    return Poll::Ready(Ok(status.into_http().map(ReplyBody::unbounded)));
                }
                Self::Waiting(room) => {
                    let (future, holder) = ready!(room.as_mut().poll(cx));
                    *self = Self::Running(future, Some(holder));
                }
                Self::Running(future, bounds) => {
                    let response = ready!(Pin::new(future).poll(cx))?;
                    return Poll::Ready(Ok(match bounds.take() {
                        Some((peer, ticket)) => bounded(response, peer, ticket),
                        None => exhausted(response.map(ReplyBody::unbounded)),
                    }));
                }
            }
        }
    }
}

/// Encodes the reply, if it is complete, and counts its bytes. A reply above the bounds is
/// replaced by an error.
fn bounded(
    response: http::Response<Body>,
    peer: Arc<Peer>,
    ticket: Arc<Ticket>,
) -> http::Response<ReplyBody> {
    if response.body().is_end_stream() {
        return exhausted(response.map(ReplyBody::unbounded));
    }
    let (parts, body) = response.into_parts();
    let mut reply = ReplyBody {
        first: First::Unread,
        rest: body,
        peer: Some(peer),
        reply: None,
        _ticket: Some(ticket),
    };
    // A stream that has nothing yet is polled again by the connection, with its own waker.
    let mut context = Context::from_waker(noop_waker_ref());
    match Pin::new(&mut reply).poll_frame(&mut context) {
        Poll::Pending => {}
        Poll::Ready(Some(Err(status))) => return status.into_http().map(ReplyBody::unbounded),
        Poll::Ready(Some(Ok(frame))) => reply.first = First::Frame(frame),
        Poll::Ready(None) => reply.first = First::End,
    }
    exhausted(http::Response::from_parts(parts, reply))
}

/// Replaces the status `OutOfRange` by `ResourceExhausted`, the code of other gRPC servers for a
/// message over the limit. No service here answers `OutOfRange` itself.
fn exhausted<B>(mut response: http::Response<B>) -> http::Response<B> {
    if let Some(code) = response.headers_mut().get_mut("grpc-status")
        && *code == "11"
    {
        *code = http::HeaderValue::from_static("8");
    }
    response
}

/// The body of a request, with a time limit until it is complete and a scan of its messages.
struct RequestBody {
    body: Body,
    peer: Arc<Peer>,
    ticket: Arc<Ticket>,
    messages: Messages,
    /// Bytes so far.
    bytes: usize,
    /// The time limit, once the body was waited for.
    pending: Option<(Held, Pin<Box<Sleep>>)>,
    is_complete: bool,
}

impl RequestBody {
    fn new(body: Body, peer: &Arc<Peer>, ticket: Arc<Ticket>) -> Self {
        Self {
            body,
            peer: Arc::clone(peer),
            ticket,
            messages: Messages::default(),
            bytes: 0,
            pending: None,
            is_complete: false,
        }
    }

    /// Checks and counts further bytes of the request.
    fn check(&mut self, data: &[u8]) -> Result<()> {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > SMALL
            && let Ok(mut request) = self.ticket.request.lock()
        {
            request
                .get_or_insert_with(|| Held::request(&self.peer))
                .grow(data.len())?;
        }
        self.messages.feed(data)
    }

    /// Waits for further bytes, for a limited time.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.is_complete {
            return Poll::Pending;
        }
        if self.pending.is_none() {
            match self.peer.hold(Kind::Pending) {
                Ok(held) => self.pending = Some((held, Box::pin(sleep(REQUEST_TIME)))),
                Err(error) => return Poll::Ready(error),
            }
        }
        if let Some((_, time)) = &mut self.pending {
            ready!(time.as_mut().poll(cx));
        }
        let message = format!("the request was not complete after {REQUEST_TIME:?}");
        Poll::Ready(Error::new(Code::DeadlineExceeded, message))
    }
}

impl HttpBody for RequestBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let polled = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(polled) => polled,
            Poll::Pending => {
                let error = ready!(self.wait(cx));
                self.is_complete = true;
                self.pending = None;
                return Poll::Ready(Some(Err(error.into())));
            }
        };
        if let Some(Ok(frame)) = &polled
            && let Some(data) = frame.data_ref()
            && let Err(error) = self.check(data)
        {
            return Poll::Ready(Some(Err(error.into())));
        }
        if polled.is_none() || self.body.is_end_stream() {
            self.is_complete = true;
            self.pending = None;
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// Splits a body into its messages and scans the long ones.
#[derive(Debug, Default)]
struct Messages {
    prefix: [u8; PREFIX],
    /// Bytes of the prefix so far.
    filled: usize,
    /// Bytes of the message that are missing.
    missing: usize,
    scan: Option<Box<MessageScan>>,
}

/// The scan of one message.
#[derive(Debug)]
enum MessageScan {
    Plain(Scan),
    Gzip(Box<GzDecoder<Decompressed>>),
}

/// The end of the decompression, which scans what comes.
#[derive(Debug, Default)]
struct Decompressed {
    scan: Scan,
    bytes: usize,
    /// The error of the scan.
    error: Option<Error>,
}

impl io::Write for Decompressed {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.bytes = self.bytes.saturating_add(data.len());
        if self.bytes > MAX_GRPC_MESSAGE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.scan.feed(data).map_err(|error| {
            self.error = Some(error);
            io::Error::from(io::ErrorKind::InvalidData)
        })?;
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MessageScan {
    /// Begins the scan of a message of this length, if it needs one. A compressed message of any
    /// length does.
    fn new(is_compressed: bool, length: usize) -> Option<Box<Self>> {
        if is_compressed {
            Some(Box::new(Self::Gzip(Box::new(GzDecoder::new(
                Decompressed::default(),
            )))))
        } else {
            (length > UNSCANNED).then(|| Box::new(Self::Plain(Scan::default())))
        }
    }

    /// Walks the next bytes. Returns whether later ones are walked, too: what is no gzip or too
    /// long is left to the library, which refuses it.
    fn feed(&mut self, bytes: &[u8]) -> Result<bool> {
        match self {
            Self::Plain(scan) => scan.feed(bytes).map(|()| true),
            Self::Gzip(decoder) => match decoder.write_all(bytes) {
                Ok(()) => Ok(true),
                Err(_) => decoder.get_mut().error.take().map_or(Ok(false), Err),
            },
        }
    }
}

impl Messages {
    fn feed(&mut self, mut data: &[u8]) -> Result<()> {
        while !data.is_empty() {
            if self.filled < PREFIX {
                let count = data.len().min(PREFIX - self.filled);
                self.prefix[self.filled..][..count].copy_from_slice(&data[..count]);
                self.filled += count;
                data = &data[count..];
                if self.filled == PREFIX {
                    let [flag, l0, l1, l2, l3] = self.prefix;
                    self.missing = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
                    self.scan = MessageScan::new(flag != 0, self.missing);
                }
            } else {
                let (now, later) = data.split_at(data.len().min(self.missing));
                if let Some(scan) = &mut self.scan
                    && !scan.feed(now)?
                {
                    self.scan = None;
                }
                self.missing -= now.len();
                data = later;
            }
            if self.filled == PREFIX && self.missing == 0 {
                self.filled = 0;
            }
        }
        Ok(())
    }
}

/// The begin of a reply, if it was read ahead.
enum First {
    Unread,
    Frame(Frame<Bytes>),
    End,
}

/// The body of a reply, whose bytes count until the peer has taken them.
pub(super) struct ReplyBody {
    first: First,
    rest: Body,
    /// The peer, unless the bytes do not count.
    peer: Option<Arc<Peer>>,
    /// The count of a short message.
    reply: Option<Reply>,
    _ticket: Option<Arc<Ticket>>,
}

impl ReplyBody {
    /// Returns a body whose bytes do not count: it has none, or the connection is unknown.
    fn unbounded(body: Body) -> Self {
        Self {
            first: First::Unread,
            rest: body,
            peer: None,
            reply: None,
            _ticket: None,
        }
    }

    /// Counts the bytes of a message.
    fn count(&mut self, peer: &Arc<Peer>, data: Bytes) -> Result<Bytes> {
        let reply = peer.reply(data.len())?;
        if data.len() < OWNED {
            self.reply = Some(reply);
            return Ok(data);
        }
        Ok(Bytes::from_owner(Counted {
            data,
            _reply: reply,
        }))
    }
}

/// Bytes of a reply with their count.
struct Counted {
    data: Bytes,
    _reply: Reply,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl HttpBody for ReplyBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        match std::mem::replace(&mut self.first, First::Unread) {
            First::Unread => {}
            First::Frame(frame) => return Poll::Ready(Some(Ok(frame))),
            First::End => return Poll::Ready(None),
        }
        let frame = match ready!(Pin::new(&mut self.rest).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            end => return Poll::Ready(end),
        };
        let Some(peer) = self.peer.clone() else {
            return Poll::Ready(Some(Ok(frame)));
        };
        let counted = match frame.into_data() {
            Ok(data) => self
                .count(&peer, data)
                .map(Frame::data)
                .map_err(Status::from),
            Err(trailers) => Ok(trailers),
        };
        Poll::Ready(Some(counted))
    }

    fn is_end_stream(&self) -> bool {
        match &self.first {
            First::Unread => self.rest.is_end_stream(),
            First::Frame(_) => false,
            First::End => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounds::Bounds;
    use super::super::limits::{Limit, Limits};
    use super::*;
    use futures::future::{Ready, ready as now};
    use std::collections::VecDeque;

    /// A body of these pieces, complete or not.
    struct Pieces {
        pieces: VecDeque<Vec<u8>>,
        is_complete: bool,
    }

    impl HttpBody for Pieces {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            match self.pieces.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece.into())))),
                None if self.is_complete => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    fn body(pieces: Vec<Vec<u8>>, is_complete: bool) -> Body {
        Body::new(Pieces {
            pieces: pieces.into(),
            is_complete,
        })
    }

    fn peer(calls: usize, waits: usize) -> Arc<Peer> {
        let limits = Limits {
            in_flight: Limit::new(calls, "calls"),
            waits: Limit::new(waits, "waits"),
            ..Limits::default()
        };
        Bounds::new(&limits).peer(None, None)
    }

    fn request(peer: &Arc<Peer>, path: &str, body: Body) -> http::Request<Body> {
        let mut request = http::Request::new(body);
        *request.uri_mut() = path.parse().unwrap();
        request.extensions_mut().insert(Arc::clone(peer));
        request
    }

    async fn next<B: HttpBody + Unpin>(body: &mut B) -> Option<Result<Frame<B::Data>, B::Error>> {
        std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await
    }

    /// A service that answers each call with so many bytes, without reading the request.
    #[derive(Clone)]
    struct Answer(usize);

    impl Service<http::Request<Body>> for Answer {
        type Response = http::Response<Body>;
        type Error = std::convert::Infallible;
        type Future = Ready<Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<Body>) -> Self::Future {
            now(Ok(http::Response::new(body(vec![vec![7; self.0]], true))))
        }
    }

    fn code(response: &http::Response<ReplyBody>) -> tonic::Code {
        Status::from_header_map(response.headers()).map_or(tonic::Code::Ok, |s| s.code())
    }

    async fn call(peer: &Arc<Peer>, path: &str, bytes: usize) -> http::Response<ReplyBody> {
        let request = request(peer, path, body(Vec::new(), true));
        Bounded(Answer(bytes)).call(request).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_stays_incomplete_is_given_up_and_a_complete_one_is_not() {
        let peer = peer(4, 4);
        let ticket = || {
            Arc::new(Ticket {
                _call: peer.hold(Kind::Calls).unwrap(),
                request: std::sync::Mutex::default(),
            })
        };
        let half = vec![vec![0, 0, 0, 0, 9, 1]];
        let mut incomplete = RequestBody::new(body(half.clone(), false), &peer, ticket());
        next(&mut incomplete).await.unwrap().unwrap();
        let status = next(&mut incomplete).await.unwrap().unwrap_err();
        assert_eq!(status.code(), tonic::Code::DeadlineExceeded, "{status}");

        let mut complete = RequestBody::new(body(half, true), &peer, ticket());
        next(&mut complete).await.unwrap().unwrap();
        assert!(next(&mut complete).await.is_none());
    }

    #[tokio::test]
    async fn a_long_message_with_too_many_fields_is_refused_in_any_pieces() {
        let message = [0x12, 0].repeat(200_000);
        let mut sent = vec![0];
        sent.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        sent.extend(message);
        let short = [&[0, 0, 0, 0, 4][..], &[0x12, 0, 0x12, 0]].concat();
        for size in [1_000, 65_536, sent.len()] {
            let mut messages = Messages::default();
            messages.feed(&short).unwrap();
            let fed = sent.chunks(size).try_for_each(|piece| messages.feed(piece));
            assert_eq!(fed.unwrap_err().code(), Code::ResourceExhausted);
        }
    }

    fn compressed(message: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(message).unwrap();
        let message = encoder.finish().unwrap();
        let mut sent = vec![1];
        sent.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
        sent.extend(message);
        sent
    }

    #[test]
    fn a_compressed_message_is_scanned_as_it_is_decompressed() {
        let many = compressed(&[0x12, 0].repeat(200_000));
        assert!(many.len() < 1_000);
        let few = compressed(&[0x12, 0].repeat(1_000));
        // The library refuses these two by itself.
        let long = compressed(&vec![0; MAX_GRPC_MESSAGE + 1]);
        let invalid = [&[1, 0, 0, 0, 4][..], b"text"].concat();
        for size in [1, 100, 1 << 20] {
            let fed = |sent: &[u8]| {
                let mut messages = Messages::default();
                sent.chunks(size).try_for_each(|piece| messages.feed(piece))
            };
            assert_eq!(fed(&many).unwrap_err().code(), Code::ResourceExhausted);
            for passed in [&few, &long, &invalid] {
                fed(passed).unwrap();
            }
        }
    }

    #[tokio::test]
    async fn a_call_counts_until_its_reply_is_on_the_way() {
        let peer = peer(2, 2);
        let reply = call(&peer, "/a.Service/Get", 10).await;
        assert_eq!(code(&reply), tonic::Code::Ok);
        let refused = call(&peer, "/a.Service/Get", 10).await;
        assert_eq!(code(&refused), tonic::Code::ResourceExhausted);
        let wait = call(&peer, WAITS[0], 10).await;
        assert_eq!(code(&wait), tonic::Code::Ok);
        drop(reply);
        assert_eq!(
            code(&call(&peer, "/a.Service/Get", 10).await),
            tonic::Code::Ok
        );
    }

    #[tokio::test]
    async fn a_call_waits_while_replies_are_left_and_runs_once_they_are_taken() {
        let peer = peer(100, 100);
        let mut left = vec![
            call(&peer, "/a.Service/List", 9 << 20).await,
            call(&peer, "/a.Service/List", 9 << 20).await,
        ];
        let waiting = call(&peer, "/a.Service/List", 9 << 20);
        tokio::pin!(waiting);
        assert!(futures::poll!(&mut waiting).is_pending());
        // The bytes hold the count, wherever they are.
        let mut body = left.pop().unwrap().into_body();
        let taken = next(&mut body).await;
        drop(body);
        assert!(futures::poll!(&mut waiting).is_pending());
        drop(taken);
        assert_eq!(code(&waiting.await), tonic::Code::Ok);
    }
}
