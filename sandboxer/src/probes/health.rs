//! The service `grpc.health.v1.Health` of containers.

use std::convert::Infallible;

use containerd_sandbox::quoted;
use futures::stream::Empty;
use hyper::body::Incoming;
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::codegen::http;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::answers::PodPort;

/// Longest request in bytes; it contains a name.
const MAX_REQUEST: usize = 4 << 10;

/// Health of what answers on one port.
struct OfPort(PodPort);

/// Responds to one call of gRPC.
pub(super) async fn respond(
    port: &PodPort,
    request: http::Request<Incoming>,
) -> http::Response<Body> {
    let mut server = HealthServer::new(OfPort(port.clone())).max_decoding_message_size(MAX_REQUEST);
    match server.call(request).await {
        Ok(response) => response,
        Err(never) => match never as Infallible {},
    }
}

#[tonic::async_trait]
impl Health for OfPort {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        let answer = self.0.answer(|stated, is_good| {
            let known = stated.map(|stated| stated.services.as_slice());
            let is_known = match known {
                None | Some([]) => true,
                Some(known) => service.is_empty() || known.contains(service),
            };
            is_known.then_some(if is_good {
                ServingStatus::Serving
            } else {
                ServingStatus::NotServing
            })
        });
        match answer.await {
            Ok(Some(status)) => Ok(Response::new(HealthCheckResponse {
                status: status.into(),
            })),
            Ok(None) => Err(Status::not_found(format!(
                "unknown service {}",
                quoted(service)
            ))),
            Err(closed) => Err(Status::unavailable(closed.to_string())),
        }
    }

    type WatchStream = Empty<Result<HealthCheckResponse, Status>>;

    /// # Errors
    /// `Unimplemented` always, on which the protocol tells a client to go on without a watch.
    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("Watch: only Check is answered"))
    }
}
