//! Finds the frames in the bytes of a connection, in pieces of any size.

/// Protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// ttrpc: a header of 10 bytes (length, stream id, type, flags), then the message.
    Ttrpc,
    /// HTTP/2: a header of 9 bytes (length, type, flags, stream id), then the payload (RFC 9113,
    /// section 4.1).
    Http2,
}

/// Length of the preface that an HTTP/2 client sends before its first frame (RFC 9113,
/// section 3.4).
const PREFACE: usize = 24;

/// Longest header of both protocols.
const LONGEST_HEADER: usize = 10;

/// Part of a message that has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// The header of a frame of this stream.
    Header(u32),
    /// The last byte of a frame of this stream.
    End(u32),
}

/// Frames of one direction of a connection.
#[derive(Debug)]
pub(super) struct Frames {
    protocol: Protocol,
    header: [u8; LONGEST_HEADER],
    /// Number of bytes of the header that have passed.
    have: usize,
    /// Number of bytes to pass before the next header.
    left: usize,
    /// Stream whose frame ends with these bytes; `None` for bytes of no message.
    stream: Option<u32>,
}

impl Protocol {
    fn header_len(self) -> usize {
        match self {
            Self::Ttrpc => 10,
            Self::Http2 => 9,
        }
    }

    /// Returns the length and the stream of a frame. The stream is `None` for frames that are
    /// no part of a message.
    fn parse(self, header: [u8; LONGEST_HEADER]) -> (usize, Option<u32>) {
        match self {
            Self::Ttrpc => {
                let [l0, l1, l2, l3, s0, s1, s2, s3, _, _] = header;
                let length = u32::from_be_bytes([l0, l1, l2, l3]);
                (size(length), Some(u32::from_be_bytes([s0, s1, s2, s3])))
            }
            Self::Http2 => {
                let [l0, l1, l2, kind, _, s0, s1, s2, s3, _] = header;
                let length = u32::from_be_bytes([0, l0, l1, l2]);
                // The first bit of the id is reserved.
                let stream = u32::from_be_bytes([s0, s1, s2, s3]) & (u32::MAX >> 1);
                // DATA, HEADERS and CONTINUATION (RFC 9113, section 6).
                let is_message = matches!(kind, 0 | 1 | 9);
                (size(length), is_message.then_some(stream))
            }
        }
    }
}

fn size(length: u32) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

impl Frames {
    /// Follows the requests of a client.
    pub(super) fn of_requests(protocol: Protocol) -> Self {
        let left = match protocol {
            Protocol::Ttrpc => 0,
            Protocol::Http2 => PREFACE,
        };
        Self {
            left,
            ..Self::of_replies(protocol)
        }
    }

    /// Follows the replies to a client.
    pub(super) fn of_replies(protocol: Protocol) -> Self {
        Self {
            protocol,
            header: [0; LONGEST_HEADER],
            have: 0,
            left: 0,
            stream: None,
        }
    }

    /// Takes the next bytes, and names the parts of messages that have passed with them.
    pub(super) fn pass(&mut self, mut bytes: &[u8], mut passed: impl FnMut(Passed)) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let skipped = self.left.min(bytes.len());
                bytes = &bytes[skipped..];
                self.left -= skipped;
                if self.left == 0
                    && let Some(stream) = self.stream.take()
                {
                    passed(Passed::End(stream));
                }
                continue;
            }
            let length = self.protocol.header_len();
            let taken = (length - self.have).min(bytes.len());
            let (now, later) = bytes.split_at(taken);
            self.header[self.have..self.have + taken].copy_from_slice(now);
            self.have += taken;
            bytes = later;
            if self.have < length {
                continue;
            }
            self.have = 0;
            (self.left, self.stream) = self.protocol.parse(self.header);
            if let Some(stream) = self.stream {
                passed(Passed::Header(stream));
            }
            if self.left == 0
                && let Some(stream) = self.stream.take()
            {
                passed(Passed::End(stream));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ttrpc(stream: u32, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, 0, length];
        frame.extend(stream.to_be_bytes());
        frame.extend([1, 0]);
        frame.extend(vec![7; length.into()]);
        frame
    }

    fn http2(kind: u8, stream: u32, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0];
        frame.extend(stream.to_be_bytes());
        frame.extend(vec![7; length.into()]);
        frame
    }

    fn passed(mut frames: Frames, bytes: &[u8], piece: usize) -> Vec<Passed> {
        let mut all = Vec::new();
        for piece in bytes.chunks(piece) {
            frames.pass(piece, |one| all.push(one));
        }
        all
    }

    #[test]
    fn frames_of_ttrpc_are_found() {
        let bytes = [ttrpc(1, 3), ttrpc(3, 0)].concat();
        let frames = Frames::of_requests(Protocol::Ttrpc);
        let found = passed(frames, &bytes, usize::MAX);
        let expected = [(1, 3), (3, 0)]
            .map(|(stream, _)| [Passed::Header(stream), Passed::End(stream)])
            .concat();
        assert_eq!(found, expected);
    }

    #[test]
    fn of_http2_only_messages_are_found_after_the_preface() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        // SETTINGS, HEADERS, WINDOW_UPDATE, DATA with the reserved bit set.
        for (kind, stream, length) in [(4, 0, 12), (1, 1, 9), (8, 1, 4), (0, 1 | (1 << 31), 5)] {
            bytes.extend(http2(kind, stream, length));
        }
        let found = passed(Frames::of_requests(Protocol::Http2), &bytes, usize::MAX);
        let one = [Passed::Header(1), Passed::End(1)];
        assert_eq!(found, [one, one].concat());
    }

    proptest! {
        #[test]
        fn the_size_of_the_pieces_changes_nothing(
            frames in prop::collection::vec((0..10_u8, 0..5_u32, 0..40_u8), 0..8),
            piece in 1..30_usize,
        ) {
            for protocol in [Protocol::Ttrpc, Protocol::Http2] {
                let bytes: Vec<u8> = frames
                    .iter()
                    .flat_map(|(kind, stream, length)| match protocol {
                        Protocol::Ttrpc => ttrpc(*stream, *length),
                        Protocol::Http2 => http2(*kind, *stream, *length),
                    })
                    .collect();
                let whole = passed(Frames::of_replies(protocol), &bytes, usize::MAX);
                let pieces = passed(Frames::of_replies(protocol), &bytes, piece);
                prop_assert_eq!(whole, pieces);
            }
        }

        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            for protocol in [Protocol::Ttrpc, Protocol::Http2] {
                passed(Frames::of_requests(protocol), &bytes, 7);
            }
        }
    }
}
