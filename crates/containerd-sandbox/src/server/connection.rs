//! The byte stream of one connection, with few wake-ups and bounded replies.
//!
//! tokio's own stream also wakes its task when the peer has read, because there is room to write
//! then. On a Unix socket that is after every reply and mostly in vain: a third of all wake-ups
//! behind containerd. [`Connection`] registers for room to write only after a write that found
//! none.
//!
//! The replies that a peer leaves unread are bounded: while the kernel takes no more of them,
//! at most [`UNANSWERED`] bytes of further requests are read. A connection whose peer leaves a
//! reply for too long fails.
//!
//! Reads are buffered: the ttrpc library reads the header of a frame and then its payload, and
//! both mostly arrive together.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tonic::transport::server::Connected;

use super::bounds::{Held, Peer};
use super::limits::Permit;

/// Size of the read buffer, in bytes. Its memory is held while bytes wait in it.
const AHEAD: usize = 4 << 10;

/// Bytes that are read at most while the peer reads no replies: about the capacity of a Unix
/// socket, so that a peer may write a batch of requests before it reads.
const UNANSWERED: usize = 256 << 10;

/// Bytes that are read at most before other tasks have a turn: the requests in them take a few
/// milliseconds.
const TURN: usize = 32 << 10;

/// A connection on a Unix socket.
#[derive(Debug)]
pub(super) struct Connection {
    socket: AsyncFd<UnixStream>,
    /// A second descriptor of the socket while the kernel takes no more bytes, registered for
    /// room to write.
    blocked: Option<AsyncFd<UnixStream>>,
    /// The read buffer, and the number of its bytes that were returned already.
    ahead: Vec<u8>,
    taken: usize,
    /// Bytes that were read since the kernel takes no more.
    unanswered: usize,
    /// Bytes that were read since other tasks had a turn.
    in_turn: usize,
    /// The reader to wake when the kernel takes bytes again.
    reader: Option<Waker>,
    /// Counts what the connection holds.
    peer: Arc<Peer>,
    /// Counts this connection until it is dropped.
    counted: Counted,
}

/// The count of a connection.
#[derive(Debug)]
pub(super) enum Counted {
    /// Among those that are served.
    Served { _held: Held },
    /// Among those whose requests are refused.
    Refused { _permit: Permit },
}

impl Connection {
    /// Takes over an accepted stream.
    pub(super) fn new(
        stream: tokio::net::UnixStream,
        peer: Arc<Peer>,
        counted: Counted,
    ) -> io::Result<Self> {
        Ok(Self {
            socket: register(stream.into_std()?, Interest::READABLE)?,
            blocked: None,
            ahead: Vec::new(),
            taken: 0,
            unanswered: 0,
            in_turn: 0,
            reader: None,
            peer,
            counted,
        })
    }

    /// Returns the counts of what the connection holds.
    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }

    /// Returns whether the connection counts among those that are served.
    pub(super) fn is_served(&self) -> bool {
        matches!(self.counted, Counted::Served { .. })
    }

    /// Fails if the peer left a reply for too long; otherwise wakes the task when it has.
    fn check_speed(&self, cx: &Context<'_>) -> io::Result<()> {
        self.peer.watch(cx.waker());
        if self.peer.is_slow() {
            return Err(io::Error::new(
                io::ErrorKind::TimedOut,
                "the peer did not take a reply in time",
            ));
        }
        Ok(())
    }

    /// Waits for further bytes and returns all that have arrived, without consuming them; no more
    /// than before if the peer closed the connection.
    pub(super) async fn opening(&mut self) -> io::Result<&[u8]> {
        let mut chunk = [0; AHEAD];
        let count = std::future::poll_fn(|cx| self.receive(cx, &mut chunk)).await?;
        self.ahead.extend_from_slice(&chunk[..count]);
        Ok(&self.ahead)
    }

    /// Waits until at least this many bytes have arrived, and returns all that have, without
    /// consuming them; fewer if the peer closed the connection before.
    pub(super) async fn opening_of(&mut self, least: usize) -> io::Result<&[u8]> {
        while self.ahead.len() < least {
            let before = self.ahead.len();
            if self.opening().await?.len() == before {
                break;
            }
        }
        Ok(&self.ahead)
    }

    /// Receives bytes and counts them. After [`TURN`] bytes, other tasks have a turn first.
    fn receive_in_turn(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if self.in_turn >= TURN {
            self.in_turn = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let Poll::Ready(received) = self.receive(cx, buffer) else {
            self.in_turn = 0;
            return Poll::Pending;
        };
        let count = received?;
        self.in_turn += count;
        if self.blocked.is_some() {
            self.unanswered += count;
        }
        Poll::Ready(Ok(count))
    }

    fn receive(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        loop {
            let mut guard = ready!(self.socket.poll_read_ready(cx))?;
            let Ok(received) = guard.try_io(|socket| socket.get_ref().read(buffer)) else {
                continue;
            };
            // A short read emptied the socket: later bytes wake the task again.
            if received
                .as_ref()
                .is_ok_and(|n| (1..buffer.len()).contains(n))
            {
                guard.clear_ready();
            }
            return Poll::Ready(received);
        }
    }

    fn send(
        &mut self,
        cx: &mut Context<'_>,
        send: impl Fn(&UnixStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            let Some(blocked) = &self.blocked else {
                let socket = self.socket.get_ref();
                match send(socket) {
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                        let second = socket.try_clone()?;
                        self.blocked = Some(register(second, Interest::WRITABLE)?);
                        continue;
                    }
                    sent => return Poll::Ready(sent),
                }
            };
            self.check_speed(cx)?;
            let mut guard = ready!(blocked.poll_write_ready(cx))?;
            if let Ok(sent) = guard.try_io(|socket| send(socket.get_ref())) {
                self.blocked = None;
                self.unanswered = 0;
                if let Some(reader) = self.reader.take() {
                    reader.wake();
                }
                return Poll::Ready(sent);
            }
        }
    }
}

#[expect(
    deprecated,
    reason = "it is unsound only for a type that may change its descriptor, and a UnixStream \
              does not; its replacement is an unsafe function"
)]
fn register(socket: UnixStream, interest: Interest) -> io::Result<AsyncFd<UnixStream>> {
    AsyncFd::with_interest(socket, interest)
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let wanted = buf.remaining();
        if wanted == 0 {
            return Poll::Ready(Ok(()));
        }
        self.check_speed(cx)?;
        if self.blocked.is_some() && self.unanswered >= UNANSWERED {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.ahead.is_empty() {
            if wanted >= AHEAD {
                let count = ready!(self.receive_in_turn(cx, buf.initialize_unfilled()))?;
                buf.advance(count);
                return Poll::Ready(Ok(()));
            }
            let mut chunk = [0; AHEAD];
            let count = ready!(self.receive_in_turn(cx, &mut chunk))?;
            let (now, later) = chunk[..count].split_at(count.min(wanted));
            buf.put_slice(now);
            self.ahead.extend_from_slice(later);
            return Poll::Ready(Ok(()));
        }
        let ahead = &self.ahead[self.taken..];
        let count = ahead.len().min(wanted);
        buf.put_slice(&ahead[..count]);
        self.taken += count;
        if self.taken == self.ahead.len() {
            self.ahead = Vec::new();
            self.taken = 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.send(cx, |mut socket| socket.write(buf))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.send(cx, |mut socket| socket.write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.get_ref().shutdown(Shutdown::Write))
    }
}

impl Connected for Connection {
    type ConnectInfo = Arc<Peer>;

    fn connect_info(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

#[cfg(test)]
mod tests {
    use super::super::bounds::{Bounds, Kind};
    use super::super::limits::Limits;
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn pair() -> (Connection, UnixStream) {
        let (own, peer) = UnixStream::pair().unwrap();
        own.set_nonblocking(true).unwrap();
        let own = tokio::net::UnixStream::from_std(own).unwrap();
        let counts = Bounds::new(&Limits::default()).peer(None, None);
        let held = counts.hold(Kind::Connections).unwrap();
        let counted = Counted::Served { _held: held };
        (Connection::new(own, counts, counted).unwrap(), peer)
    }

    fn bytes(count: usize) -> Vec<u8> {
        (0..=250).cycle().take(count).collect()
    }

    #[tokio::test]
    async fn the_opening_bytes_can_be_read_again() {
        let (mut connection, mut peer) = pair();
        peer.write_all(b"hello, ").unwrap();
        assert_eq!(connection.opening().await.unwrap(), b"hello, ");
        peer.write_all(b"world").unwrap();
        drop(peer);
        let mut all = String::new();
        connection.read_to_string(&mut all).await.unwrap();
        assert_eq!(all, "hello, world");
    }

    #[tokio::test]
    async fn the_opening_may_come_in_pieces() {
        let (mut connection, mut peer) = pair();
        peer.write_all(b"hel").unwrap();
        let mut opening = Box::pin(connection.opening_of(5));
        assert!(futures::poll!(&mut opening).is_pending());
        peer.write_all(b"lo, world").unwrap();
        assert_eq!(opening.await.unwrap(), b"hello, world");
        drop(peer);
        assert_eq!(connection.opening_of(100).await.unwrap(), b"hello, world");
    }

    #[tokio::test]
    async fn the_opening_of_a_closed_connection_is_empty() {
        let (mut connection, peer) = pair();
        drop(peer);
        assert_eq!(connection.opening().await.unwrap(), b"");
    }

    #[tokio::test]
    async fn buffered_bytes_come_in_order_and_their_memory_is_freed() {
        let (mut connection, mut peer) = pair();
        let sent = bytes(3 * AHEAD);
        let writer = thread::spawn({
            let sent = sent.clone();
            move || {
                for part in sent.chunks(1000) {
                    peer.write_all(part).unwrap();
                }
                peer
            }
        });
        let mut all = Vec::new();
        for size in [1, 10, AHEAD - 1, AHEAD, 7].into_iter().cycle() {
            let mut part = vec![0; size.min(sent.len() - all.len())];
            connection.read_exact(&mut part).await.unwrap();
            all.extend(part);
            if all.len() == sent.len() {
                break;
            }
        }
        assert_eq!(all, sent);
        assert_eq!(connection.ahead.capacity(), 0);
        drop(writer.join().unwrap());
        assert_eq!(connection.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_slow_reader_gets_all_bytes_and_then_the_second_descriptor_is_closed() {
        let (mut connection, mut peer) = pair();
        let sent = bytes(4 << 20);
        let reader = thread::spawn(move || {
            let mut all = Vec::new();
            let mut part = vec![0; 100_000];
            loop {
                match peer.read(&mut part).unwrap() {
                    0 => return all,
                    n => all.extend_from_slice(&part[..n]),
                }
                thread::sleep(Duration::from_micros(200));
            }
        });
        let mut blocked = false;
        for part in sent.chunks(300_000) {
            let write = connection.write_all(part);
            tokio::pin!(write);
            let pending = futures::poll!(&mut write).is_pending();
            blocked |= pending;
            if pending {
                write.await.unwrap();
            }
        }
        assert!(blocked);
        assert!(connection.blocked.is_none());
        connection.shutdown().await.unwrap();
        assert_eq!(reader.join().unwrap(), sent);
    }

    #[tokio::test]
    async fn other_tasks_have_a_turn_while_a_peer_sends_without_end() {
        let (mut connection, mut peer) = pair();
        peer.set_nonblocking(true).unwrap();
        while peer.write(&bytes(AHEAD)).is_ok() {}
        connection.socket.readable().await.unwrap().retain_ready();
        let mut read = 0;
        while read <= TURN {
            let mut part = [0; AHEAD];
            let reading = connection.read(&mut part);
            tokio::pin!(reading);
            match futures::poll!(reading) {
                Poll::Ready(count) => read += count.unwrap(),
                Poll::Pending => break,
            }
        }
        assert_eq!(read, TURN);
        // The task is awake, and goes on.
        connection.read_exact(&mut [0; AHEAD]).await.unwrap();
    }

    #[tokio::test]
    async fn requests_are_read_while_the_peer_reads_no_replies() {
        let (connection, mut peer) = pair();
        let (mut read, mut write) = tokio::io::split(connection);
        let writing = tokio::spawn(async move { write.write_all(&bytes(4 << 20)).await });
        tokio::task::yield_now().await;
        assert!(!writing.is_finished());
        peer.write_all(b"still here").unwrap();
        let mut said = [0; 10];
        read.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"still here");
        drop(peer);
        writing.await.unwrap().unwrap_err();
    }

    #[tokio::test]
    async fn requests_are_read_up_to_a_limit_while_the_peer_reads_no_replies() {
        const SAID: usize = 4 << 20;
        let (connection, mut peer) = pair();
        let (mut read, mut write) = tokio::io::split(connection);
        let writing = tokio::spawn(async move { write.write_all(&bytes(SAID)).await });
        tokio::task::yield_now().await;
        let heard = Arc::new(AtomicUsize::new(0));
        let reading = tokio::spawn({
            let heard = Arc::clone(&heard);
            async move {
                let mut chunk = [0; AHEAD];
                while heard.load(Ordering::Relaxed) < SAID {
                    let count = read.read(&mut chunk).await.unwrap();
                    heard.fetch_add(count, Ordering::Relaxed);
                }
            }
        });
        let talking = thread::spawn({
            let mut peer = peer.try_clone().unwrap();
            move || peer.write_all(&bytes(SAID))
        });
        while heard.load(Ordering::Relaxed) < UNANSWERED {
            tokio::task::yield_now().await;
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        assert!(heard.load(Ordering::Relaxed) < UNANSWERED + AHEAD);
        let taking = thread::spawn(move || peer.read_exact(&mut vec![0; SAID]));
        reading.await.unwrap();
        writing.await.unwrap().unwrap();
        taking.join().unwrap().unwrap();
        talking.join().unwrap().unwrap();
    }
}
