//! The bytes of a connection in the binary messages of a WebSocket, as kubectl tunnels SPDY
//! (`k8s.io/client-go/tools/portforward/tunneling_connection.go`).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

use super::protocol::Socket;

/// Largest content of one message, in bytes.
const MAX_MESSAGE_BYTES: usize = 32 << 10;

/// A WebSocket that reads and writes like a connection.
pub(super) struct Tunnel {
    socket: Socket,
    /// Rest of the last message.
    unread: Bytes,
}

impl Tunnel {
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            unread: Bytes::new(),
        }
    }
}

fn failed(error: Error) -> io::Error {
    match error {
        Error::Io(error) => error,
        error => io::Error::other(error),
    }
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.unread.is_empty() {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(bytes))) => self.unread = bytes,
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                Some(Ok(Message::Close(_))) | None => return Poll::Ready(Ok(())),
                Some(Ok(Message::Text(_))) => {
                    let error = io::Error::new(io::ErrorKind::InvalidData, "a message of text");
                    return Poll::Ready(Err(error));
                }
                Some(Err(error)) => return Poll::Ready(Err(failed(error))),
            }
        }
        let count = self.unread.len().min(buffer.remaining());
        buffer.put_slice(&self.unread.split_to(count));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut socket = Pin::new(&mut self.socket);
        ready!(socket.as_mut().poll_ready(context)).map_err(failed)?;
        let content = &bytes[..bytes.len().min(MAX_MESSAGE_BYTES)];
        let message = Message::binary(content.to_vec());
        socket.start_send(message).map_err(failed)?;
        Poll::Ready(Ok(content.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = Pin::new(&mut self.socket);
        socket.poll_flush(context).map_err(failed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = Pin::new(&mut self.socket);
        socket.poll_close(context).map_err(failed)
    }
}
