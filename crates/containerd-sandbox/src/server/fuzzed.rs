//! Entry points for fuzzing into private code.

use std::io;
use std::iter::Cycle;
use std::pin::Pin;
use std::slice::Iter;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::accept::Protocol;
use super::authority::Lenient;
use super::frame;
use crate::scan;

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

/// Returns the payloads that reach the ttrpc server when a peer sends `sent` and each read
/// returns at most `cut` bytes; none if the first bytes are no ttrpc. Long payloads are scanned.
///
/// # Errors
/// The kind of the error that ends the connection, after the payloads before it.
pub fn connection(sent: &[u8], cut: usize) -> (Vec<Vec<u8>>, Option<io::ErrorKind>) {
    let mut payloads = Vec::new();
    if Protocol::of(sent) != Protocol::Ttrpc {
        return (payloads, None);
    }
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
    else {
        return (payloads, None);
    };
    let lengths = [cut];
    let ended = runtime.block_on(async {
        let mut stream = Cut::new(sent, &lengths);
        while let Some(header) = frame::header(&mut stream).await? {
            let payload = frame::payload(&mut stream, header.length).await?;
            let mut scan = scan::Scan::default();
            // A message with too many fields is as good as another here.
            let _ = scan.feed(&payload);
            payloads.push(payload);
        }
        Ok::<(), io::Error>(())
    });
    (payloads, ended.err().map(|e| e.kind()))
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
