//! Metrics sent to a Prometheus Pushgateway, for processes that end before they are scraped.

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

/// How often metrics are sent.
const PERIOD: Duration = Duration::from_secs(5);
/// How long sending may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// HTTP's port.
const PORT: u16 = 80;

/// Where metrics are sent: `http://HOST[:PORT]`, and the path of a group if it is not
/// `/metrics/job/loadgen`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushUrl {
    host: String,
    port: u16,
    path: String,
}

/// What is no [`PushUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no address of a Pushgateway: {reason}, as in http://127.0.0.1:9091")]
pub struct InvalidPushUrl {
    url: String,
    reason: String,
}

/// Why metrics could not be sent.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// No connection, or it broke.
    #[error("connect to {url}")]
    Connect {
        /// Where it is.
        url: PushUrl,
        /// What the system says.
        source: io::Error,
    },
    /// The conversation failed.
    #[error("send metrics to {url}")]
    Http {
        /// Where it is.
        url: PushUrl,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The Pushgateway does not want them.
    #[error("{url} answers {status}")]
    Refused {
        /// Where it is.
        url: PushUrl,
        /// What it says.
        status: StatusCode,
    },
    /// It took too long.
    #[error("{url} does not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// Where it is.
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
    /// Sends all metrics once, in place of those of the same names in the group.
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
        // An IPv6 address stands in brackets in a URL only.
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
        // It ends with its sender; how it fails, the answer tells.
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

/// Sends metrics every five seconds, from a thread of its own, and once more at its end.
#[derive(Debug)]
pub struct Pusher {
    done: Sender<()>,
    thread: JoinHandle<Result<(), PushError>>,
}

impl Pusher {
    /// Starts sending.
    ///
    /// # Errors
    /// If there can be no thread for it.
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

    /// Sends a last time.
    ///
    /// # Errors
    /// If that fails; whatever failed before has been made up for.
    pub fn finish(self) -> Result<(), PushError> {
        drop(self.done);
        // Its panic would be about metrics; what they are of is not hurt.
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
        // The next one is as good, and the last one tells.
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
    fn a_url_names_a_host_and_maybe_a_group() {
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

    /// Answers one request, and tells what it was.
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
    fn what_is_there_in_the_end_is_sent() {
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
    fn a_refusal_is_told() {
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
    fn nobody_there_is_told() {
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
