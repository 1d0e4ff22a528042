//! A raw HTTP/2 connection, for frames that no client would send.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::{Daemon, PATIENCE};

/// Types of frames (RFC 9113, section 6).
pub const DATA: u8 = 0;
/// See [`DATA`].
pub const HEADERS: u8 = 1;
/// See [`DATA`].
pub const RST_STREAM: u8 = 3;
/// See [`DATA`].
pub const SETTINGS: u8 = 4;
/// See [`DATA`].
pub const PING: u8 = 6;
/// See [`DATA`].
pub const WINDOW_UPDATE: u8 = 8;
/// See [`DATA`].
pub const CONTINUATION: u8 = 9;

/// The flag of the last frame of a stream.
pub const END_STREAM: u8 = 1;
/// The flag of the last frame of a list of headers.
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The setting of the window of each stream.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// A raw connection to the sandboxer's socket.
pub struct Http2 {
    /// The socket.
    pub stream: UnixStream,
    next: u32,
}

impl Http2 {
    /// Connects, and grants each stream a window of this many bytes. The connection has the
    /// window of 65,535 bytes that all begin with.
    ///
    /// # Panics
    /// If the connection fails.
    pub fn connect(daemon: &Daemon, window: u32) -> Self {
        let mut stream = UnixStream::connect(daemon.home().socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        let mut setting = INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        setting.extend(window.to_be_bytes());
        let opening = [PREFACE, &frame(SETTINGS, 0, 0, &setting)].concat();
        stream.write_all(&opening).unwrap();
        // The server grants the connection a larger window than the one that all begin with.
        while read_frame(&mut stream).unwrap().0 != WINDOW_UPDATE {}
        Self { stream, next: 1 }
    }

    /// Returns the id of a new stream.
    pub fn stream_id(&mut self) -> u32 {
        let id = self.next;
        self.next += 2;
        id
    }

    /// Sends bytes and returns whether the peer took them.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a call with a complete request, and returns its stream.
    pub fn call(&mut self, path: &str, message: &[u8]) -> u32 {
        let id = self.stream_id();
        let call = [
            headers(id, path, 0),
            frame(DATA, END_STREAM, id, &grpc(message)),
        ];
        self.say(&call.concat());
        id
    }

    /// Reads frames in a thread until the connection ends, and counts those of one type.
    ///
    /// # Panics
    /// If the socket cannot be duplicated.
    pub fn count(&self, kind: u8) -> Arc<AtomicUsize> {
        let mut stream = self.stream.try_clone().unwrap();
        let count = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&count);
        std::thread::spawn(move || {
            while let Some((read, _, _)) = read_frame(&mut stream) {
                counted.fetch_add(usize::from(read == kind), Ordering::Relaxed);
            }
        });
        count
    }

    /// Reads frames in a thread until the connection ends.
    ///
    /// # Panics
    /// If the socket cannot be duplicated.
    pub fn discard(&self) -> JoinHandle<()> {
        let mut stream = self.stream.try_clone().unwrap();
        std::thread::spawn(move || while read_frame(&mut stream).is_some() {})
    }
}

impl Drop for Http2 {
    fn drop(&mut self) {
        // A thread that reads has the socket, too. The peer may have closed it already.
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}

/// Reads a frame: type, stream and payload. `None` at the end of the connection.
pub fn read_frame(stream: &mut UnixStream) -> Option<(u8, u32, Vec<u8>)> {
    let mut header = [0; 9];
    stream.read_exact(&mut header).ok()?;
    let [l0, l1, l2, kind, _, s0, s1, s2, s3] = header;
    let mut payload = vec![0; u32::from_be_bytes([0, l0, l1, l2]) as usize];
    stream.read_exact(&mut payload).ok()?;
    Some((kind, u32::from_be_bytes([s0, s1, s2, s3]), payload))
}

/// Encodes a frame.
///
/// # Panics
/// If the payload is too long for the length field.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    assert_eq!(length[0], 0, "the payload is too long");
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// Encodes the headers of a gRPC request, with these flags besides END_HEADERS.
pub fn headers(stream: u32, path: &str, flags: u8) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, stream, &header_block(path))
}

/// Encodes a list of headers by the static table of HPACK (RFC 7541, appendix A), without
/// Huffman codes.
///
/// # Panics
/// If a value is longer than 126 bytes.
pub fn header_block(path: &str) -> Vec<u8> {
    let text = |text: &str| {
        assert!(text.len() < 127, "{text} is too long");
        let mut bytes = vec![u8::try_from(text.len()).unwrap()];
        bytes.extend(text.as_bytes());
        bytes
    };
    // ":method: POST" and ":scheme: http" are entries; the others are values of known names.
    let mut block = vec![0x83, 0x86, 0x04];
    block.extend(text(path));
    block.push(0x01);
    block.extend(text("localhost"));
    block.extend([0x0f, 0x10]);
    block.extend(text("application/grpc"));
    block.push(0x00);
    block.extend(text("te"));
    block.extend(text("trailers"));
    block
}

/// Encodes the prefix of gRPC before a message.
///
/// # Panics
/// If the message is too long for the length field.
pub fn grpc(message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend(message);
    bytes
}
