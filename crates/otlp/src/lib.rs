//! Spans of OpenTelemetry over OTLP/HTTP with Protocol Buffers.
//!
//! [`Receiver`] is a server for the spans of the processes of one measurement, and [`Exporter`]
//! sends the spans of one process. Both work on threads of their own, and speak the binary form of
//! the OTLP specification (<https://opentelemetry.io/docs/specs/otlp/>, section OTLP/HTTP), which
//! `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf` selects in other programs. The messages are those of
//! `opentelemetry-proto`.

mod exporter;
mod receiver;
mod span;

pub use exporter::{Endpoint, ExportError, Exporter, InvalidEndpoint};
pub use receiver::Receiver;
pub use span::{Kind, Span};

/// Path of a request with spans (OTLP specification, section OTLP/HTTP Request).
const PATH: &str = "/v1/traces";

/// Content type of a message in binary form.
const PROTOBUF: &str = "application/x-protobuf";

/// Runs the example of the README as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
