//! Sends metrics to a Prometheus Pushgateway, for processes that end before they are scraped.
//!
//! The client is a POST over hyper's HTTP/1 connection, because the crate links hyper for its
//! server. An HTTP client library would add HTTPS and authentication at the price of a TLS stack
//! (rustls and a cryptographic library) in both programs that link this crate, for a Pushgateway
//! that runs on the same host or in the same trusted network as a load test. A Pushgateway behind
//! TLS is reached through a local proxy.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use prometheus_client::registry::Registry;
use tokio::net::TcpStream;
use tokio::runtime::{Builder, Runtime};

use crate::format::Format;

/// Time between two pushes.
const PERIOD: Duration = Duration::from_secs(5);
/// Timeout of a push.
const PATIENCE: Duration = Duration::from_secs(5);
/// Default port of HTTP.
const PORT: u16 = 80;

/// Address of a group of metrics on a Pushgateway: `http://HOST[:PORT]` and the path of the
/// group, by default `/metrics/job/loadgen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushUrl {
    host: String,
    port: u16,
    path: String,
}

/// Error of a text that is not a [`PushUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no address of a Pushgateway: {reason}, as in http://127.0.0.1:9091")]
pub struct InvalidPushUrl {
    url: String,
    reason: String,
}

/// Error of a push.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The connection could not be opened.
    #[error("connect to {url}")]
    Connect {
        /// Address of the Pushgateway.
        url: PushUrl,
        /// Error of the system.
        source: io::Error,
    },
    /// The connection failed during the request.
    #[error("send metrics to {url}")]
    Http {
        /// Address of the Pushgateway.
        url: PushUrl,
        /// Error of the encoder or of hyper.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The Pushgateway refused the metrics.
    #[error("{url} answers {status}")]
    Refused {
        /// Address of the Pushgateway.
        url: PushUrl,
        /// Status of the reply.
        status: StatusCode,
    },
    /// The timeout passed.
    #[error("{url} does not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// Address of the Pushgateway.
        url: PushUrl,
    },
}

impl fmt::Display for PushUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}{}", self.host, self.port, self.path)
    }
}

impl FromStr for PushUrl {
    type Err = InvalidPushUrl;

    fn from_str(url: &str) -> Result<Self, InvalidPushUrl> {
        let invalid = |reason: String| InvalidPushUrl {
            url: url.to_owned(),
            reason,
        };
        let uri: Uri = url.parse().map_err(|e| invalid(format!("{e}")))?;
        if uri.scheme_str() != Some("http") {
            return Err(invalid("http:// is needed".to_owned()));
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| invalid("a host is needed".to_owned()))?;
        if uri.query().is_some() {
            return Err(invalid("a query has no meaning".to_owned()));
        }
        Ok(Self {
            host: host.to_owned(),
            port: uri.port_u16().unwrap_or(PORT),
            path: match uri.path() {
                "/" => "/metrics/job/loadgen".to_owned(),
                path => path.to_owned(),
            },
        })
    }
}

impl PushUrl {
    /// Sends all metrics once. They replace the metrics of the same names in the group.
    async fn push(&self, registry: &Registry) -> Result<(), PushError> {
        match tokio::time::timeout(PATIENCE, self.post(registry)).await {
            Ok(pushed) => pushed,
            Err(_) => Err(PushError::Silent { url: self.clone() }),
        }
    }

    async fn post(&self, registry: &Registry) -> Result<(), PushError> {
        let failed = |source: Box<dyn std::error::Error + Send + Sync>| PushError::Http {
            url: self.clone(),
            source,
        };
        let text = Format::Prometheus
            .encode(registry)
            .map_err(|e| failed(e.into()))?;
        // An IPv6 address has brackets in a URL and none in a socket address.
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, self.port)).await;
        let stream = stream.map_err(|source| PushError::Connect {
            url: self.clone(),
            source,
        })?;
        let request = Request::post(&self.path)
            .header(HOST, format!("{}:{}", self.host, self.port))
            .header(CONTENT_TYPE, Format::Prometheus.content_type())
            .body(text)
            .map_err(|e| failed(e.into()))?;
        let io = TokioIo::new(stream);
        let handshake = hyper::client::conn::http1::handshake(io).await;
        let (mut sender, connection) = handshake.map_err(|e| failed(e.into()))?;
        // The task ends with the sender, and a failure of it shows in the answer.
        tokio::spawn(connection);
        let answer = sender.send_request(request).await;
        let answer = answer.map_err(|e| failed(e.into()))?;
        if !answer.status().is_success() {
            return Err(PushError::Refused {
                url: self.clone(),
                status: answer.status(),
            });
        }
        Ok(())
    }
}

/// Sends metrics every five seconds from a thread of its own, and once more at the end.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use exposition::{Pusher, Registry};
///
/// let url = "http://127.0.0.1:9091".parse()?;
/// let pusher = Pusher::start(url, Arc::new(Registry::default()))?;
/// pusher.finish()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Pusher {
    done: Sender<()>,
    thread: JoinHandle<Result<(), PushError>>,
}

impl Pusher {
    /// Starts the thread.
    ///
    /// # Errors
    /// If the thread cannot be started.
    pub fn start(url: PushUrl, registry: Arc<Registry>) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (done, told) = mpsc::channel();
        let push = move || push_until(&told, &url, &registry, &runtime);
        let thread = std::thread::Builder::new().name("metrics-push".to_owned());
        Ok(Self {
            done,
            thread: thread.spawn(push)?,
        })
    }

    /// Sends the metrics a last time and ends the thread.
    ///
    /// # Errors
    /// If the last push fails. It makes up for earlier pushes that failed.
    pub fn finish(self) -> Result<(), PushError> {
        drop(self.done);
        // A panic of this thread concerns the metrics only, and not the work of the process.
        self.thread.join().unwrap_or(Ok(()))
    }
}

fn push_until(
    told: &mpsc::Receiver<()>,
    url: &PushUrl,
    registry: &Registry,
    runtime: &Runtime,
) -> Result<(), PushError> {
    while told.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        // A later push replaces a failed one, and the last push reports its failure.
        let _ = runtime.block_on(url.push(registry));
    }
    runtime.block_on(url.push(registry))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::net::TcpListener;

    #[test]
    fn a_url_names_a_host_and_optionally_a_group() {
        for (url, read) in [
            (
                "http://localhost:9091",
                "http://localhost:9091/metrics/job/loadgen",
            ),
            ("http://gateway/", "http://gateway:80/metrics/job/loadgen"),
            (
                "http://[::1]:1/metrics/job/a/b/c",
                "http://[::1]:1/metrics/job/a/b/c",
            ),
        ] {
            assert_eq!(url.parse::<PushUrl>().unwrap().to_string(), read);
        }
        for url in [
            "",
            "localhost:9091",
            "https://a",
            "/metrics",
            "http://",
            "http://a/?b",
        ] {
            let error = url.parse::<PushUrl>().unwrap_err().to_string();
            assert!(error.contains("http://127.0.0.1:9091"), "{url}: {error}");
        }
    }

    /// Starts a server that answers one request with `status` and passes the request on.
    fn answering(status: &'static str) -> (PushUrl, mpsc::Receiver<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (seen, request) = mpsc::channel();
        let answer = move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\nprocess_up 1\n") {
                let mut some = [0; 4096];
                let read = stream.read(&mut some).unwrap();
                assert!(read > 0, "the request ends early");
                request.extend_from_slice(&some[..read]);
            }
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap();
            let _ = seen.send(String::from_utf8(request).unwrap());
        };
        std::thread::spawn(answer);
        (url.parse().unwrap(), request)
    }

    fn registry() -> Arc<Registry> {
        let mut registry = Registry::default();
        let up = prometheus_client::metrics::gauge::Gauge::<i64>::default();
        up.set(1);
        registry.register("process_up", "Up", up);
        Arc::new(registry)
    }

    #[test]
    fn the_last_state_is_sent() {
        let (url, request) = answering("202 Accepted");
        Pusher::start(url, registry()).unwrap().finish().unwrap();
        let request = request.recv_timeout(PATIENCE).unwrap();
        assert!(
            request.starts_with("POST /metrics/job/loadgen HTTP/1.1\r\n"),
            "{request}"
        );
        assert!(request.contains("text/plain; version=0.0.4"), "{request}");
        assert!(request.contains("# TYPE process_up gauge"), "{request}");
    }

    #[test]
    fn a_refusal_is_reported() {
        let (url, request) = answering("400 Bad Request");
        let error = Pusher::start(url, registry())
            .unwrap()
            .finish()
            .unwrap_err();
        assert!(
            error.to_string().ends_with("answers 400 Bad Request"),
            "{error}"
        );
        request.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn a_closed_port_is_reported() {
        let url: PushUrl = "http://127.0.0.1:1".parse().unwrap();
        let error = Pusher::start(url, registry())
            .unwrap()
            .finish()
            .unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("connect to http://127.0.0.1:1/"),
            "{error}"
        );
    }
}
