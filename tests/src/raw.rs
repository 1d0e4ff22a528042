//! A connection on which anything can be said.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use protobuf::Message as _;
use ttrpc::proto::{MESSAGE_TYPE_REQUEST, Request, Response};

use crate::{Daemon, PATIENCE};

/// A connection on which anything can be said.
pub struct Raw(pub UnixStream);

impl Raw {
    /// Connects.
    ///
    /// # Panics
    /// If nobody accepts.
    pub fn connect(daemon: &Daemon) -> Self {
        let stream = UnixStream::connect(daemon.home().socket()).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// Says it, as far as the other side listens.
    pub fn say(&mut self, bytes: &[u8]) {
        // The other side may have closed before it read everything.
        let _ = self.0.write_all(bytes);
    }

    /// Everything that comes until the other side closes.
    ///
    /// # Panics
    /// If it does not.
    pub fn rest(mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => panic!("it was not closed"),
            _ => rest,
        }
    }

    /// Sends a request of ttrpc.
    ///
    /// # Panics
    /// If it cannot be encoded.
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

    /// The next reply, and the stream it is on.
    ///
    /// # Panics
    /// If none comes.
    pub fn reply(&mut self) -> (u32, Response) {
        let mut header = [0; 10];
        self.0.read_exact(&mut header).unwrap();
        let [l0, l1, l2, l3, s0, s1, s2, s3, ..] = header;
        let mut payload = vec![0; u32::from_be_bytes([l0, l1, l2, l3]) as usize];
        self.0.read_exact(&mut payload).unwrap();
        let stream = u32::from_be_bytes([s0, s1, s2, s3]);
        (stream, Response::parse_from_bytes(&payload).unwrap())
    }

    /// The code of the reply to a call.
    ///
    /// # Panics
    /// If none comes.
    pub fn call(&mut self, stream: u32, service: &str, method: &str, payload: &[u8]) -> i32 {
        self.send(stream, service, method, payload);
        self.code_on(stream)
    }

    /// The code of the next reply, which is on this stream.
    ///
    /// # Panics
    /// If it is not.
    pub fn code_on(&mut self, stream: u32) -> i32 {
        let (replied_on, reply) = self.reply();
        assert_eq!(replied_on, stream);
        reply.status().code.value()
    }
}

/// A frame's header: length, stream and type.
pub fn header(length: u32, stream: u32, kind: u8) -> Vec<u8> {
    let mut bytes = length.to_be_bytes().to_vec();
    bytes.extend(stream.to_be_bytes());
    bytes.extend([kind, 0]);
    bytes
}

/// A frame of ttrpc.
///
/// # Panics
/// If it is longer than a header can say.
pub fn frame(stream: u32, kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(u32::try_from(payload.len()).unwrap(), stream, kind);
    bytes.extend(payload);
    bytes
}
