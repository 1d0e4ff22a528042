//! Sends metrics to a Prometheus Pushgateway, for processes that end before they are scraped.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use plain_http::{PostError, StatusCode, Url};
use prometheus_client::registry::Registry;
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
pub struct PushUrl(Url);

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
        self.0.fmt(f)
    }
}

impl FromStr for PushUrl {
    type Err = InvalidPushUrl;

    fn from_str(url: &str) -> Result<Self, InvalidPushUrl> {
        let parsed = Url::parse(url, PORT).map_err(|reason| InvalidPushUrl {
            url: url.to_owned(),
            reason,
        })?;
        Ok(Self(match parsed.path() {
            "/" => parsed.with_path("/metrics/job/loadgen".to_owned()),
            _ => parsed,
        }))
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
        let content_type = Format::Prometheus.content_type();
        let answer = self.0.post(content_type, text).await;
        let status = answer.map_err(|error| match error {
            PostError::Connect(source) => PushError::Connect {
                url: self.clone(),
                source,
            },
            PostError::Send(source) => failed(source),
        })?;
        if !status.is_success() {
            return Err(PushError::Refused {
                url: self.clone(),
                status,
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
