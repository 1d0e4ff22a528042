//! Names the unknown services and methods of gRPC requests in the errors, as gRPC for Go does.
//!
//! The code is `Unimplemented`. The gRPC library would send no message.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{Either, Ready, ready};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;

use super::calls::camel_case;
use crate::id::quoted;

/// Answers a request to a service that no route leads to.
pub(super) async fn unknown_service(uri: http::Uri) -> http::Response<Body> {
    let path = uri.path().trim_start_matches('/');
    let service = path.rsplit_once('/').map_or(path, |(service, _)| service);
    Status::unimplemented(format!("unknown service {}", quoted(service))).into_http()
}

/// A generated gRPC service that names an unknown method in its error.
#[derive(Debug, Clone)]
pub struct KnownMethods<S> {
    service: S,
    /// The methods in order.
    methods: Arc<[String]>,
}

impl<S> KnownMethods<S> {
    /// Wraps a service with methods of these names in snake case.
    pub fn new<'a>(service: S, methods: impl IntoIterator<Item = &'a str>) -> Self {
        let mut methods: Vec<String> = methods.into_iter().map(camel_case).collect();
        methods.sort_unstable();
        Self {
            service,
            methods: methods.into(),
        }
    }
}

impl<S: NamedService> NamedService for KnownMethods<S> {
    const NAME: &'static str = S::NAME;
}

impl<S, B> Service<http::Request<B>> for KnownMethods<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    S: NamedService,
{
    type Response = S::Response;
    type Error = Infallible;
    type Future = Either<S::Future, Ready<Result<S::Response, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let path = request.uri().path();
        let method = path.rsplit_once('/').map_or(path, |(_, method)| method);
        let place = self
            .methods
            .binary_search_by(|known| known.as_str().cmp(method));
        if place.is_ok() {
            return Either::Left(self.service.call(request));
        }
        let status = Status::unimplemented(format!(
            "unknown method {} of service {}",
            quoted(method),
            S::NAME
        ));
        Either::Right(ready(Ok(status.into_http())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone)]
    struct Answering;

    impl NamedService for Answering {
        const NAME: &'static str = "a.Service";
    }

    impl Service<http::Request<()>> for Answering {
        type Response = http::Response<Body>;
        type Error = Infallible;
        type Future = Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<()>) -> Self::Future {
            ready(Ok(http::Response::default()))
        }
    }

    fn status(response: &http::Response<Body>) -> Option<Status> {
        Status::from_header_map(response.headers())
    }

    #[tokio::test]
    async fn known_methods_are_called_and_others_named() {
        let mut service = KnownMethods::new(Answering, ["shutdown_sandbox", "close_io", "wait"]);
        for (method, is_known) in [
            ("ShutdownSandbox", true),
            ("CloseIO", true),
            ("Wait", true),
            ("wait", false),
            ("WaitLonger", false),
            ("", false),
        ] {
            let uri = format!("http://localhost/a.Service/{method}");
            let request = http::Request::get(uri).body(()).unwrap();
            let response = service.call(request).await.unwrap();
            let status = status(&response);
            assert_eq!(status.is_none(), is_known, "{method}");
            if let Some(status) = status {
                assert_eq!(status.code(), tonic::Code::Unimplemented);
                let named = format!("unknown method {method:?} of service a.Service");
                assert_eq!(status.message(), named);
            }
        }
    }

    #[tokio::test]
    async fn an_unknown_service_is_named() {
        for (path, service) in [
            ("/a.b.C/D", "a.b.C"),
            ("/a/b/c", "a/b"),
            ("/alone", "alone"),
            ("/", ""),
        ] {
            let response = unknown_service(path.parse().unwrap()).await;
            let status = status(&response).unwrap();
            assert_eq!(status.code(), tonic::Code::Unimplemented);
            assert_eq!(status.message(), format!("unknown service {service:?}"));
        }
    }
}
