//! Spans, and their messages.

use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{self as proto, ResourceSpans, ScopeSpans, Status};

/// Attribute of a resource with the name of its service (OpenTelemetry semantic conventions).
const SERVICE_NAME: &str = "service.name";

/// Role of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work within a process.
    Internal,
    /// Reply to a request.
    Server,
    /// Request to another process.
    Client,
}

/// One operation in one process, from its beginning to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Id of the trace; not 0.
    pub trace: u128,
    /// Id of the span in its trace; not 0.
    pub id: u64,
    /// Id of the span that caused this one; `None` for the first of a trace.
    pub parent: Option<u64>,
    /// Name of the operation.
    pub name: String,
    /// Name of the process's service; empty if it states none.
    pub service: Arc<str>,
    /// Role of the span.
    pub kind: Kind,
    /// Beginning, in nanoseconds since 1970.
    pub from_ns: u64,
    /// End, in nanoseconds since 1970.
    pub until_ns: u64,
    /// Attributes with texts, in their order.
    pub attributes: Vec<(String, String)>,
    /// Whether the operation failed.
    pub failed: bool,
}

impl Span {
    /// Returns the text of an attribute.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let mut attributes = self.attributes.iter();
        let (_, value) = attributes.find(|(name, _)| name == key)?;
        Some(value)
    }
}

/// Returns the spans of a request. Those without valid ids are left out.
pub(crate) fn decode(request: ExportTraceServiceRequest) -> Vec<Span> {
    let mut spans = Vec::new();
    for group in request.resource_spans {
        let attributes = group.resource.map(|resource| resource.attributes);
        let service = attributes.unwrap_or_default().into_iter();
        let service = service
            .filter_map(text)
            .find(|(key, _)| key == SERVICE_NAME);
        let service: Arc<str> = service.map_or_else(Arc::default, |(_, name)| name.into());
        let of_group = group.scope_spans.into_iter().flat_map(|scope| scope.spans);
        spans.extend(of_group.filter_map(|span| decoded(span, &service)));
    }
    spans
}

fn decoded(span: proto::Span, service: &Arc<str>) -> Option<Span> {
    let kind = match span.kind() {
        proto::span::SpanKind::Server | proto::span::SpanKind::Consumer => Kind::Server,
        proto::span::SpanKind::Client | proto::span::SpanKind::Producer => Kind::Client,
        proto::span::SpanKind::Internal | proto::span::SpanKind::Unspecified => Kind::Internal,
    };
    let failed = span
        .status
        .is_some_and(|status| status.code() == proto::status::StatusCode::Error);
    let id = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes).ok();
    let trace = u128::from_be_bytes(span.trace_id.as_slice().try_into().ok()?);
    Some(Span {
        trace: Some(trace).filter(|trace| *trace != 0)?,
        id: id(&span.span_id).filter(|id| *id != 0)?,
        parent: id(&span.parent_span_id).filter(|id| *id != 0),
        name: span.name,
        service: Arc::clone(service),
        kind,
        from_ns: span.start_time_unix_nano,
        until_ns: span.end_time_unix_nano.max(span.start_time_unix_nano),
        attributes: span.attributes.into_iter().filter_map(text).collect(),
        failed,
    })
}

/// Returns an attribute whose value is a text.
fn text(attribute: KeyValue) -> Option<(String, String)> {
    match attribute.value?.value? {
        Value::StringValue(value) => Some((attribute.key, value)),
        _ => None,
    }
}

/// Returns the request with the spans of one service.
pub(crate) fn encode(service: &str, spans: &[Span]) -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![attribute((SERVICE_NAME, service))],
        ..Default::default()
    };
    let scope = InstrumentationScope {
        name: service.to_owned(),
        ..Default::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans: spans.iter().map(encoded).collect(),
                ..Default::default()
            }],
            ..Default::default()
        }],
    }
}

fn encoded(span: &Span) -> proto::Span {
    let kind = match span.kind {
        Kind::Internal => proto::span::SpanKind::Internal,
        Kind::Server => proto::span::SpanKind::Server,
        Kind::Client => proto::span::SpanKind::Client,
    };
    let code = if span.failed {
        proto::status::StatusCode::Error
    } else {
        proto::status::StatusCode::Unset
    };
    let attributes = span.attributes.iter();
    proto::Span {
        trace_id: span.trace.to_be_bytes().to_vec(),
        span_id: span.id.to_be_bytes().to_vec(),
        parent_span_id: span
            .parent
            .map_or_else(Vec::new, |parent| parent.to_be_bytes().to_vec()),
        name: span.name.clone(),
        kind: kind.into(),
        start_time_unix_nano: span.from_ns,
        end_time_unix_nano: span.until_ns,
        attributes: attributes
            .map(|(key, value)| attribute((key, value)))
            .collect(),
        status: Some(Status {
            code: code.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn attribute((key, value): (&str, &str)) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..Default::default()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Draws a span of the service `tested`.
    pub(crate) fn any_span() -> impl Strategy<Value = Span> {
        let kind = prop_oneof![Just(Kind::Internal), Just(Kind::Server), Just(Kind::Client)];
        let ids = (1_u128.., 1_u64.., proptest::option::of(1_u64..));
        let times = (any::<u32>(), any::<u32>());
        let texts = (
            ".{0,8}",
            proptest::collection::vec((".{1,4}", ".{0,4}"), 0..3),
        );
        (ids, kind, times, texts, any::<bool>()).prop_map(
            |((trace, id, parent), kind, (from, took), (name, attributes), failed)| Span {
                trace,
                id,
                parent,
                name,
                service: "tested".into(),
                kind,
                from_ns: from.into(),
                until_ns: u64::from(from) + u64::from(took),
                attributes,
                failed,
            },
        )
    }

    proptest! {
        #[test]
        fn spans_are_the_same_after_encoding(spans in proptest::collection::vec(any_span(), 0..5)) {
            prop_assert_eq!(decode(encode("tested", &spans)), spans);
        }
    }

    #[test]
    fn spans_without_valid_ids_are_left_out() {
        let mut request = encode("tested", &[]);
        let spans = &mut request.resource_spans[0].scope_spans[0].spans;
        for (trace, id) in [
            (vec![0; 16], vec![1; 8]),
            (vec![1; 15], vec![1; 8]),
            (vec![1; 16], vec![]),
        ] {
            spans.push(proto::Span {
                trace_id: trace,
                span_id: id,
                ..Default::default()
            });
        }
        assert_eq!(decode(request), []);
    }

    #[test]
    fn a_span_that_ends_before_it_begins_has_no_length() {
        let mut request = encode("tested", &[]);
        request.resource_spans[0].scope_spans[0]
            .spans
            .push(proto::Span {
                trace_id: vec![1; 16],
                span_id: vec![1; 8],
                start_time_unix_nano: 7,
                end_time_unix_nano: 5,
                ..Default::default()
            });
        let decoded = decode(request);
        assert_eq!((decoded[0].from_ns, decoded[0].until_ns), (7, 7));
    }
}
