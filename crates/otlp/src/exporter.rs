//! The client that sends spans.

use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use plain_http::{PostError, StatusCode, Url};
use prost::Message;
use tokio::runtime::Builder;
use tokio::sync::mpsc;

use crate::span::{self, Span};
use crate::{PATH, PROTOBUF};

/// Port of OTLP over HTTP without one in the URL (OTLP specification).
const PORT: u16 = 4318;

/// Number of spans that wait to be sent; further ones are dropped.
const QUEUE: usize = 1 << 16;

/// Greatest number of spans in a request.
const BATCH: usize = 1 << 12;

/// Time for which the first span of a request waits for others.
const GATHER: Duration = Duration::from_millis(100);

/// Timeout of a request.
const PATIENCE: Duration = Duration::from_secs(5);

/// Base of the URLs of a receiver, `http://HOST[:PORT]`, as in `OTEL_EXPORTER_OTLP_ENDPOINT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Error of a text that is no [`Endpoint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{url:?} is no address of an OTLP receiver: {reason}, as in http://127.0.0.1:4318")]
pub struct InvalidEndpoint {
    url: String,
    reason: String,
}

/// Error of a request with spans.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The connection could not be opened, or failed.
    #[error("send spans to {endpoint}")]
    Http {
        /// Address of the receiver.
        endpoint: Endpoint,
        /// The failure.
        source: PostError,
    },
    /// The receiver refused the spans.
    #[error("{endpoint} answers {status}")]
    Refused {
        /// Address of the receiver.
        endpoint: Endpoint,
        /// Status of the reply.
        status: StatusCode,
    },
    /// The timeout passed.
    #[error("{endpoint} does not answer within {} s", PATIENCE.as_secs())]
    Silent {
        /// Address of the receiver.
        endpoint: Endpoint,
    },
}

/// Sends the spans of one service from a thread of its own. A failed request is not repeated: its
/// spans are lost.
#[derive(Debug)]
pub struct Exporter {
    spans: Option<mpsc::Sender<Span>>,
    dropped: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.0.to_string();
        f.write_str(url.trim_end_matches('/'))
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(url: &str) -> Result<Self, InvalidEndpoint> {
        let parsed = Url::parse(url, PORT);
        parsed.map(Self).map_err(|reason| InvalidEndpoint {
            url: url.to_owned(),
            reason,
        })
    }
}

impl Exporter {
    /// Starts the thread. `failed` is called with the failure of a request.
    ///
    /// # Errors
    /// A thread that the system refuses.
    pub fn start(
        endpoint: Endpoint,
        service: &str,
        mut failed: impl FnMut(ExportError) + Send + 'static,
    ) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (spans, mut queue) = mpsc::channel(QUEUE);
        let service = service.to_owned();
        let dropped = Arc::new(AtomicU64::new(0));
        let lost = Arc::clone(&dropped);
        let send = move || {
            runtime.block_on(async {
                let mut batch = Vec::new();
                while next(&mut queue, &mut batch).await {
                    if let Err(error) = endpoint.send(&service, &batch).await {
                        lost.fetch_add(batch.len() as u64, Ordering::Relaxed);
                        failed(error);
                    }
                    batch.clear();
                }
            });
        };
        let thread = std::thread::Builder::new().name("spans".to_owned());
        Ok(Self {
            spans: Some(spans),
            dropped,
            thread: Some(thread.spawn(send)?),
        })
    }

    /// Sends a span later, or drops it if too many wait.
    pub fn send(&self, span: Span) {
        let is_sent = self
            .spans
            .as_ref()
            .is_some_and(|spans| spans.try_send(span).is_ok());
        if !is_sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the number of spans that were dropped or lost with a request.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Drop for Exporter {
    /// Sends the last spans.
    fn drop(&mut self) {
        self.spans.take();
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was printed, and concerns the spans alone.
            let _ = thread.join();
        }
    }
}

/// Waits for the next spans to send; returns `false` at the end of all.
async fn next(queue: &mut mpsc::Receiver<Span>, batch: &mut Vec<Span>) -> bool {
    if queue.recv_many(batch, BATCH).await == 0 {
        return false;
    }
    let until = tokio::time::Instant::now() + GATHER;
    while batch.len() < BATCH {
        let more = queue.recv_many(batch, BATCH - batch.len());
        match tokio::time::timeout_at(until, more).await {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    true
}

impl Endpoint {
    async fn send(&self, service: &str, spans: &[Span]) -> Result<(), ExportError> {
        let body = span::encode(service, spans).encode_to_vec();
        let path = format!("{}{PATH}", self.0.path().trim_end_matches('/'));
        let url = self.0.clone().with_path(path);
        match tokio::time::timeout(PATIENCE, url.post(PROTOBUF, body)).await {
            Ok(Ok(status)) if status.is_success() => Ok(()),
            Ok(Ok(status)) => Err(ExportError::Refused {
                endpoint: self.clone(),
                status,
            }),
            Ok(Err(source)) => Err(ExportError::Http {
                endpoint: self.clone(),
                source,
            }),
            Err(_) => Err(ExportError::Silent {
                endpoint: self.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc as std_mpsc;

    use super::*;
    use crate::{Kind, Receiver};

    fn span(id: u64) -> Span {
        Span {
            trace: 1,
            id,
            parent: Some(3),
            name: "Create".to_owned(),
            service: "tested".into(),
            kind: Kind::Server,
            from_ns: 1,
            until_ns: 2,
            attributes: vec![("sandbox.id".to_owned(), "pod".to_owned())],
            failed: true,
        }
    }

    #[test]
    fn all_spans_are_sent_before_the_end() {
        let (give, taken) = std_mpsc::channel();
        let receiver = Receiver::start(move |spans| give.send(spans).unwrap()).unwrap();
        let endpoint = receiver.endpoint().parse().unwrap();
        let exporter = Exporter::start(endpoint, "tested", |error| panic!("{error}")).unwrap();
        let sent: Vec<Span> = (1..=5000).map(span).collect();
        for span in &sent {
            exporter.send(span.clone());
        }
        assert_eq!(exporter.dropped(), 0);
        drop(exporter);
        drop(receiver);
        assert_eq!(taken.iter().flatten().collect::<Vec<_>>(), sent);
    }

    #[test]
    fn the_failure_of_a_request_is_told_and_counted() {
        let (give, taken) = std_mpsc::channel();
        let endpoint = "http://127.0.0.1:1".parse().unwrap();
        let exporter = Exporter::start(endpoint, "tested", move |error: ExportError| {
            give.send(error.to_string()).unwrap();
        });
        let exporter = exporter.unwrap();
        exporter.send(span(1));
        let told = taken.recv().unwrap();
        assert_eq!(told, "send spans to http://127.0.0.1:1");
        assert_eq!(exporter.dropped(), 1);
    }

    #[test]
    fn an_endpoint_names_a_host_and_optionally_a_port_and_a_path() {
        for (url, read) in [
            ("http://localhost", "http://localhost:4318"),
            ("http://[::1]:1/otlp/", "http://[::1]:1/otlp"),
        ] {
            assert_eq!(url.parse::<Endpoint>().unwrap().to_string(), read);
        }
        for url in ["", "localhost:4318", "https://a", "http://", "http://a/?b"] {
            let error = url.parse::<Endpoint>().unwrap_err().to_string();
            assert!(error.contains("http://127.0.0.1:4318"), "{url}: {error}");
        }
    }
}
