//! Trace contexts of calls, which connect the spans of caller and server (W3C Trace Context,
//! <https://www.w3.org/TR/trace-context/>).

use std::cell::Cell;
use std::fmt;
use std::pin::pin;
use std::str::FromStr;

use tonic::metadata::MetadataMap;
use ttrpc::asynchronous::TtrpcContext;

/// Key of a trace context in the metadata of gRPC and of ttrpc (W3C Trace Context, section 3.2).
pub const TRACEPARENT: &str = "traceparent";

thread_local! {
    static CURRENT: Cell<Option<TraceContext>> = const { Cell::new(None) };
}

/// A span of a trace, as the parent of the spans of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    /// Id of the trace; not 0.
    pub trace: u128,
    /// Id of the span; not 0.
    pub span: u64,
    /// Whether the spans of the call are recorded.
    pub sampled: bool,
}

/// Error of a text that is no trace context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no traceparent of W3C Trace Context, such as 00-TRACE-SPAN-01 with 32 and 16 hex digits")]
pub struct InvalidTraceContext;

impl TraceContext {
    /// Runs a future whose calls carry this context. Only the clients of this crate over gRPC send
    /// it, with the requests that they begin while the future is polled.
    pub async fn scope<T>(self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        std::future::poll_fn(|cx| {
            let before = CURRENT.replace(Some(self));
            let polled = future.as_mut().poll(cx);
            CURRENT.set(before);
            polled
        })
        .await
    }

    /// Returns the context of the future that is polled on this thread.
    pub(crate) fn current() -> Option<Self> {
        CURRENT.get()
    }

    /// Reads the context of a gRPC call; `None` if it has no valid one.
    pub fn of_grpc(metadata: &MetadataMap) -> Option<Self> {
        metadata.get(TRACEPARENT)?.to_str().ok()?.parse().ok()
    }

    /// Reads the context of a ttrpc call; `None` if it has no valid one.
    pub fn of_ttrpc(context: &TtrpcContext) -> Option<Self> {
        let values = context.metadata.get(TRACEPARENT)?;
        values.first()?.parse().ok()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = u8::from(self.sampled);
        write!(f, "00-{:032x}-{:016x}-{flags:02x}", self.trace, self.span)
    }
}

impl FromStr for TraceContext {
    type Err = InvalidTraceContext;

    fn from_str(text: &str) -> Result<Self, InvalidTraceContext> {
        let mut fields = text.split('-');
        let mut field = |digits| {
            let field = fields.next().unwrap_or_default();
            // The specification permits no capital letters, and from_str_radix permits a sign.
            let plain = field.len() == digits
                && field
                    .bytes()
                    .all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
            let value = u128::from_str_radix(field, 16).ok();
            value.filter(|_| plain).ok_or(InvalidTraceContext)
        };
        let (version, trace, span, flags) = (field(2)?, field(32)?, field(16)?, field(2)?);
        // A later version may have more fields (section 3.2.2.5); 255 is forbidden.
        let known = version == 0 && fields.next().is_none() || (1..255).contains(&version);
        let span = u64::try_from(span).map_err(|_| InvalidTraceContext)?;
        if !known || trace == 0 || span == 0 {
            return Err(InvalidTraceContext);
        }
        Ok(Self {
            trace,
            span,
            sampled: flags & 1 == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTEXT: TraceContext = TraceContext {
        trace: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736,
        span: 0x00f0_67aa_0ba9_02b7,
        sampled: true,
    };
    // The example of the specification.
    const TEXT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_has_the_form_of_the_specification() {
        assert_eq!(CONTEXT.to_string(), TEXT);
        assert_eq!(TEXT.parse(), Ok(CONTEXT));
        let later = format!("01{}-more", &TEXT[2..]);
        assert_eq!(later.parse(), Ok(CONTEXT));
        for invalid in [
            "",
            "00",
            &TEXT[..54],
            &format!("{TEXT}-more"),
            &format!("ff{}", &TEXT[2..]),
            &TEXT.to_uppercase(),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(
                invalid.parse::<TraceContext>(),
                Err(InvalidTraceContext),
                "{invalid}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_context_is_read_as_it_is_written(
            trace in 1_u128..,
            span in 1_u64..,
            sampled in any::<bool>(),
        ) {
            let context = TraceContext { trace, span, sampled };
            prop_assert_eq!(context.to_string().parse(), Ok(context));
        }

        #[test]
        fn no_text_is_read_with_a_panic(text in ".*") {
            let _ = text.parse::<TraceContext>();
        }
    }

    #[test]
    fn a_context_is_current_while_its_future_is_polled() {
        let found = futures::executor::block_on(CONTEXT.scope(async { TraceContext::current() }));
        assert_eq!(found, Some(CONTEXT));
        assert_eq!(TraceContext::current(), None);
    }
}
