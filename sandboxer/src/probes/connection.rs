//! A connection to one port of a pod, over any byte stream.

use std::time::Duration;

use containerd_sandbox::Key;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, BufReader};
use tokio::time::timeout;
use tracing::debug;

use super::answers::{Answers, PodPort};
use super::http::{self, Tasks};
use super::tls;

/// Longest time of a connection, whatever its client does.
const CONNECTION_TIME: Duration = Duration::from_secs(5 * 60);
/// Longest time until the first byte of a client: a client of TCP alone may never send one.
const FIRST_BYTE_TIME: Duration = Duration::from_secs(60);
/// Time within which a client must send the head of an HTTP request, also of a further one.
const HEAD_TIME: Duration = Duration::from_secs(10);
/// Largest head of a request in bytes, of HTTP/1 and of HTTP/2.
const MAX_HEAD: usize = 16 << 10;
const MAX_HEADER_LIST: u32 = 16 << 10;
/// Largest number of requests at once on one connection of HTTP/2.
const MAX_STREAMS: u32 = 16;
/// Bytes of bodies that a client of HTTP/2 may send before they are read.
const WINDOW: u32 = 64 << 10;
/// Size of the buffer of a connection in bytes, which the first bytes of its client must fit.
const BUFFER: usize = 1 << 10;

/// Error of a connection, which only the log tells: of the system, of HTTP or of TLS.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Error of a connection to a port on which nothing listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("connection refused: nothing listens on port {0} of the pod")]
pub struct Refused(pub u16);

impl Answers {
    /// Serves a byte stream as a client's connection to a port of a sandbox, until either side
    /// ends it, for five minutes at most. It is answered as a listener does, also where none is:
    /// without `--answer-probes`, and on a host's network. Dropping the future closes the stream.
    ///
    /// # Errors
    /// [`Refused`] at once if the port is closed: no running container of the sandbox has it,
    /// or none that is ready.
    pub async fn serve<S>(&self, sandbox: &Key, port: u16, stream: S) -> Result<(), Refused>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let pod_port = self.port(sandbox, port);
        if pod_port.open().is_none() {
            return Err(Refused(port));
        }
        pod_port.serve(stream).await;
        Ok(())
    }
}

impl PodPort {
    /// Serves one connection, whose port was open when it came.
    pub(super) async fn serve<S>(&self, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let served = timeout(CONNECTION_TIME, self.speak(stream)).await;
        match served {
            Ok(Ok(())) => {}
            Ok(Err(e)) => debug!("port {} of {}: {e}", self.port, self.sandbox),
            Err(_) => debug!("port {} of {}: its time is over", self.port, self.sandbox),
        }
    }

    /// Speaks the protocol of the first bytes: TLS, in which a second protocol follows, or HTTP.
    async fn speak<S>(&self, stream: S) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut stream = BufReader::with_capacity(BUFFER, stream);
        if self.open().is_some_and(|open| open.is_paused) {
            return self.stay_silent(stream).await;
        }
        let first = timeout(FIRST_BYTE_TIME, stream.fill_buf()).await??.first();
        match first {
            None => Ok(()),
            Some(&tls::FIRST_BYTE) => {
                let acceptor = self.answers.tls().acceptor()?;
                let decrypted = timeout(HEAD_TIME, acceptor.accept(stream)).await??;
                self.http(decrypted).await
            }
            Some(_) => self.http(stream).await,
        }
    }

    /// Reads what a client sends, and answers nothing.
    async fn stay_silent<S>(&self, mut stream: S) -> Result<(), Failure>
    where
        S: AsyncRead + Unpin,
    {
        let mut read = [0; BUFFER];
        while stream.read(&mut read).await? > 0 {}
        Ok(())
    }

    async fn http<S>(&self, stream: S) -> Result<(), Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let tasks = Tasks::default();
        let mut builder = auto::Builder::new(tasks.executor());
        builder
            .http1()
            // A client may end its side once its request is complete, as a forwarded port does.
            .half_close(true)
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIME)
            .max_buf_size(MAX_HEAD)
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEADER_LIST)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW);
        let service = service_fn(|request| {
            let port = self.clone();
            async move { http::respond(&port, request).await }
        });
        builder
            .serve_connection(TokioIo::new(stream), service)
            .await
    }
}
