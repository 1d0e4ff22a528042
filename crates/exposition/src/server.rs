//! The HTTP server.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use connection_limit::Waiting;
use hyper::header::{ACCEPT, ALLOW, CONTENT_TYPE, HeaderValue, VARY};
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::registry::Registry;
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::format::Format;

/// Greatest number of open connections. A further one takes the place of the oldest, because a
/// scrape is answered as soon as its request is read.
const MAX_CONNECTIONS: usize = 64;
/// Greatest number of connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// Timeout for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Greatest duration of a connection, which serves one request: the default scrape interval of
/// Prometheus, above which a scrape timeout makes no sense.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Time between a failure to accept a connection, such as for want of descriptors, and the next
/// attempt.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Error of the start of a server.
#[derive(Debug, thiserror::Error)]
#[error("serve metrics on {address}")]
pub struct ListenError {
    /// Address that was requested.
    pub address: SocketAddr,
    /// Error of the system.
    pub source: io::Error,
}

/// A server of one registry's metrics. Runs on a thread of its own until it is dropped, and
/// answers scrapes one after the other.
#[derive(Debug)]
pub struct MetricsServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl MetricsServer {
    /// Starts to serve a registry on an address. Port 0 stands for any free port.
    ///
    /// # Errors
    /// If the address is not free, or the thread cannot be started.
    pub fn start(
        address: SocketAddr,
        registry: impl Into<Arc<Registry>>,
    ) -> Result<Self, ListenError> {
        Self::listen(address, registry.into()).map_err(|source| ListenError { address, source })
    }

    fn listen(address: SocketAddr, registry: Arc<Registry>) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        // The standard library's queue is too short for a burst of connections.
        rustix::net::listen(&listener, BACKLOG)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = accept(listener, registry) => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("metrics".to_owned());
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread.spawn(serve)?),
        })
    }

    /// Returns the address that the server listens on, with the actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for MetricsServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of this thread concerns the metrics only, and not the work of the process.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, registry: Arc<Registry>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else {
        return;
    };
    let open = Waiting::new(MAX_CONNECTIONS, MAX_CONNECTIONS);
    let mut connections = JoinSet::new();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                let registry = Arc::clone(&registry);
                let mut place = open.enter(peer.ip());
                connections.spawn(async move {
                    let served = serve(stream, &registry);
                    // A client that goes away or takes too long has no effect on others.
                    tokio::select! {
                        _ = tokio::time::timeout(CONNECTION_TIMEOUT, served) => {}
                        () = place.lost() => {}
                    }
                });
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
        // The request of a client is read before the next connections can take its place.
        tokio::task::yield_now().await;
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(stream: TcpStream, registry: &Registry) -> hyper::Result<()> {
    let service = service_fn(|request: Request<hyper::body::Incoming>| {
        let (head, _) = request.into_parts();
        let answer = answer(registry, &head.method, head.uri.path(), &head.headers);
        std::future::ready(Ok::<_, Infallible>(answer))
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await
}

fn answer(registry: &Registry, method: &Method, path: &str, head: &HeaderMap) -> Response<String> {
    if path != "/metrics" {
        return plain(StatusCode::NOT_FOUND, "only GET /metrics is answered\n");
    }
    // Of an answer to HEAD, hyper sends the head alone.
    if method != Method::GET && method != Method::HEAD {
        let message = "only GET and HEAD are answered\n";
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, message);
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    let accept = head.get_all(ACCEPT).iter();
    let accept: Vec<&str> = accept.filter_map(|value| value.to_str().ok()).collect();
    let format = Format::accepted(&accept.join(","));
    match format.encode(registry) {
        Ok(text) => {
            let mut response = Response::new(text);
            let kind = HeaderValue::from_static(format.content_type());
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
                .headers_mut()
                .insert(VARY, HeaderValue::from_static("Accept"));
            response
        }
        Err(_) => plain(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the metrics cannot be written\n",
        ),
    }
}

fn plain(status: StatusCode, message: &str) -> Response<String> {
    let mut response = Response::new(message.to_owned());
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;
    use std::io::{Read, Write};
    use std::net::TcpStream;

    fn server() -> MetricsServer {
        let mut registry = Registry::default();
        let pods = Counter::<u64>::default();
        pods.inc_by(3);
        registry.register("pods", "Pods", pods);
        MetricsServer::start(SocketAddr::from(([127, 0, 0, 1], 0)), registry).unwrap()
    }

    fn asked(server: &MetricsServer, request: &str) -> String {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        write!(stream, "{request}\r\nHost: here\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn metrics_come_in_the_requested_format() {
        let server = server();
        let classic = asked(&server, "GET /metrics HTTP/1.1");
        assert!(classic.starts_with("HTTP/1.1 200"), "{classic}");
        assert!(classic.contains("text/plain; version=0.0.4"), "{classic}");
        assert!(
            classic.ends_with("# TYPE pods_total counter\npods_total 3\n"),
            "{classic}"
        );
        let accept = "GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text";
        let open = asked(&server, accept);
        assert!(open.contains("openmetrics-text; version=1.0.0"), "{open}");
        assert!(
            open.ends_with("# TYPE pods counter\npods_total 3\n# EOF\n"),
            "{open}"
        );
    }

    #[test]
    fn other_paths_are_not_found() {
        let server = server();
        for request in [
            "GET / HTTP/1.1",
            "GET /metrics/ HTTP/1.1",
            "POST /x HTTP/1.1",
        ] {
            let answer = asked(&server, request);
            assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        }
        assert!(asked(&server, "GET /metrics?x=1 HTTP/1.1").starts_with("HTTP/1.1 200"));
    }

    #[test]
    fn head_is_answered_without_the_metrics_and_other_methods_are_refused() {
        let server = server();
        let full = asked(&server, "GET /metrics HTTP/1.1");
        let (head, body) = full.split_once("\r\n\r\n").unwrap();
        let length = format!("content-length: {}\r\n", body.len());
        let answer = asked(&server, "HEAD /metrics HTTP/1.1");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains(&length), "{answer}");
        assert!(answer.ends_with("\r\n\r\n"), "{answer}");
        assert!(head.contains("vary: Accept"), "{head}");
        for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
            let answer = asked(&server, &format!("{method} /metrics HTTP/1.1"));
            assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
            assert!(answer.contains("allow: GET, HEAD\r\n"), "{answer}");
        }
    }

    #[test]
    fn silent_clients_do_not_block_a_scrape_and_a_drop_closes_their_connections() {
        let server = server();
        // Far more connections than there is room for.
        let silent: Vec<_> = (0..4 * MAX_CONNECTIONS)
            .map(|_| TcpStream::connect(server.address()).unwrap())
            .collect();
        assert!(asked(&server, "GET /metrics HTTP/1.1").starts_with("HTTP/1.1 200"));
        drop(server);
        for mut stream in silent {
            // Closed or reset, but no longer open.
            assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
        }
    }

    #[test]
    fn the_error_of_a_taken_address_names_it() {
        let server = server();
        let error = MetricsServer::start(server.address(), Registry::default()).unwrap_err();
        let address = server.address().to_string();
        assert!(error.to_string().ends_with(&address), "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("in use"), "{cause}");
    }
}
