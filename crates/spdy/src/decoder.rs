//! Reads frames from the bytes of a connection, however they are cut.

use crate::error::ProtocolError;
use crate::frame::{
    CONTROL, FIN, Frame, GOAWAY, HEAD_BYTES, HEADERS, ID_MASK, INITIAL_WINDOW_SIZE, PING,
    RST_STREAM, SETTINGS, SYN_REPLY, SYN_STREAM, UNIDIRECTIONAL, VERSION, WINDOW_UPDATE,
};
use crate::headers::HeaderReader;
use crate::limits::MAX_CONTROL_BYTES;

/// Decoder of one connection.
#[derive(Debug)]
pub(crate) struct Decoder {
    buffer: Vec<u8>,
    /// Number of bytes at the beginning of `buffer` that are read.
    read: usize,
    /// The data frame whose content is being read.
    data: Option<Data>,
    headers: HeaderReader,
}

#[derive(Debug)]
struct Data {
    id: u32,
    left: usize,
    is_last: bool,
}

/// A control frame.
struct Control<'a> {
    kind: u16,
    flags: u8,
    payload: &'a [u8],
}

impl Decoder {
    pub(crate) fn new() -> Self {
        Self {
            buffer: Vec::new(),
            read: 0,
            data: None,
            headers: HeaderReader::new(),
        }
    }

    /// Takes bytes over. [`Self::next`] is called until it returns `None` afterwards, so no more
    /// than one incomplete control frame is kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.read);
        self.read = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Reads the next frame, or part of a data frame. Returns `None` if more bytes are needed.
    ///
    /// # Errors
    /// [`ProtocolError`], after which the decoder cannot be used.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, ProtocolError> {
        loop {
            if let Some(data) = self.data.take() {
                return Ok(self.content(data));
            }
            let rest = &self.buffer[self.read..];
            let Some((head, rest)) = rest.split_first_chunk::<HEAD_BYTES>() else {
                return Ok(None);
            };
            let [a, b, c, d, flags, length @ ..] = *head;
            let word = u32::from_be_bytes([a, b, c, d]);
            let length = length
                .iter()
                .fold(0, |sum, byte| sum << 8 | usize::from(*byte));
            if word & CONTROL == 0 {
                if word == 0 {
                    return Err(ProtocolError::NoStream);
                }
                self.read += HEAD_BYTES;
                self.data = Some(Data {
                    id: word,
                    left: length,
                    is_last: flags & FIN != 0,
                });
                continue;
            }
            let version = u16::from_be_bytes([a & 0x7f, b]);
            if version != VERSION {
                return Err(ProtocolError::Version(version));
            }
            if length > MAX_CONTROL_BYTES {
                return Err(ProtocolError::TooLong(length));
            }
            let Some(payload) = rest.get(..length) else {
                return Ok(None);
            };
            let control = Control {
                kind: u16::from_be_bytes([c, d]),
                flags,
                payload,
            };
            self.read += HEAD_BYTES + length;
            if let Some(frame) = control.read(&mut self.headers)? {
                return Ok(Some(frame));
            }
        }
    }

    /// Returns what there is of a data frame's content, or `None` if there is nothing yet.
    fn content(&mut self, mut data: Data) -> Option<Frame> {
        let rest = &self.buffer[self.read..];
        let bytes = rest[..rest.len().min(data.left)].to_vec();
        self.read += bytes.len();
        data.left -= bytes.len();
        let (id, is_complete) = (data.id, data.left == 0);
        let is_last = is_complete && data.is_last;
        if !is_complete {
            self.data = Some(data);
            if bytes.is_empty() {
                return None;
            }
        }
        Some(Frame::Data { id, bytes, is_last })
    }
}

impl Control<'_> {
    /// Returns the frame, or `None` for a kind that a server ignores.
    fn read(&self, headers: &mut HeaderReader) -> Result<Option<Frame>, ProtocolError> {
        let is_last = self.flags & FIN != 0;
        Ok(Some(match self.kind {
            SYN_STREAM => {
                // An associated stream, a priority and a slot follow the id.
                let (id, block) = self.id_and(6)?;
                Frame::SynStream {
                    headers: headers.read(block)?,
                    id,
                    is_last,
                    is_unidirectional: self.flags & UNIDIRECTIONAL != 0,
                }
            }
            SYN_REPLY | HEADERS => {
                let (id, block) = self.id_and(0)?;
                // The block is read for the state of the decompressor alone.
                headers.read(block)?;
                Frame::Headers { id, is_last }
            }
            RST_STREAM => Frame::RstStream(self.two()?.0),
            SETTINGS => Frame::Settings(self.initial_window()?),
            PING => match <[u8; 4]>::try_from(self.payload) {
                Ok(id) => Frame::Ping(u32::from_be_bytes(id)),
                Err(_) => return Err(self.length()),
            },
            GOAWAY => {
                self.two()?;
                Frame::GoAway
            }
            WINDOW_UPDATE => {
                let (id, delta) = self.numbers()?;
                Frame::WindowUpdate {
                    id: id & ID_MASK,
                    delta: delta & ID_MASK,
                }
            }
            // Unknown kinds are to be ignored (section 2.2.1).
            _ => return Ok(None),
        }))
    }

    fn length(&self) -> ProtocolError {
        ProtocolError::Length {
            kind: self.kind,
            length: self.payload.len(),
        }
    }

    /// Returns the stream's id at the beginning, and what follows after `skipped` bytes.
    fn id_and(&self, skipped: usize) -> Result<(u32, &[u8]), ProtocolError> {
        let (id, rest) = self
            .payload
            .split_first_chunk()
            .ok_or_else(|| self.length())?;
        let id = u32::from_be_bytes(*id) & ID_MASK;
        if id == 0 {
            return Err(ProtocolError::NoStream);
        }
        let rest = rest.get(skipped..).ok_or_else(|| self.length())?;
        Ok((id, rest))
    }

    /// Returns the two numbers of a payload of 8 bytes.
    fn numbers(&self) -> Result<(u32, u32), ProtocolError> {
        let (numbers, rest) = self.payload.as_chunks::<4>();
        match numbers {
            [first, second] if rest.is_empty() => {
                Ok((u32::from_be_bytes(*first), u32::from_be_bytes(*second)))
            }
            _ => Err(self.length()),
        }
    }

    /// Returns a stream's id and a status.
    fn two(&self) -> Result<(u32, u32), ProtocolError> {
        let (id, status) = self.numbers()?;
        Ok((id & ID_MASK, status))
    }

    fn initial_window(&self) -> Result<Option<u32>, ProtocolError> {
        let (count, entries) = self
            .payload
            .split_first_chunk()
            .ok_or_else(|| self.length())?;
        let (entries, rest) = entries.as_chunks::<8>();
        let count = usize::try_from(u32::from_be_bytes(*count));
        if count != Ok(entries.len()) || !rest.is_empty() {
            return Err(self.length());
        }
        // The id has 24 bits, after 8 of flags.
        let stated = entries.iter().rev().find_map(|[_, a, b, c, value @ ..]| {
            let is_window = u32::from_be_bytes([0, *a, *b, *c]) == INITIAL_WINDOW_SIZE;
            is_window.then(|| u32::from_be_bytes(*value) & ID_MASK)
        });
        Ok(stated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(bytes: &[u8]) -> Result<Vec<Frame>, ProtocolError> {
        let mut decoder = Decoder::new();
        decoder.push(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = decoder.next()? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn control(kind: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0x80, 3];
        frame.extend(kind.to_be_bytes());
        let length = u32::try_from(payload.len()).unwrap() | u32::from(flags) << 24;
        frame.extend(length.to_be_bytes());
        frame.extend(payload);
        frame
    }

    #[test]
    fn frames_without_headers_are_read() {
        let eight = [0, 0, 0, 1, 0, 0, 0, 5];
        for (kind, payload, expected) in [
            (RST_STREAM, &eight[..], Frame::RstStream(1)),
            (PING, &eight[..4], Frame::Ping(1)),
            (GOAWAY, &eight, Frame::GoAway),
            (
                WINDOW_UPDATE,
                &eight,
                Frame::WindowUpdate { id: 1, delta: 5 },
            ),
            (SETTINGS, &[0; 4], Frame::Settings(None)),
            (
                SETTINGS,
                &[0, 0, 0, 1, 1, 0, 0, 7, 0, 0, 1, 0],
                Frame::Settings(Some(256)),
            ),
        ] {
            assert_eq!(all(&control(kind, 0, payload)), Ok(vec![expected]));
            let cut = &payload[..payload.len() - 1];
            let length = cut.len();
            let refused = all(&control(kind, 0, cut));
            assert_eq!(refused, Err(ProtocolError::Length { kind, length }));
        }
        // A kind that does not exist is skipped.
        let mut both = control(99, 0, &eight);
        both.extend(control(PING, 0, &[0, 0, 0, 7]));
        assert_eq!(all(&both), Ok(vec![Frame::Ping(7)]));
    }

    #[test]
    fn a_frame_of_another_protocol_is_refused() {
        assert_eq!(
            all(b"GET / HT"),
            Ok(vec![]),
            "a data frame, of which nothing has come"
        );
        assert_eq!(
            all(&[0x80, 2, 0, 6, 0, 0, 0, 4]),
            Err(ProtocolError::Version(2))
        );
        assert_eq!(all(&[0; 8]), Err(ProtocolError::NoStream));
        let long = [0x80, 3, 0, 1, 0, 0xff, 0xff, 0xff];
        assert_eq!(all(&long), Err(ProtocolError::TooLong(0xff_ffff)));
    }

    #[test]
    fn content_is_handed_on_as_it_arrives() {
        let mut decoder = Decoder::new();
        let data = |bytes: &[u8], is_last| {
            Ok(Some(Frame::Data {
                id: 3,
                bytes: bytes.to_vec(),
                is_last,
            }))
        };
        decoder.push(&[0, 0, 0, 3, FIN, 0, 0, 3, b'a']);
        assert_eq!(decoder.next(), data(b"a", false));
        assert_eq!(decoder.next(), Ok(None));
        decoder.push(&[b'b', b'c', 0, 0, 0, 3, 0, 0, 0, 0]);
        assert_eq!(decoder.next(), data(b"bc", true));
        assert_eq!(decoder.next(), data(b"", false));
        assert_eq!(decoder.next(), Ok(None));
    }
}
