//! Moves the bytes of a connection between its transport and its streams.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::limits::{MAX_OUTPUT_BYTES, MAX_UNREAD_BYTES};
use crate::state::{Shared, State};
use crate::stream::Stream;

/// Most bytes of one read.
const READ_BYTES: usize = 16 << 10;
/// Time for which a closed connection waits for the client to close it, too. A connection that is
/// closed with unread bytes is reset, and the client may lose the last bytes sent to it.
const LINGER: Duration = Duration::from_secs(5);

/// Streams that a client opens. Dropping this closes the connection, once all that was written
/// is sent.
pub struct Streams(Shared);

impl Streams {
    /// Waits for the next stream. Returns `None` if the client opens no more.
    pub async fn next(&mut self) -> Option<Stream> {
        std::future::poll_fn(|context| {
            let mut state = self.0.lock();
            match state.opened.pop_front() {
                Some((id, headers)) => {
                    let shared = Arc::clone(&self.0);
                    Poll::Ready(Some(Stream::new(id, headers, shared)))
                }
                None if state.is_accepting_over => Poll::Ready(None),
                None => {
                    state.acceptor = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

impl Drop for Streams {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_closing = true;
        state.machine.go_away();
        state.wake_driver();
    }
}

/// Serves a connection after the switch to SPDY. The future runs until the streams are dropped
/// and all is sent, the client goes, or it violates the protocol; the last two end all streams.
///
/// # Errors
/// Of the future: those of the transport, and `InvalidData` with a
/// [`ProtocolError`](crate::ProtocolError).
pub fn serve<S>(io: S) -> (Streams, impl Future<Output = io::Result<()>>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let shared: Shared = Arc::new(Mutex::new(State::new()));
    let streams = Streams(Arc::clone(&shared));
    (streams, run(io, shared))
}

/// Ends all streams when the connection ends, also by being dropped.
struct EndsStreams(Shared);

impl Drop for EndsStreams {
    fn drop(&mut self) {
        self.0.lock().end();
    }
}

async fn run<S>(mut io: S, shared: Shared) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let ends = EndsStreams(Arc::clone(&shared));
    let mut buffer = vec![0; READ_BYTES];
    let end = std::future::poll_fn(|context| drive(&mut io, &shared, &mut buffer, context)).await;
    drop(ends);
    if end? == End::Client {
        return Ok(());
    }
    io.shutdown().await?;
    let rest = async { while matches!(io.read(&mut buffer).await, Ok(1..)) {} };
    // The end of this wait is as good as the client's.
    let _ = tokio::time::timeout(LINGER, rest).await;
    Ok(())
}

/// Side that ended a connection.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Client,
    Server,
}

fn drive<S>(
    io: &mut S,
    shared: &Shared,
    buffer: &mut [u8],
    context: &mut Context<'_>,
) -> Poll<io::Result<End>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut state = shared.lock();
    loop {
        let was_full = state.machine.output().len() >= MAX_OUTPUT_BYTES;
        write(io, &mut state, context)?;
        let output = state.machine.output().len();
        if was_full && output < MAX_OUTPUT_BYTES {
            state.wake_writers();
        }
        if state.is_closing && output == 0 {
            return Poll::Ready(Ok(End::Server));
        }
        state.driver = Some(context.waker().clone());
        if state.unread >= MAX_UNREAD_BYTES || output >= MAX_OUTPUT_BYTES {
            return Poll::Pending;
        }
        let mut read = ReadBuf::new(buffer);
        match Pin::new(&mut *io).poll_read(context, &mut read)? {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(()) if read.filled().is_empty() => return Poll::Ready(Ok(End::Client)),
            Poll::Ready(()) => {
                let events = state.machine.receive(read.filled());
                let invalid = |error| io::Error::new(io::ErrorKind::InvalidData, error);
                for event in events.map_err(invalid)? {
                    state.apply(event);
                }
                // The window of a client may be open again.
                state.wake_writers();
            }
        }
    }
}

/// Sends what the transport takes.
fn write<S>(io: &mut S, state: &mut State, context: &mut Context<'_>) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let output = state.machine.output();
    let mut sent = 0;
    let mut failed = Ok(());
    while sent < output.len() {
        match Pin::new(&mut *io).poll_write(context, &output[sent..]) {
            Poll::Ready(Ok(0)) => {
                failed = Err(io::ErrorKind::WriteZero.into());
                break;
            }
            Poll::Ready(Ok(count)) => sent += count,
            Poll::Ready(Err(error)) => {
                failed = Err(error);
                break;
            }
            Poll::Pending => break,
        }
    }
    output.drain(..sent);
    failed?;
    match Pin::new(io).poll_flush(context) {
        Poll::Ready(flushed) => flushed,
        Poll::Pending => Ok(()),
    }
}

#[cfg(test)]
mod tests;
