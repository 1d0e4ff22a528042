//! A raw connection, for bytes that no client would send.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use protobuf::Message as _;
use ttrpc::proto::{MESSAGE_TYPE_REQUEST, Request, Response};

use crate::{Daemon, PATIENCE};

/// A raw connection to the sandboxer's socket.
pub struct Raw(pub UnixStream);

impl Raw {
    /// Connects to a socket.
    ///
    /// # Panics
    /// If the connection fails.
    pub fn connect(daemon: &Daemon) -> Self {
        let stream = UnixStream::connect(daemon.home().socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Sends bytes, and ignores a failure.
    pub fn say(&mut self, bytes: &[u8]) {
        // The peer may have closed the connection before it read all bytes.
        let _ = self.0.write_all(bytes);
    }

    /// Reads all bytes until the peer closes the connection.
    ///
    /// # Panics
    /// If the peer does not close it.
    pub fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => panic!("it was not closed"),
            _ => rest,
        }
    }

    /// Sends a ttrpc request.
    ///
    /// # Panics
    /// If the request cannot be encoded.
    pub fn send(&mut self, stream: u32, service: &str, method: &str, payload: &[u8]) {
        let request = Request {
            service: service.to_owned(),
            method: method.to_owned(),
            payload: payload.to_vec(),
            ..Default::default()
        };
        let payload = request.write_to_bytes().unwrap();
        self.say(&frame(stream, MESSAGE_TYPE_REQUEST, &payload));
    }

    /// Reads the next reply and its stream id.
    ///
    /// # Panics
    /// If no reply comes.
    pub fn reply(&mut self) -> (u32, Response) {
        let mut header = [0; 10];
        self.0.read_exact(&mut header).unwrap();
        let [l0, l1, l2, l3, s0, s1, s2, s3, ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([l0, l1, l2, l3]) as usize];
        self.0.read_exact(&mut payload).unwrap();
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        (stream, Response::parse_from_bytes(&payload).unwrap())
    }

    /// Sends a request and returns the code of its reply.
    ///
    /// # Panics
    /// If no reply comes.
    pub fn call(&mut self, stream: u32, service: &str, method: &str, payload: &[u8]) -> i32 {
        self.send(stream, service, method, payload);
        self.code_on(stream)
    }

    /// Returns the code of the next reply, which must be on this stream.
    ///
    /// # Panics
    /// If the reply is on another stream.
    pub fn code_on(&mut self, stream: u32) -> i32 {
        let (replied_on, reply) = self.reply();
        assert_eq!(replied_on, stream);
        reply.status().code.value()
    }
}

/// Encodes the header of a frame: length, stream and type.
pub fn header(length: u32, stream: u32, kind: u8) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(stream.to_be_bytes());
    bytes.extend([kind, 0]);
    bytes
}

/// Encodes a ttrpc frame.
///
/// # Panics
/// If the payload is too long for the length field.
pub fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(u32::try_from(payload.len()).unwrap(), stream, kind);
    bytes.extend(payload);
    bytes
}
