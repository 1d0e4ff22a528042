//! Frames of HTTP/2 (RFC 9113, sections 4.1, 6.2 and 6.10).

/// The length of a frame's header, in bytes.
pub(super) const HEADER_LEN: usize = 9;

/// The longest payload of a frame, in bytes: the default of `SETTINGS_MAX_FRAME_SIZE`, which the
/// server does not raise.
pub(super) const MAX_PAYLOAD: usize = 1 << 14;

const HEADERS: u8 = 0x1;
const CONTINUATION: u8 = 0x9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Length of the fields of the flag PRIORITY, in bytes.
const PRIORITY_LEN: usize = 5;

/// The header of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// Length of the payload, in bytes.
    pub(super) length: usize,
    kind: u8,
    flags: u8,
    pub(super) stream: u32,
}

impl Header {
    /// Parses a header. Every sequence of bytes is one.
    pub(super) fn parse(bytes: [u8; HEADER_LEN]) -> Self {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = bytes;
        Self {
            length: u32::from_be_bytes([0, l0, l1, l2]) as usize,
            kind,
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        }
    }

    /// Returns whether the frame begins a header block.
    pub(super) fn begins_block(self) -> bool {
        self.kind == HEADERS
    }

    /// Returns whether the frame continues the header block of `stream`.
    pub(super) fn continues_block(self, stream: u32) -> bool {
        self.kind == CONTINUATION && self.stream == stream
    }

    /// Returns whether the frame is the last of its header block.
    pub(super) fn ends_block(self) -> bool {
        self.flags & END_HEADERS != 0
    }

    /// Returns whether the frame is the last of its stream.
    pub(super) fn ends_stream(self) -> bool {
        self.flags & END_STREAM != 0
    }

    /// Returns the fragment of the header block in the payload of a frame, without padding and
    /// priority; `None` if they do not fit into the payload.
    pub(super) fn fragment(self, payload: &[u8]) -> Option<&[u8]> {
        if self.kind == CONTINUATION {
            return Some(payload);
        }
        let mut fragment = payload;
        let mut padding = 0;
        if self.flags & PADDED != 0 {
            let (length, rest) = fragment.split_first()?;
            (padding, fragment) = (usize::from(*length), rest);
        }
        if self.flags & PRIORITY != 0 {
            fragment = fragment.get(PRIORITY_LEN..)?;
        }
        fragment.get(..fragment.len().checked_sub(padding)?)
    }
}

/// Appends the frames of a header block to `out`: one frame HEADERS and as many CONTINUATION as
/// the block needs.
pub(super) fn put_block(stream: u32, ends_stream: bool, block: &[u8], out: &mut Vec<u8>) {
    let mut parts = block.chunks(MAX_PAYLOAD).peekable();
    let mut kind = HEADERS;
    let mut flags = if ends_stream { END_STREAM } else { 0 };
    loop {
        let part = parts.next().unwrap_or_default();
        if parts.peek().is_none() {
            flags |= END_HEADERS;
        }
        // A chunk is at most MAX_PAYLOAD bytes long, which needs two of the three bytes.
        let length = u16::try_from(part.len()).unwrap_or(0).to_be_bytes();
        out.extend([0, length[0], length[1], kind, flags]);
        out.extend(stream.to_be_bytes());
        out.extend(part);
        if flags & END_HEADERS != 0 {
            return;
        }
        (kind, flags) = (CONTINUATION, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(length: u8, kind: u8, flags: u8) -> Header {
        Header::parse([0, 0, length, kind, flags, 0x80, 0, 0, 7])
    }

    #[test]
    fn the_fields_of_a_header_are_read() {
        let header = Header::parse([1, 2, 3, 1, 5, 0xff, 0, 0, 9]);
        assert_eq!((header.length, header.stream), (0x01_02_03, 0x7f00_0009));
        assert!(header.begins_block() && header.ends_block() && header.ends_stream());
        assert!(!header.continues_block(0x7f00_0009));
        assert!(Header::parse([0, 0, 0, 9, 0, 0, 0, 0, 3]).continues_block(3));
        assert!(!Header::parse([0, 0, 0, 9, 0, 0, 0, 0, 3]).continues_block(5));
    }

    #[test]
    fn padding_and_priority_are_no_part_of_the_fragment() {
        let cases = [
            (0, &b"abc"[..], Some(&b"abc"[..])),
            (PADDED, b"\x02abc..", Some(b"abc")),
            (PRIORITY, b"12345abc", Some(b"abc")),
            (PADDED | PRIORITY, b"\x0112345abc.", Some(b"abc")),
            (PADDED, b"\x03abc", Some(b"")),
            (PADDED, b"\x04abc", None),
            (PADDED, b"", None),
            (PRIORITY, b"1234", None),
            (PADDED | PRIORITY, b"\x0112345", None),
        ];
        for (flags, payload, fragment) in cases {
            let length = u8::try_from(payload.len()).unwrap();
            assert_eq!(header(length, HEADERS, flags).fragment(payload), fragment);
        }
        // CONTINUATION has neither, whatever its flags are.
        let continuation = header(3, CONTINUATION, PADDED | PRIORITY);
        assert_eq!(continuation.fragment(b"abc"), Some(&b"abc"[..]));
    }

    #[test]
    fn a_long_block_is_split_at_the_frame_size() {
        for (length, frames) in [
            (0, 1),
            (1, 1),
            (MAX_PAYLOAD, 1),
            (MAX_PAYLOAD + 1, 2),
            (3 * MAX_PAYLOAD, 3),
        ] {
            let block: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut out = Vec::new();
            put_block(5, true, &block, &mut out);
            let (mut rest, mut joined, mut count) = (&out[..], Vec::new(), 0);
            while let Some((bytes, after)) = rest.split_first_chunk() {
                let header = Header::parse(*bytes);
                assert_eq!(header.begins_block(), count == 0);
                assert_eq!(header.ends_stream(), count == 0);
                assert_eq!(header.continues_block(5), count > 0);
                count += 1;
                assert_eq!(header.ends_block(), count == frames);
                let (payload, after) = after.split_at(header.length);
                joined.extend(header.fragment(payload).unwrap());
                rest = after;
            }
            assert_eq!((count, joined), (frames, block));
        }
    }
}
