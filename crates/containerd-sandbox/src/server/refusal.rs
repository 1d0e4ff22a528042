//! Refuses requests before they reach a service.
//!
//! Over gRPC, a layer in front of all services answers. The ttrpc library has no layers, so the
//! frame of the request is replaced by a request to a ttrpc service of this module, which
//! answers with the reason that the request carries.

use std::collections::HashMap;
use std::task::{Context, Poll};

use async_trait::async_trait;
use futures::TryFutureExt;
use futures::future::{Either, MapOk, Ready, ready};
use protobuf::Message;
use tonic::Status;
use tonic::codegen::{Service, http};
use ttrpc::asynchronous::{MethodHandler, TtrpcContext};
use ttrpc::proto::{MESSAGE_TYPE_REQUEST, Request, Response};

/// The ttrpc service that answers refused requests, and its method. The payload is the reason.
const SERVICE: &str = "resource-slot.Refusal";
const METHOD: &str = "Refuse";

/// Encodes a request on `stream` that [`service`] answers `ResourceExhausted`, with this reason.
pub(super) fn frame(stream: u32, reason: &str) -> Vec<u8> {
    let request = Request {
        service: SERVICE.to_owned(),
        method: METHOD.to_owned(),
        payload: reason.as_bytes().to_vec(),
        ..Default::default()
    };
    // To encode a few fields into memory cannot fail, and they are far shorter than 4 GiB.
    let payload = request.write_to_bytes().unwrap_or_default();
    let mut frame = u32::try_from(payload.len())
        .unwrap_or(0)
        .to_be_bytes()
        .to_vec();
    frame.extend(stream.to_be_bytes());
    frame.extend([MESSAGE_TYPE_REQUEST, 0]);
    frame.extend(payload);
    frame
}

struct Refuse;

#[async_trait]
impl MethodHandler for Refuse {
    async fn handler(&self, _: TtrpcContext, request: Request) -> ttrpc::Result<Response> {
        let reason = String::from_utf8_lossy(&request.payload);
        let mut response = Response::new();
        response.set_status(ttrpc::get_status(ttrpc::Code::RESOURCE_EXHAUSTED, reason));
        Ok(response)
    }
}

/// Returns the ttrpc service that answers the requests of [`frame`].
pub(super) fn service() -> HashMap<String, ttrpc::asynchronous::Service> {
    let methods: HashMap<String, Box<dyn MethodHandler + Send + Sync>> =
        HashMap::from([(METHOD.to_owned(), Box::new(Refuse) as Box<_>)]);
    let service = ttrpc::asynchronous::Service {
        methods,
        streams: HashMap::new(),
    };
    HashMap::from([(SERVICE.to_owned(), service)])
}

/// The reason why all requests of a connection are refused; `None` if they are served. Each gRPC
/// request carries it as an extension.
#[derive(Debug, Clone, Default)]
pub(super) struct Refused(pub(super) Option<std::sync::Arc<str>>);

/// The layer in front of the gRPC services.
#[derive(Debug, Clone)]
pub(super) struct Refusing<S>(pub(super) S);

type Fixed<F, B> = MapOk<F, fn(http::Response<B>) -> http::Response<B>>;

impl<S, A, B> Service<http::Request<A>> for Refusing<S>
where
    S: Service<http::Request<A>, Response = http::Response<B>>,
    B: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<Fixed<S::Future, B>, Ready<Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<A>) -> Self::Future {
        let refused = request.extensions().get::<Refused>();
        match refused.and_then(|refused| refused.0.as_deref()) {
            Some(reason) => {
                let status = Status::resource_exhausted(reason);
                Either::Right(ready(Ok(status.into_http())))
            }
            None => Either::Left(self.0.call(request).map_ok(exhausted)),
        }
    }
}

/// Replaces the status `OutOfRange` by `ResourceExhausted`, the code of other gRPC servers for a
/// message over the limit. No service here answers `OutOfRange` itself.
fn exhausted<B>(mut response: http::Response<B>) -> http::Response<B> {
    if let Some(code) = response.headers_mut().get_mut("grpc-status")
        && *code == "11"
    {
        *code = http::HeaderValue::from_static("8");
    }
    response
}
