//! Entry points for fuzzing into private code.

use std::io;
use std::iter::Cycle;
use std::pin::Pin;
use std::slice::Iter;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::accept::Protocol;
use super::authority::Lenient;
use super::frame::Guarded;
use super::limits::MAX_GRPC_MESSAGE;
use super::refusal::Refused;

/// A reader that returns bytes in pieces of given lengths, which repeat.
#[derive(Debug)]
pub struct Cut<'a> {
    bytes: &'a [u8],
    lengths: Cycle<Iter<'a, usize>>,
}

impl<'a> Cut<'a> {
    /// Creates a reader. Without lengths, each read fills the buffer.
    pub fn new(bytes: &'a [u8], lengths: &'a [usize]) -> Self {
        Self {
            bytes,
            lengths: lengths.iter().cycle(),
        }
    }
}

impl AsyncRead for Cut<'_> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let length = self.lengths.next().copied().unwrap_or(usize::MAX);
        let length = length.min(buf.remaining()).min(self.bytes.len());
        let (now, later) = self.bytes.split_at(length);
        buf.put_slice(now);
        self.bytes = later;
        Poll::Ready(Ok(()))
    }
}

/// Returns the bytes that reach the ttrpc library when a peer sends `sent` and each read
/// returns at most `cut` bytes; none if the first bytes are no ttrpc.
pub fn connection(sent: &[u8], cut: usize) -> Vec<u8> {
    let mut through = Vec::new();
    if Protocol::of(sent) == Protocol::Ttrpc {
        let lengths = [cut];
        let mut guarded = Guarded::new(
            Cut::new(sent, &lengths),
            MAX_GRPC_MESSAGE,
            Refused::default(),
        );
        // A read from memory does not fail.
        let _ = futures::executor::block_on(guarded.read_to_end(&mut through));
    }
    through
}

/// Returns the bytes that reach the HTTP/2 library when a peer sends `sent` and each read returns
/// at most `cut` bytes.
pub fn grpc_connection(sent: &[u8], cut: usize) -> Vec<u8> {
    let mut through = Vec::new();
    let lengths = [cut];
    let mut lenient = Lenient::new(Cut::new(sent, &lengths));
    // A read from memory does not fail.
    let _ = futures::executor::block_on(lenient.read_to_end(&mut through));
    through
}
