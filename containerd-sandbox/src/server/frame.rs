//! Closes a ttrpc connection whose bytes are no ttrpc, with one line in the log.
//!
//! A frame is a 10-byte header (payload length, stream id, type, flags) and the
//! payload (containerd/ttrpc `PROTOCOL.md`). The library would answer or skip
//! broken frames one by one, and log each: a peer that talks nonsense is not
//! worth that.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::warn;

const HEADER_LEN: usize = ttrpc::proto::MESSAGE_HEADER_LENGTH;

/// Follows the frames in a stream of bytes.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER_LEN],
    /// How many bytes of the header are in.
    filled: usize,
    /// How many payload bytes are still to come.
    payload_left: usize,
}

impl Frames {
    fn push(&mut self, mut bytes: &[u8]) -> Result<(), String> {
        while !bytes.is_empty() {
            let skip = self.payload_left.min(bytes.len());
            self.payload_left -= skip;
            bytes = &bytes[skip..];
            let take = (HEADER_LEN - self.filled).min(bytes.len());
            self.header[self.filled..self.filled + take].copy_from_slice(&bytes[..take]);
            self.filled += take;
            bytes = &bytes[take..];
            if self.filled == HEADER_LEN {
                self.payload_left = check(self.header)?;
                self.filled = 0;
            }
        }
        Ok(())
    }

    fn between_frames(&self) -> bool {
        self.filled == 0 && self.payload_left == 0
    }
}

/// The payload's length, if a client may send such a header.
fn check(header: [u8; HEADER_LEN]) -> Result<usize, String> {
    let [l0, l1, l2, l3, .., s3, kind, _flags] = header;
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if length > ttrpc::proto::MESSAGE_LENGTH_MAX {
        return Err(format!(
            "a frame of {length} bytes is over the limit of {}",
            ttrpc::proto::MESSAGE_LENGTH_MAX
        ));
    }
    if s3.is_multiple_of(2) {
        return Err("a client's stream id must be odd".to_owned());
    }
    match kind {
        ttrpc::proto::MESSAGE_TYPE_REQUEST | ttrpc::proto::MESSAGE_TYPE_DATA => Ok(length),
        other => Err(format!("a client cannot send a frame of type {other}")),
    }
}

/// A connection whose incoming frames are checked.
pub(super) struct Guarded<S> {
    stream: S,
    frames: Frames,
    ended: bool,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            frames: Frames::default(),
            ended: false,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let new = &buf.filled()[before..];
        if new.is_empty() && buf.remaining() > 0 {
            self.ended = true;
            if !self.frames.between_frames() {
                warn!("closed a ttrpc connection: it ended inside a frame");
            }
        } else if let Err(reason) = self.frames.push(new) {
            warn!("closed a ttrpc connection: {reason}");
            self.ended = true;
            buf.set_filled(before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
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
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(stream.to_be_bytes());
        bytes.extend([kind, 0]);
        bytes.extend(payload);
        bytes
    }

    async fn through(bytes: &[u8]) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(1 << 20);
        client.write_all(bytes).await.unwrap();
        drop(client);
        let mut out = Vec::new();
        Guarded::new(server).read_to_end(&mut out).await.unwrap();
        out
    }

    #[tokio::test]
    async fn sound_frames_pass_unchanged() {
        let mut bytes = frame(1, 1, b"hello");
        bytes.extend(frame(3, 3, b""));
        bytes.extend(frame(5, 1, &[7; 5000]));
        assert_eq!(through(&bytes).await, bytes);
    }

    #[tokio::test]
    async fn an_over_long_frame_an_even_stream_or_a_strange_type_ends_the_connection() {
        let mut over_long = frame(1, 1, b"");
        over_long[0] = 0xff;
        for broken in [over_long, frame(2, 1, b""), frame(1, 9, b"")] {
            assert_eq!(through(&broken).await, b"");
        }
    }

    proptest! {
        #[test]
        fn the_way_bytes_are_cut_does_not_matter(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..5),
            cuts in proptest::collection::vec(1usize..30, 1..20),
        ) {
            let bytes: Vec<u8> = payloads.iter().flat_map(|p| frame(1, 1, p)).collect();
            let mut frames = Frames::default();
            let mut rest = &bytes[..];
            for cut in cuts.iter().cycle() {
                let (head, tail) = rest.split_at((*cut).min(rest.len()));
                prop_assert!(frames.push(head).is_ok());
                rest = tail;
                if rest.is_empty() { break; }
            }
            prop_assert!(frames.between_frames());
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Frames::default().push(&bytes);
        }
    }
}
