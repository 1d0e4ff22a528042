//! A stream of a client.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::headers::Headers;
use crate::limits::MAX_OUTPUT_BYTES;
use crate::state::Shared;

/// A stream that a client opened. Its reader ends when the client ends its side, or the whole
/// connection ends. Its writer ends the server's side when it is shut down. Dropping the stream
/// does so, too, and ignores what the client still sends.
pub struct Stream {
    id: u32,
    headers: Headers,
    shared: Shared,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream")
            .field("id", &self.id)
            .field("headers", &self.headers)
            .finish_non_exhaustive()
    }
}

impl Stream {
    pub(crate) fn new(id: u32, headers: Headers, shared: Shared) -> Self {
        Self {
            id,
            headers,
            shared,
        }
    }

    /// Returns the stream's number, which is odd and larger than that of earlier streams.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Returns the headers with which the client opened the stream.
    pub fn headers(&self) -> &Headers {
        &self.headers
    }

    /// Tells the client that the stream is given up.
    pub fn reset(self) {
        let mut state = self.shared.lock();
        state.machine.reset(self.id);
        state.wake_driver();
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        let Some(inbox) = state.inboxes.get_mut(&self.id) else {
            return Poll::Ready(Ok(()));
        };
        if inbox.bytes.is_empty() {
            if inbox.is_reset {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            if inbox.is_ended {
                return Poll::Ready(Ok(()));
            }
            inbox.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let (bytes, _) = inbox.bytes.as_slices();
        let count = bytes.len().min(buffer.remaining());
        buffer.put_slice(&bytes[..count]);
        inbox.bytes.drain(..count);
        state.unread = state.unread.saturating_sub(count);
        state.machine.consume(self.id, count);
        state.wake_driver();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let broken = || Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        let mut state = self.shared.lock();
        if state.is_over {
            return broken();
        }
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let is_full = state.machine.output().len() >= MAX_OUTPUT_BYTES;
        let sent = if is_full {
            Some(0)
        } else {
            state.machine.send(self.id, bytes)
        };
        match sent {
            None => broken(),
            Some(0) => {
                if let Some(inbox) = state.inboxes.get_mut(&self.id) {
                    inbox.writer = Some(context.waker().clone());
                }
                Poll::Pending
            }
            Some(count) => {
                state.wake_driver();
                Poll::Ready(Ok(count))
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut state = self.shared.lock();
        state.machine.finish(self.id);
        state.wake_driver();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.machine.finish(self.id);
        if let Some(inbox) = state.inboxes.remove(&self.id) {
            state.unread = state.unread.saturating_sub(inbox.bytes.len());
            state.machine.consume(self.id, inbox.bytes.len());
        }
        state.wake_driver();
    }
}
