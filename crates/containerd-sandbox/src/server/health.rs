//! The service `grpc.health.v1.Health` over gRPC, which tells whether a server accepts changes.

use std::pin::Pin;
use std::sync::Arc;

use futures::{Stream, StreamExt, stream};
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse, health_server};

use crate::id::quoted;

/// The health of a server and of all its services: `SERVING` until the server is stopping. All
/// clones share it.
///
/// ```
/// use containerd_sandbox::server::Health;
///
/// let health = Health::new(["runtime.v1.RuntimeService"]);
/// health.stop();
/// ```
#[derive(Debug, Clone)]
pub struct Health {
    services: Arc<[&'static str]>,
    status: Arc<watch::Sender<ServingStatus>>,
}

impl Default for Health {
    fn default() -> Self {
        Self::new([])
    }
}

impl Health {
    /// Creates the health of a server with these services beside its own.
    pub fn new(services: impl IntoIterator<Item = &'static str>) -> Self {
        Self {
            services: services.into_iter().collect(),
            status: Arc::new(watch::Sender::new(ServingStatus::Serving)),
        }
    }

    /// Answers `NOT_SERVING` from now on.
    pub fn stop(&self) {
        self.status.send_replace(ServingStatus::NotServing);
    }
}

/// The service.
#[derive(Debug)]
pub(super) struct HealthService {
    pub(super) health: Health,
    /// Name of the server's own service.
    pub(super) own: &'static str,
}

impl HealthService {
    /// Returns whether the server has a service of this name; the empty name stands for the
    /// server.
    fn knows(&self, service: &str) -> bool {
        service.is_empty() || service == self.own || self.health.services.contains(&service)
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

#[tonic::async_trait]
impl health_server::Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let service = &request.get_ref().service;
        if !self.knows(service) {
            let message = format!("unknown service {}", quoted(service));
            return Err(Status::not_found(message));
        }
        Ok(Response::new(response(*self.health.status.borrow())))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        // The stream of an unknown service stays open, because the service may come later.
        let statuses = if self.knows(&request.get_ref().service) {
            let changes = self.health.status.subscribe();
            let later = stream::unfold(changes, |mut changes| async move {
                changes.changed().await.ok()?;
                let status = *changes.borrow_and_update();
                Some((status, changes))
            });
            let now = *self.health.status.borrow();
            stream::iter([now]).chain(later).boxed()
        } else {
            let unknown = stream::iter([ServingStatus::ServiceUnknown]);
            unknown.chain(stream::pending()).boxed()
        };
        let replies = statuses.map(|status| Ok(response(status)));
        Ok(Response::new(Box::pin(replies)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use health_server::Health as _;

    fn service() -> HealthService {
        HealthService {
            health: Health::new(["cri"]),
            own: "controller",
        }
    }

    fn request(service: &str) -> Request<HealthCheckRequest> {
        Request::new(HealthCheckRequest {
            service: service.to_owned(),
        })
    }

    async fn check(service: &HealthService, name: &str) -> Result<ServingStatus, tonic::Code> {
        let checked = service.check(request(name)).await;
        checked
            .map(|reply| reply.get_ref().status())
            .map_err(|status| status.code())
    }

    #[tokio::test]
    async fn every_service_serves_until_the_stop() {
        let service = service();
        for name in ["", "controller", "cri"] {
            assert_eq!(check(&service, name).await, Ok(ServingStatus::Serving));
        }
        assert_eq!(check(&service, "else").await, Err(tonic::Code::NotFound));
        service.health.clone().stop();
        for name in ["", "controller", "cri"] {
            assert_eq!(check(&service, name).await, Ok(ServingStatus::NotServing));
        }
    }

    #[tokio::test]
    async fn a_watcher_hears_of_the_stop() {
        let service = service();
        let mut watch = service.watch(request("cri")).await.unwrap().into_inner();
        let first = watch.next().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::Serving);
        assert!(watch.next().now_or_never().is_none());
        assert_eq!(check(&service, "").await, Ok(ServingStatus::Serving));
        service.health.stop();
        let second = watch.next().await.unwrap().unwrap();
        assert_eq!(second.status(), ServingStatus::NotServing);
        assert!(watch.next().now_or_never().is_none());
    }

    #[tokio::test]
    async fn a_watcher_of_an_unknown_service_is_told_so_and_stays() {
        let service = service();
        let mut watch = service.watch(request("else")).await.unwrap().into_inner();
        let first = watch.next().await.unwrap().unwrap();
        assert_eq!(first.status(), ServingStatus::ServiceUnknown);
        assert!(watch.next().now_or_never().is_none());
    }
}
