//! Deadlines of gRPC calls.
//!
//! The gRPC library ends a call past its deadline with `Cancelled`, where gRPC says
//! `DeadlineExceeded`: a client saw the one or the other, by whose timer was first.
//! [`Deadlines`] is inside of the library's timer, and its own timer begins no later, so it ends
//! the call first. A call without a deadline costs the look for the header, and a call that ends
//! at once no timer.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::Either;
use tokio::time::{Sleep, sleep};
use tonic::Status;
use tonic::codegen::{Service, http};

/// The header with the time that a client gives to a call.
const HEADER: &str = "grpc-timeout";

/// The layer that ends calls at their deadlines.
#[derive(Debug, Clone)]
pub(super) struct Deadlines<S>(pub(super) S);

impl<S, A, B> Service<http::Request<A>> for Deadlines<S>
where
    S: Service<http::Request<A>, Response = http::Response<B>>,
    S::Future: Unpin,
    B: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, Limited<S::Future>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<A>) -> Self::Future {
        match request.headers().get(HEADER).and_then(parse) {
            None => Either::Left(self.0.call(request)),
            Some(time) => Either::Right(Limited {
                deadline: Box::pin(sleep(time)),
                call: self.0.call(request),
            }),
        }
    }
}

/// A call with a deadline.
#[derive(Debug)]
pub(super) struct Limited<F> {
    call: F,
    deadline: Pin<Box<Sleep>>,
}

impl<F, B, E> Future for Limited<F>
where
    F: Future<Output = Result<http::Response<B>, E>> + Unpin,
    B: Default,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if let Poll::Ready(done) = Pin::new(&mut self.call).poll(cx) {
            return Poll::Ready(done);
        }
        self.deadline.as_mut().poll(cx).map(|()| {
            let status = Status::deadline_exceeded("the deadline of the call has passed");
            Ok(status.into_http())
        })
    }
}

/// Parses a timeout: at most eight digits and a unit (gRPC over HTTP/2, "Requests"). An invalid one
/// is none, as to the library.
fn parse(value: &http::HeaderValue) -> Option<Duration> {
    let text = value.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 60 * 60),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::BoxFuture;
    use tokio::time::Instant;

    #[test]
    fn timeouts_are_parsed() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("004m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("100000000n", None),
            ("S", None),
            ("", None),
            ("1", None),
            ("1s", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
        ] {
            let value = http::HeaderValue::from_static(text);
            assert_eq!(parse(&value), expected, "{text}");
        }
        assert_eq!(
            parse(&http::HeaderValue::from_bytes(b"\xff").unwrap()),
            None
        );
    }

    /// A service that takes some time.
    #[derive(Clone)]
    struct Slow(Duration);

    impl Service<http::Request<()>> for Slow {
        type Response = http::Response<()>;
        type Error = std::convert::Infallible;
        type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<()>) -> Self::Future {
            let time = self.0;
            Box::pin(async move {
                sleep(time).await;
                Ok(http::Response::new(()))
            })
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_ends_at_its_deadline_or_before() {
        for (takes, timeout, ends_after, exceeds) in [
            (5, Some("1S"), 1, true),
            (5, Some("9S"), 5, false),
            (5, Some("nonsense"), 5, false),
            (5, None, 5, false),
            (1, Some("0S"), 0, true),
        ] {
            let mut request = http::Request::new(());
            if let Some(timeout) = timeout {
                let value = http::HeaderValue::from_static(timeout);
                request.headers_mut().insert(HEADER, value);
            }
            let begun = Instant::now();
            let mut service = Deadlines(Slow(Duration::from_secs(takes)));
            let Ok(response) = service.call(request).await;
            assert_eq!(begun.elapsed().as_secs(), ends_after, "{timeout:?}");
            let status = Status::from_header_map(response.headers());
            let code = status.map(|status| status.code());
            let expected = exceeds.then_some(tonic::Code::DeadlineExceeded);
            assert_eq!(code, expected, "{timeout:?}");
        }
    }
}
