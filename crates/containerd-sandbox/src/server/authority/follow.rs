//! The position of a connection in its frames.

use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, ReadBuf};

use super::block;
use super::frame::{self, HEADER_LEN, Header, MAX_PAYLOAD};

/// The length of the connection preface (RFC 9113, section 3.4), in bytes.
const PREFACE_LEN: usize = 24;

/// The longest header block that is collected, in bytes, padding and frame headers included. The
/// server accepts lists of 16 KiB, and compression only makes them shorter.
const MAX_BLOCK: usize = 64 << 10;

/// Follows the frames of a connection, and replaces the authorities in its header blocks.
#[derive(Debug)]
pub(super) struct Follower {
    state: State,
    /// Bytes to return before any others, and the number of them that were returned.
    ready: Vec<u8>,
    returned: usize,
    /// The header block that is under way.
    block: Block,
    /// Whether an authority was replaced, so that later blocks need it, too.
    replaces: bool,
}

#[derive(Debug)]
enum State {
    /// Before so many bytes that are passed through: the preface, or a payload.
    Through(usize),
    /// In the header of a frame of which so many bytes were received.
    Header([u8; HEADER_LEN], usize),
    /// In the payload of a frame of a header block, of which so many bytes are missing.
    Payload(Header, usize),
    /// After the last byte that is of interest.
    Done,
}

const BEFORE_HEADER: State = State::Header([0; HEADER_LEN], 0);

/// A header block that is collected.
#[derive(Debug, Default)]
struct Block {
    /// All bytes as they were received, headers of frames included.
    raw: Vec<u8>,
    /// The index of the present payload in `raw`.
    payload: usize,
    /// The fragments of the frames so far.
    fragments: Vec<u8>,
    stream: u32,
    ends_stream: bool,
}

impl Default for Follower {
    fn default() -> Self {
        Self {
            state: State::Through(PREFACE_LEN),
            ready: Vec::new(),
            returned: 0,
            block: Block::default(),
            replaces: false,
        }
    }
}

impl Follower {
    /// Returns whether all further bytes are passed through, and none are held back.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done) && self.ready.is_empty()
    }

    /// Returns the capacity of all buffers, in bytes.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.ready.capacity() + self.block.raw.capacity() + self.block.fragments.capacity()
    }

    /// Reads from `stream` into `buf`, in which there is room; nothing at the end.
    pub(super) fn poll_read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            if !self.ready.is_empty() {
                self.give(buf);
                return Poll::Ready(Ok(()));
            }
            match self.state {
                State::Done => return Pin::new(stream).poll_read(cx, buf),
                State::Through(0) => self.state = BEFORE_HEADER,
                State::Through(left) => {
                    let most = left.min(buf.remaining());
                    let part = buf.initialize_unfilled_to(most);
                    let read = ready!(read_some(stream, cx, part))?;
                    buf.advance(read);
                    self.state = State::Through(left - read);
                    return Poll::Ready(Ok(()));
                }
                State::Header(mut header, filled) => {
                    let read = ready!(read_some(stream, cx, &mut header[filled..]))?;
                    if read == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    match filled + read {
                        HEADER_LEN => self.begin_frame(header),
                        filled => self.state = State::Header(header, filled),
                    }
                }
                State::Payload(header, left) if left > 0 => {
                    let mut chunk = [0; 4096];
                    let most = left.min(chunk.len());
                    let read = ready!(read_some(stream, cx, &mut chunk[..most]))?;
                    if read == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    self.block.raw.extend(&chunk[..read]);
                    self.state = State::Payload(header, left - read);
                }
                State::Payload(header, _) => self.end_frame(header),
            }
        }
    }

    /// Moves bytes of `ready` to `buf`.
    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let rest = &self.ready[self.returned..];
        let count = rest.len().min(buf.remaining());
        buf.put_slice(&rest[..count]);
        self.returned += count;
        if self.returned == self.ready.len() {
            self.ready = Vec::new();
            self.returned = 0;
        }
    }

    /// Looks at the header of a frame. A frame that belongs to no header block passes, as does a
    /// frame in the middle of a block that continues it not, or makes it too long, with all of the
    /// block before: the library ends the connection for them.
    fn begin_frame(&mut self, bytes: [u8; HEADER_LEN]) {
        let header = Header::parse(bytes);
        let is_first = self.block.raw.is_empty();
        let is_expected = if is_first {
            header.begins_block()
        } else {
            header.continues_block(self.block.stream)
        };
        let length = self.block.raw.len() + HEADER_LEN + header.length;
        if is_first {
            self.block.stream = header.stream;
            self.block.ends_stream = header.ends_stream();
        }
        self.block.raw.extend(bytes);
        if is_expected && header.length <= MAX_PAYLOAD && length <= MAX_BLOCK {
            self.block.payload = self.block.raw.len();
            self.state = State::Payload(header, header.length);
        } else {
            self.ready = mem::take(&mut self.block).raw;
            self.state = State::Through(header.length);
        }
    }

    /// Takes the fragment out of a complete frame, and replaces the authority in a complete block.
    /// An invalid block passes, and the library refuses it.
    fn end_frame(&mut self, header: Header) {
        self.state = BEFORE_HEADER;
        let Some(fragment) = header.fragment(&self.block.raw[self.block.payload..]) else {
            self.ready = mem::take(&mut self.block).raw;
            return;
        };
        self.block.fragments.extend(fragment);
        if !header.ends_block() {
            return;
        }
        let block = mem::take(&mut self.block);
        if let Some(replaced) = block::with_accepted_authority(&block.fragments) {
            self.replaces = true;
            let (stream, ends_stream) = (block.stream, block.ends_stream);
            frame::put_block(stream, ends_stream, &replaced, &mut self.ready);
            return;
        }
        self.ready = block.raw;
        if !self.replaces {
            self.state = State::Done;
        }
    }
}

/// Reads at most `into.len()` bytes and returns their number; 0 at the end.
fn read_some(
    stream: &mut (impl AsyncRead + Unpin),
    cx: &mut Context<'_>,
    into: &mut [u8],
) -> Poll<io::Result<usize>> {
    let mut part = ReadBuf::new(into);
    ready!(Pin::new(stream).poll_read(cx, &mut part))?;
    Poll::Ready(Ok(part.filled().len()))
}
