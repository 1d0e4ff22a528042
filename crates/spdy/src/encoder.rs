//! Writes the frames that a server sends.

use crate::dictionary::DICTIONARY_ID;
use crate::frame::{
    CONTROL, FIN, GOAWAY, PING, RST_STREAM, SYN_REPLY, Status, VERSION, WINDOW_UPDATE,
};

/// Beginning of a zlib stream with a dictionary and the fastest compression (RFC 1950, section
/// 2.2).
const ZLIB_HEAD: [u8; 2] = [0x78, 0x20];
/// The header block of each reply, as an uncompressed block of deflate that is not the last (RFC
/// 1951, section 3.2.4). A server that sends no other block needs no compressor. An empty block
/// follows, as after a flush of zlib: Go's decompressor keeps the bytes until it reads one.
///
/// The headers are those that every reply has (draft 3.1, section 3.2.2). Clients on spdystream
/// ignore them, and spdy-transport refuses a reply without them.
const REPLY_HEADERS: &[u8] = b"\0\x2e\0\xd1\xff\
    \0\0\0\x02\
    \0\0\0\x07:status\0\0\0\x03200\
    \0\0\0\x08:version\0\0\0\x08HTTP/1.1\
    \0\0\0\xff\xff";

/// Encoder of one connection.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    /// Bytes to send.
    pub(crate) output: Vec<u8>,
    has_begun_headers: bool,
}

impl Encoder {
    fn control(&mut self, kind: u16, payload: &[&[u8]]) {
        let word = CONTROL | u32::from(VERSION) << 16 | u32::from(kind);
        let length: usize = payload.iter().map(|part| part.len()).sum();
        self.output.extend(word.to_be_bytes());
        // The payloads of a server are short.
        let length = u32::try_from(length).unwrap_or(0);
        self.output.extend(length.to_be_bytes());
        for part in payload {
            self.output.extend_from_slice(part);
        }
    }

    pub(crate) fn reply(&mut self, id: u32) {
        let id = id.to_be_bytes();
        if self.has_begun_headers {
            self.control(SYN_REPLY, &[&id, REPLY_HEADERS]);
        } else {
            self.has_begun_headers = true;
            let dictionary = DICTIONARY_ID.to_be_bytes();
            self.control(SYN_REPLY, &[&id, &ZLIB_HEAD, &dictionary, REPLY_HEADERS]);
        }
    }

    pub(crate) fn reset(&mut self, id: u32, status: Status) {
        let status = (status as u32).to_be_bytes();
        self.control(RST_STREAM, &[&id.to_be_bytes(), &status]);
    }

    pub(crate) fn ping(&mut self, id: u32) {
        self.control(PING, &[&id.to_be_bytes()]);
    }

    pub(crate) fn window_update(&mut self, id: u32, delta: u32) {
        self.control(WINDOW_UPDATE, &[&id.to_be_bytes(), &delta.to_be_bytes()]);
    }

    /// Says that no stream after `last` is served. The status is that of an orderly end.
    pub(crate) fn go_away(&mut self, last: u32) {
        self.control(GOAWAY, &[&last.to_be_bytes(), &[0; 4]]);
    }

    /// Writes a data frame. `bytes` are fewer than 2^24.
    pub(crate) fn data(&mut self, id: u32, bytes: &[u8], is_last: bool) {
        let flags = if is_last { FIN } else { 0 };
        let length = u32::try_from(bytes.len()).unwrap_or(0) | u32::from(flags) << 24;
        self.output.extend(id.to_be_bytes());
        self.output.extend(length.to_be_bytes());
        self.output.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headers::HeaderReader;

    #[test]
    fn replies_have_header_blocks_that_zlib_reads() {
        let mut encoder = Encoder::default();
        let mut reader = HeaderReader::new();
        for id in [1, 3, 5] {
            encoder.reply(id);
            let frame = std::mem::take(&mut encoder.output);
            assert_eq!(frame[..4], [0x80, 3, 0, 2]);
            assert_eq!(usize::from(frame[7]), frame.len() - 8);
            assert_eq!(frame[8..12], id.to_be_bytes());
            let headers = reader.read(&frame[12..]).unwrap();
            assert_eq!(headers.get(":status"), Some("200"));
            assert_eq!(headers.get(":version"), Some("HTTP/1.1"));
            assert_eq!(frame[frame.len() - 5..], [0, 0, 0, 0xff, 0xff]);
        }
    }
}
