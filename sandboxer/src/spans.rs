//! Spans of RPCs for OpenTelemetry.

use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use containerd_sandbox::server::{EndedCall, Observer};
use otlp::{Endpoint, Exporter, Kind, Span};
use tracing::warn;

/// Name of the service in the spans.
const SERVICE: &str = "resource-slot-sandboxer";

/// Services over ttrpc. RPCs of tasks name containers, all others sandboxes.
const TASK: &str = "containerd.task.v3.Task";
const SANDBOX: &str = "containerd.runtime.sandbox.v1.Sandbox";

/// Odd number close to 2^64 divided by the golden ratio: its multiples are all different, and
/// spread over all 64-bit numbers.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Exporter of a span for each RPC, with the caller's trace context as its parent.
pub struct Spans {
    exporter: Exporter,
    /// Random number that the ids of this process begin with.
    base: u64,
    next: AtomicU64,
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spans").finish_non_exhaustive()
    }
}

impl Spans {
    /// Starts to export to an OTLP receiver. The first failure of a request is logged.
    ///
    /// # Errors
    /// A thread or random number that the system refuses.
    pub fn start(endpoint: Endpoint) -> io::Result<Self> {
        let mut warned = false;
        let exporter = Exporter::start(endpoint, SERVICE, move |error| {
            if !std::mem::replace(&mut warned, true) {
                warn!("--otlp: {error}; spans are lost");
            }
        })?;
        Ok(Self {
            exporter,
            base: getrandom::u64()?,
            next: AtomicU64::new(1),
        })
    }

    /// Returns an id that this process gives once; not 0.
    fn id(&self) -> u64 {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let id = self.base ^ number.wrapping_mul(SPREAD);
        if id == 0 { self.id() } else { id }
    }

    fn span(&self, call: EndedCall<'_>) -> Span {
        let protocol = match call.service {
            TASK | SANDBOX => "ttrpc",
            _ => "grpc",
        };
        let mut attributes = vec![
            ("rpc.system", protocol.to_owned()),
            ("rpc.service", call.service.to_owned()),
            ("rpc.method", call.method.to_owned()),
        ];
        if let Some(code) = call.failure {
            attributes.push(("rpc.response.status_code", code.to_string()));
        }
        let of = match call.service {
            TASK => "container.id",
            _ => "sandbox.id",
        };
        if !call.id.is_empty() {
            attributes.push((of, call.id.to_owned()));
        }
        let attributes = attributes.into_iter();
        let since = call.begun.duration_since(UNIX_EPOCH).unwrap_or_default();
        Span {
            trace: match call.context {
                Some(context) => context.trace,
                None => u128::from(self.base) << 64 | u128::from(self.id()),
            },
            id: self.id(),
            parent: call.context.map(|context| context.span),
            name: format!("{}/{}", call.service, call.method),
            service: SERVICE.into(),
            kind: Kind::Server,
            from_ns: nanoseconds(since),
            until_ns: nanoseconds(since + call.took),
            attributes: attributes
                .map(|(key, value)| (key.to_owned(), value))
                .collect(),
            failed: call.failure.is_some(),
        }
    }
}

impl Observer for Spans {
    fn ended(&self, call: EndedCall<'_>) {
        if call.context.is_none_or(|context| context.sampled) {
            self.exporter.send(self.span(call));
        }
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
