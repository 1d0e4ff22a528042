//! The traffic of a connection: when it last carried a byte in either direction.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, sleep_until};

/// A connection whose traffic is watched.
pub(super) struct Watched<S> {
    stream: S,
    traffic: Traffic,
}

/// Time of the last byte of a connection.
#[derive(Debug, Clone)]
pub(super) struct Traffic(Arc<Mutex<Instant>>);

impl Traffic {
    fn note(&self) {
        *self.0.lock() = Instant::now();
    }

    /// Waits until no byte has gone over the connection for so long.
    pub(super) async fn idle_for(&self, time: Duration) {
        loop {
            let last = *self.0.lock();
            let Some(until) = last.checked_add(time) else {
                return std::future::pending().await;
            };
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S) -> (Self, Traffic) {
        let traffic = Traffic(Arc::new(Mutex::new(Instant::now())));
        let watched = Self {
            stream,
            traffic: traffic.clone(),
        };
        (watched, traffic)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(context, buffer));
        if buffer.filled().len() > before {
            self.traffic.note();
        }
        Poll::Ready(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(context, bytes));
        self.traffic.note();
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_after_so_long_without_a_byte() {
        let (near, mut far) = tokio::io::duplex(64);
        let (mut near, traffic) = Watched::new(near);
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let talk = async {
            for _ in 0..5 {
                tokio::time::sleep(second).await;
                far.write_all(b"x").await.unwrap();
                near.read_exact(&mut [0]).await.unwrap();
                tokio::time::sleep(second).await;
                near.write_all(b"y").await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = talk => {}
            () = traffic.idle_for(3 * second) => {}
        }
        assert_eq!(begun.elapsed().as_secs(), 13);
    }
}
