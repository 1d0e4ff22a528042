//! A stream that notes the moments at which messages pass.

use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::Wire;
use super::frames::{Frames, Passed, Protocol};

/// A stream that notes when requests are written and replies arrive.
///
/// A request counts as written at the call of `write` that takes its last byte: later, after the
/// return from the kernel, the server may have replied already. A reply has arrived when the
/// runtime hears from the kernel that the stream is readable. If more than one reply is read
/// after that, the others may have arrived later and count from the return of `read`.
#[derive(Debug)]
pub(crate) struct Stamped<S> {
    inner: S,
    wire: Wire,
    requests: Frames,
    replies: Frames,
    arrival: Arc<Arrival>,
    /// Waker of `arrival`.
    waker: Waker,
}

/// Moment at which the reader was woken, and the waker of the reader.
#[derive(Debug, Default)]
struct Arrival(Mutex<(Option<Instant>, Option<Waker>)>);

impl Wake for Arrival {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0.get_or_insert_with(Instant::now);
        let waker = state.1.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Arrival {
    /// Returns the moment at which the reader was woken and forgets it. The next moment wakes
    /// `waker`.
    fn take(&self, waker: &Waker) -> Option<Instant> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !state.1.as_ref().is_some_and(|known| known.will_wake(waker)) {
            state.1 = Some(waker.clone());
        }
        state.0.take()
    }
}

impl<S> Stamped<S> {
    /// Wraps a connected stream.
    pub(crate) fn new(inner: S, protocol: Protocol, wire: Wire) -> Self {
        let arrival = Arc::new(Arrival::default());
        Self {
            inner,
            wire,
            requests: Frames::of_requests(protocol),
            replies: Frames::of_replies(protocol),
            waker: Waker::from(Arc::clone(&arrival)),
            arrival,
        }
    }

    fn wrote(&mut self, bytes: &[u8], at: Instant) {
        let wire = &self.wire;
        self.requests.pass(bytes, |passed| {
            if let Passed::End(stream) = passed {
                wire.written(stream, at);
            }
        });
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stamped<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = self.get_mut();
        let mut woken = this.arrival.take(cx.waker());
        let before = buf.filled().len();
        let mut cx = Context::from_waker(&this.waker);
        let read = Pin::new(&mut this.inner).poll_read(&mut cx, buf);
        if read.is_ready() {
            let bytes = buf.filled().get(before..).unwrap_or_default();
            let (wire, mut now) = (&this.wire, None);
            this.replies.pass(bytes, |passed| {
                if let Passed::Header(stream) = passed {
                    let read = || *now.get_or_insert_with(Instant::now);
                    let at = woken.take().unwrap_or_else(read);
                    wire.read(stream, at);
                }
            });
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stamped<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let at = Instant::now();
        let wrote = Pin::new(&mut this.inner).poll_write(cx, buf);
        if let Poll::Ready(Ok(length)) = wrote {
            this.wrote(buf.get(..length).unwrap_or(buf), at);
        }
        wrote
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let this = self.get_mut();
        let at = Instant::now();
        let wrote = Pin::new(&mut this.inner).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(mut length)) = wrote {
            for buf in bufs {
                let taken = length.min(buf.len());
                this.wrote(&buf[..taken], at);
                length -= taken;
            }
        }
        wrote
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
