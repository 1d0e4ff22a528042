//! Serves gRPC clients whose `:authority` is no authority of a URI.
//!
//! A client of a Unix socket has no host to name. gRPC for Go, Node and .NET send `localhost`;
//! gRPC for C++, Python, Ruby and PHP send the path of the socket, percent-encoded, and gRPC for
//! Java sends the path as it is. The HTTP/2 library resets each stream with such an authority
//! (`PROTOCOL_ERROR`), before any service sees it.
//!
//! [`Lenient`] follows the frames of a connection up to its first header block (RFC 9113,
//! section 6). If the library accepts the authority of that block, the connection is passed
//! through unchanged from then on, at the cost of a branch for each read. Otherwise each refused
//! authority of the connection is replaced by a similar one that the library accepts: `block.rs`
//! finds it in the header blocks, `frame.rs` and `follow.rs` find the blocks in the frames. A client
//! that changes from a good authority to a bad one on one connection is not served.

mod block;
mod follow;
mod frame;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tonic::transport::server::Connected;

use follow::Follower;

/// A gRPC connection on which any authority is accepted.
#[derive(Debug)]
pub(super) struct Lenient<S> {
    stream: S,
    /// The position in the frames; `None` once they are passed through.
    follower: Option<Box<Follower>>,
}

impl<S> Lenient<S> {
    /// Takes over a connection before its first byte is read.
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            follower: Some(Box::default()),
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lenient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(follower) = &mut this.follower else {
            return Pin::new(&mut this.stream).poll_read(cx, buf);
        };
        ready!(follower.poll_read(&mut this.stream, cx, buf))?;
        if follower.is_done() {
            this.follower = None;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lenient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl<S: Connected> Connected for Lenient<S> {
    type ConnectInfo = S::ConnectInfo;

    fn connect_info(&self) -> S::ConnectInfo {
        self.stream.connect_info()
    }
}

#[cfg(test)]
mod tests;
