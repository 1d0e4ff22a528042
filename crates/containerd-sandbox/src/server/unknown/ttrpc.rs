//! Unknown services over ttrpc.
//!
//! The ttrpc library has no hook for them, so the reply is replaced on its way out. A reply of
//! success costs the comparison of a few bytes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use protobuf::Message;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ttrpc::proto::{
    Code, MESSAGE_HEADER_LENGTH as HEADER_LEN, MESSAGE_TYPE_RESPONSE, Response, Status,
};

use crate::id::quoted;

/// The end of the library's error for an unknown service; the name of the service precedes it.
const UNKNOWN_SERVICE: &str = " service does not exist";

/// A ttrpc connection whose replies name an unknown service, with the code `Unimplemented`.
#[derive(Debug)]
pub(in super::super) struct NamingServices<S> {
    stream: S,
    /// Bytes of the present frame that the library has not written yet.
    left: usize,
    /// A frame in place of one of the library, and the number of its bytes that were written.
    instead: Option<(Vec<u8>, usize)>,
}

impl<S> NamingServices<S> {
    /// Takes over a connection before its first byte is written.
    pub(in super::super) fn new(stream: S) -> Self {
        Self {
            stream,
            left: 0,
            instead: None,
        }
    }
}

/// Returns the length of the frame that begins with these bytes; none if its length is missing.
fn frame_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?);
    Some(HEADER_LEN + length as usize)
}

/// Returns the frame that takes the place of the library's error for an unknown service.
fn replacement(frame: &[u8]) -> Option<Vec<u8>> {
    /// Tag of the field `status` of a response.
    const STATUS: u8 = 0x0a;
    let [first, length, ..] = *frame.get(HEADER_LEN..)? else {
        return None;
    };
    let is_error = frame[8] == MESSAGE_TYPE_RESPONSE && first == STATUS && length > 0;
    if !is_error || !frame.ends_with(UNKNOWN_SERVICE.as_bytes()) {
        return None;
    }
    let response = Response::parse_from_bytes(&frame[HEADER_LEN..]).ok()?;
    let status: &Status = response.status.as_ref()?;
    if status.code.enum_value() != Ok(Code::INVALID_ARGUMENT) {
        return None;
    }
    let service = status.message.strip_suffix(UNKNOWN_SERVICE)?;
    let mut response = Response::new();
    let named = format!("unknown service {}", quoted(service));
    response.set_status(ttrpc::get_status(Code::UNIMPLEMENTED, named));
    let payload = response.write_to_bytes().ok()?;
    let mut instead = u32::try_from(payload.len()).ok()?.to_be_bytes().to_vec();
    instead.extend(&frame[4..HEADER_LEN]);
    instead.extend(payload);
    Some(instead)
}

impl<S: AsyncWrite + Unpin> AsyncWrite for NamingServices<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        if this.left == 0 && this.instead.is_none() {
            match replacement(buf) {
                Some(frame) => this.instead = Some((frame, 0)),
                None => this.left = frame_length(buf).unwrap_or(0),
            }
        }
        while let Some((frame, written)) = &mut this.instead {
            *written += ready!(Pin::new(&mut this.stream).poll_write(cx, &frame[*written..]))?;
            if *written == frame.len() {
                this.instead = None;
                return Poll::Ready(Ok(buf.len()));
            }
        }
        let written = ready!(Pin::new(&mut this.stream).poll_write(cx, buf))?;
        this.left = this.left.saturating_sub(written);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for NamingServices<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn frame(code: Code, message: &str, payload: &[u8]) -> Vec<u8> {
        let mut response = Response::new();
        response.set_status(ttrpc::get_status(code, message));
        response.payload = payload.to_vec();
        let body = response.write_to_bytes().unwrap();
        let mut frame = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        frame.extend([0, 0, 0, 7, MESSAGE_TYPE_RESPONSE, 0]);
        frame.extend(body);
        frame
    }

    /// Writes the frames as the library does, through a pipe that takes `room` bytes at a time.
    async fn written(frames: &[Vec<u8>], room: usize) -> Vec<u8> {
        let (ours, mut theirs) = tokio::io::duplex(room);
        let mut naming = NamingServices::new(ours);
        let writing = async {
            for frame in frames {
                let (start, rest) = frame.split_at(frame.len().min(4096));
                naming.write_all(start).await.unwrap();
                naming.write_all(rest).await.unwrap();
                naming.flush().await.unwrap();
            }
            naming.shutdown().await.unwrap();
        };
        let mut all = Vec::new();
        let reading = theirs.read_to_end(&mut all);
        let ((), read) = tokio::join!(writing, reading);
        read.unwrap();
        all
    }

    #[tokio::test]
    async fn only_the_error_for_an_unknown_service_is_replaced() {
        let others = [
            frame(Code::OK, "", b"reply"),
            frame(Code::OK, "", b"x service does not exist"),
            frame(Code::NOT_FOUND, "x service does not exist", b""),
            frame(Code::INVALID_ARGUMENT, "sandbox_id \"\" is invalid", b""),
            frame(Code::OK, "", &vec![7; 100_000]),
            frame(Code::INVALID_ARGUMENT, "", b"x service does not exist"),
        ];
        let unknown = frame(Code::INVALID_ARGUMENT, "a.b service does not exist", b"");
        let named = frame(Code::UNIMPLEMENTED, "unknown service \"a.b\"", b"");
        let mut frames = others.to_vec();
        frames.splice(3..3, [unknown.clone(), unknown]);
        let mut expected = others.to_vec();
        expected.splice(3..3, [named.clone(), named]);
        for room in [1, 10, 13, 4096, 1 << 20] {
            assert_eq!(written(&frames, room).await, expected.concat(), "{room}");
        }
    }

    /// The wording of the library, which [`UNKNOWN_SERVICE`] must match.
    #[tokio::test]
    async fn the_library_answers_an_unknown_service_in_these_words() {
        let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
        let socket = ttrpc::asynchronous::transport::Socket::new(theirs);
        let listener = futures::stream::once(async { Ok::<_, io::Error>(ours) });
        let mut server = ttrpc::asynchronous::Server::new()
            .add_listener(ttrpc::asynchronous::transport::Listener::new(listener));
        server.start().await.unwrap();
        let client = ttrpc::asynchronous::Client::new(socket);
        let request = ttrpc::proto::Request {
            service: "a.b".to_owned(),
            ..Default::default()
        };
        let Err(ttrpc::Error::RpcStatus(status)) = client.request(request).await else {
            panic!("it was to be refused");
        };
        assert_eq!(status.code.enum_value(), Ok(Code::INVALID_ARGUMENT));
        assert_eq!(status.message, format!("a.b{UNKNOWN_SERVICE}"));
    }
}
