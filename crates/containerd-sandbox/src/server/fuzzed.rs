//! What is private here and is fuzzed, for those who do that.

use std::io;
use std::iter::Cycle;
use std::pin::Pin;
use std::slice::Iter;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::frame::Guarded;
use super::listener::{MAX_GRPC_MESSAGE, Protocol};
use super::refusal::Refused;

/// Gives bytes in pieces of these lengths, by turns.
#[derive(Debug)]
pub struct Cut<'a> {
    bytes: &'a [u8],
    lengths: Cycle<Iter<'a, usize>>,
}

impl<'a> Cut<'a> {
    /// With no lengths, as many as are asked for.
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

/// What of a connection that says this, read in pieces of at most `cut` bytes, reaches the
/// ttrpc library; nothing if it speaks something else.
pub fn connection(said: &[u8], cut: usize) -> Vec<u8> {
    let mut through = Vec::new();
    if Protocol::of(said) == Protocol::Ttrpc {
        let lengths = [cut];
        let mut guarded = Guarded::new(
            Cut::new(said, &lengths),
            MAX_GRPC_MESSAGE,
            Refused::default(),
        );
        // Reading from memory does not fail.
        let _ = futures::executor::block_on(guarded.read_to_end(&mut through));
    }
    through
}
