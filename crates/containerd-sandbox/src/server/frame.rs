//! Checks the frames of a ttrpc connection.
//!
//! A frame is a header of 10 bytes (payload length, stream id, type, flags) and the payload
//! (containerd/ttrpc `PROTOCOL.md`). The ttrpc library would answer or skip each invalid frame
//! and log each one. [`Guarded`] closes the connection at the first invalid frame, with one line
//! in the log. It also replaces each request that is to be refused, such as one that is too
//! long, by a request to the service of [`refusal`].

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tracing::warn;

use super::refusal::{self, Refused};

const HEADER_LEN: usize = ttrpc::proto::MESSAGE_HEADER_LENGTH;

/// The longest payload that is skipped if it is over the limit, in bytes. A header with a
/// greater length is invalid.
const MAX_SKIPPED: usize = 16 << 20;

/// The fields of a frame's header that are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Header {
    length: usize,
    stream: u32,
}

/// Parses a header. The error says why a client cannot have sent it.
fn check(header: [u8; HEADER_LEN]) -> Result<Header, String> {
    let [l0, l1, l2, l3, s0, s1, s2, s3, kind, _flags] = header;
    let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
    if length > MAX_SKIPPED {
        return Err(format!(
            "a frame of {length} bytes is far over the limit of {}",
            ttrpc::proto::MESSAGE_LENGTH_MAX
        ));
    }
    if s3.is_multiple_of(2) {
        return Err("a client's stream id must be odd".to_owned());
    }
    match kind {
        ttrpc::proto::MESSAGE_TYPE_REQUEST | ttrpc::proto::MESSAGE_TYPE_DATA => Ok(Header {
            length,
            stream: u32::from_be_bytes([s0, s1, s2, s3]),
        }),
        other => Err(format!("a client cannot send a frame of type {other}")),
    }
}

/// Position of a connection in its stream of frames.
#[derive(Debug)]
enum State {
    /// In a header of which this many bytes were received.
    Header([u8; HEADER_LEN], usize),
    /// After a header of which this many bytes were passed on, before a payload of this length.
    Give([u8; HEADER_LEN], usize, usize),
    /// In a payload of which this many bytes are missing.
    Payload(usize),
    /// In the payload of a refused frame, of which this many bytes are missing, before the frame
    /// that replaces it.
    Skip(usize, Vec<u8>),
    /// In a replacing frame of which this many bytes were passed on.
    Instead(Vec<u8>, usize),
    /// After the last byte that is passed on.
    End,
}

const BEFORE_HEADER: State = State::Header([0; HEADER_LEN], 0);

/// A connection with checks of its incoming frames.
pub(super) struct Guarded<S> {
    stream: S,
    state: State,
    /// The longest payload that is accepted, in bytes.
    max_message: usize,
    /// The reason why all frames are refused, if they are.
    refused: Refused,
}

impl<S> Guarded<S> {
    pub(super) fn new(stream: S, max_message: usize, refused: Refused) -> Self {
        Self {
            stream,
            state: BEFORE_HEADER,
            max_message: max_message.min(ttrpc::proto::MESSAGE_LENGTH_MAX),
            refused,
        }
    }

    /// Returns the reason to refuse a frame, if there is one.
    fn refusal(&self, header: Header) -> Option<String> {
        if header.length > self.max_message {
            return Some(format!(
                "a message of {} bytes is over the limit of {}",
                header.length, self.max_message
            ));
        }
        self.refused.0.as_deref().map(str::to_owned)
    }

    /// Returns the state after this header.
    fn after(&self, bytes: [u8; HEADER_LEN]) -> State {
        match check(bytes) {
            Err(reason) => {
                warn!("closed a ttrpc connection: {reason}");
                State::End
            }
            Ok(header) => match self.refusal(header) {
                Some(reason) => State::Skip(header.length, refusal::frame(header.stream, &reason)),
                None => State::Give(bytes, 0, header.length),
            },
        }
    }
}

impl<S: AsyncRead + Unpin> Guarded<S> {
    /// Reads at most `most` bytes and returns their number; 0 at the end.
    fn poll_some(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
        most: usize,
    ) -> Poll<io::Result<usize>> {
        let most = most.min(buf.remaining());
        let mut part = ReadBuf::new(buf.initialize_unfilled_to(most));
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut part))?;
        let read = part.filled().len();
        buf.advance(read);
        if read == 0 {
            if !matches!(self.state, State::Header(_, 0)) {
                warn!("closed a ttrpc connection: it ended inside a frame");
            }
            self.state = State::End;
        }
        Poll::Ready(Ok(read))
    }
}

/// Copies `bytes[from..]` into `buf` as far as there is room. Returns the index of the first
/// byte that is left, if any.
fn give(bytes: &[u8], from: usize, buf: &mut ReadBuf<'_>) -> Option<usize> {
    let to = from + buf.remaining().min(bytes.len() - from);
    buf.put_slice(&bytes[from..to]);
    (to < bytes.len()).then_some(to)
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            match &mut self.state {
                State::End => return Poll::Ready(Ok(())),
                State::Header(header, filled) => {
                    let (mut header, filled) = (*header, *filled);
                    let mut part = ReadBuf::new(&mut header[filled..]);
                    let read = ready!(self.poll_some(cx, &mut part, HEADER_LEN))?;
                    match filled + read {
                        _ if read == 0 => {}
                        HEADER_LEN => self.state = self.after(header),
                        filled => self.state = State::Header(header, filled),
                    }
                }
                State::Give(header, from, length) => {
                    self.state = match (give(header, *from, buf), *length) {
                        (Some(from), length) => State::Give(*header, from, length),
                        (None, 0) => BEFORE_HEADER,
                        (None, length) => State::Payload(length),
                    };
                    return Poll::Ready(Ok(()));
                }
                State::Payload(left) => {
                    let left = *left;
                    match ready!(self.poll_some(cx, buf, left))? {
                        0 => {}
                        read if read == left => self.state = BEFORE_HEADER,
                        read => self.state = State::Payload(left - read),
                    }
                    return Poll::Ready(Ok(()));
                }
                State::Skip(0, instead) => {
                    self.state = State::Instead(std::mem::take(instead), 0);
                }
                State::Skip(left, _) => {
                    let most = *left;
                    let mut scratch = [0; 4096];
                    let mut part = ReadBuf::new(&mut scratch);
                    let read = ready!(self.poll_some(cx, &mut part, most))?;
                    if let State::Skip(left, _) = &mut self.state {
                        *left -= read;
                    }
                }
                State::Instead(frame, from) => {
                    match give(frame, *from, buf) {
                        Some(rest) => *from = rest,
                        None => self.state = BEFORE_HEADER,
                    }
                    return Poll::Ready(Ok(()));
                }
            }
        }
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
    use super::super::fuzzed::Cut;
    use super::*;
    use proptest::prelude::*;
    use tokio::io::AsyncReadExt;

    const MAX_MESSAGE: usize = 6_000;

    fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(stream.to_be_bytes());
        bytes.extend([kind, 0]);
        bytes.extend(payload);
        bytes
    }

    fn through_cut(bytes: &[u8], lengths: &[usize], refused: Refused) -> Vec<u8> {
        let mut guarded = Guarded::new(Cut::new(bytes, lengths), MAX_MESSAGE, refused);
        let mut out = Vec::new();
        futures::executor::block_on(guarded.read_to_end(&mut out)).unwrap();
        out
    }

    fn through(bytes: &[u8]) -> Vec<u8> {
        through_cut(bytes, &[], Refused::default())
    }

    #[test]
    fn valid_frames_pass_unchanged() {
        let mut bytes = frame(1, 1, b"hello");
        bytes.extend(frame(3, 3, b""));
        bytes.extend(frame(5, 1, &[7; MAX_MESSAGE]));
        assert_eq!(through(&bytes), bytes);
    }

    #[test]
    fn a_huge_length_an_even_stream_or_an_unknown_type_ends_the_connection() {
        let mut over_long = frame(1, 1, b"");
        over_long[0] = 0xff;
        for broken in [over_long, frame(2, 1, b""), frame(1, 9, b"")] {
            assert_eq!(through(&broken), b"");
        }
    }

    #[test]
    fn a_request_over_the_limit_is_replaced_by_a_refused_one() {
        let before = frame(1, 1, b"before");
        let after = frame(5, 1, b"after");
        let bytes = [&before[..], &frame(3, 1, &[7; MAX_MESSAGE + 1]), &after].concat();
        let reason = "a message of 6001 bytes is over the limit of 6000";
        let expected = [&before[..], &refusal::frame(3, reason), &after].concat();
        assert_eq!(through(&bytes), expected);
    }

    #[test]
    fn all_frames_of_a_refused_connection_are_replaced() {
        let bytes = [frame(1, 1, b"one"), frame(3, 1, b"")].concat();
        let expected = [refusal::frame(1, "full"), refusal::frame(3, "full")].concat();
        let refused = Refused(Some("full".into()));
        assert_eq!(through_cut(&bytes, &[], refused), expected);
    }

    proptest! {
        #[test]
        fn the_sizes_of_reads_do_not_matter(
            lengths in proptest::collection::vec(0..10_000usize, 1..5),
            cuts in proptest::collection::vec(1usize..300, 1..20),
        ) {
            let payloads = lengths.iter().map(|length| vec![7; *length]);
            let bytes: Vec<u8> = payloads.flat_map(|p| frame(1, 1, &p)).collect();
            prop_assert_eq!(through_cut(&bytes, &cuts, Refused::default()), through(&bytes));
        }

        #[test]
        fn garbage_never_panics(
            bytes in proptest::collection::vec(any::<u8>(), 0..200),
            cuts in proptest::collection::vec(1usize..30, 1..20),
        ) {
            through_cut(&bytes, &cuts, Refused::default());
        }
    }
}
