//! Collects the spans of other processes.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use otlp::{Kind, Receiver, Span};
use parking_lot::{Condvar, Mutex};

use super::recorder::Recorder;
use super::tree::IDS;

/// Time for which containerd collects spans before it sends them.
const DELAY: Duration = Duration::from_millis(200);

/// Number of containerd's spans that may wait: a second of a fast containerd.
const QUEUE: u32 = 1 << 16;

/// Number of spans that containerd sends at once.
const BATCH: u32 = 1 << 12;

/// Highest number of calls of a pod.
const MOST_CALLS: u64 = u32::MAX as u64;

/// Time limit for the spans of the last calls to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// A receiver of spans, which keeps them until they are taken.
#[derive(Debug)]
pub struct Collector {
    receiver: Receiver,
    received: Arc<Received>,
}

#[derive(Debug, Default)]
struct Received {
    spans: Mutex<Vec<Span>>,
    more: Condvar,
}

impl Collector {
    /// Starts to receive.
    ///
    /// # Errors
    /// A port or thread that the system refuses.
    pub fn start() -> io::Result<Self> {
        let received = Arc::<Received>::default();
        let kept = Arc::clone(&received);
        let receiver = Receiver::start(move |mut spans| {
            for span in &mut spans {
                // The trees need no other attributes, and a long load has many spans.
                span.attributes.retain(|(key, _)| IDS.contains(&&**key));
                span.attributes.shrink_to_fit();
            }
            kept.spans.lock().extend(spans);
            kept.more.notify_all();
        })?;
        Ok(Self { receiver, received })
    }

    /// Returns the base of the receiver's URLs.
    pub fn endpoint(&self) -> String {
        self.receiver.endpoint()
    }

    /// Waits until each recorded call has the span of the server that answered it, or the time
    /// limit is over.
    pub fn settle(&self, recorder: &Recorder) {
        let until = Instant::now() + PATIENCE;
        let mut spans = self.received.spans.lock();
        while answers(&spans, recorder) < recorder.count() {
            if self.received.more.wait_until(&mut spans, until).timed_out() {
                return;
            }
        }
    }

    /// Returns all spans so far, and forgets them.
    pub fn take(&self) -> Vec<Span> {
        std::mem::take(&mut self.received.spans.lock())
    }
}

/// Returns the number of spans of servers that answered this program. The ids of its own spans are
/// small numbers, and those of others random ones.
fn answers(spans: &[Span], recorder: &Recorder) -> usize {
    let is_own = |span: &&Span| span.parent.is_some_and(|id| id <= MOST_CALLS);
    let of_load = |span: &&Span| recorder.pod_of(span.trace).is_some();
    let served = |span: &&Span| span.kind == Kind::Server;
    let answers = spans.iter().filter(served).filter(is_own).filter(of_load);
    answers.count()
}

/// Returns the variables with which a Go program sends its spans to this endpoint (OpenTelemetry
/// specification, environment variables).
pub fn variables(endpoint: &str) -> Vec<(String, String)> {
    let delay = DELAY.as_millis().to_string();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned()),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf".to_owned()),
        ("OTEL_TRACES_SAMPLER", "parentbased_always_on".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", delay),
        ("OTEL_BSP_MAX_QUEUE_SIZE", QUEUE.to_string()),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", BATCH.to_string()),
    ];
    let variables = variables.into_iter();
    variables
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
