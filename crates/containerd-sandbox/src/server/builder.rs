//! The server: one socket, two protocols, three services and those of the caller.

use std::collections::HashMap;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use containerd_shim_protos::sandbox_async::create_sandbox;
use containerd_shim_protos::shim_async::{Task, create_task};
use futures::TryStreamExt;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot, watch};
use tonic::codec::CompressionEncoding;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic_health::pb::health_server::HealthServer;

use super::accept::{Router, accept};
use super::authority::Lenient;
use super::bounds::Bounds;
use super::calls::{Calls, Observer};
use super::controller::{self, ControllerServer};
use super::deadline::Deadlines;
use super::grpc_layer::Bounded;
use super::health::{Health, HealthService};
use super::limits::{Limits, MAX_GRPC_MESSAGE};
use super::outcomes::Outcomes;
use super::service::Service;
use super::ttrpc_server::TtrpcServer;
use super::unknown::{KnownMethods, unknown_service};
use super::{sandbox, task};
use crate::api::Sandboxer;

/// Longest time for gRPC clients to end their calls at a stop, after they were told to make no
/// more. A Wait may last for ever, so most stops take so long.
const GOODBYE: Duration = Duration::from_millis(100);

/// Connections that wait for the gRPC server to take them.
const QUEUE: usize = 64;

/// Counters of the RPCs of the sandbox API; off by default. All clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct ApiCalls {
    /// RPCs of ttrpc `containerd.runtime.sandbox.v1.Sandbox`.
    pub sandbox: Calls,
    /// RPCs of ttrpc `containerd.task.v3.Task` and v2.
    pub task: Calls,
    /// RPCs of gRPC `containerd.services.sandbox.v1.Controller`.
    pub controller: Calls,
}

impl ApiCalls {
    /// Returns counters that are on for all three services.
    pub fn counting() -> Self {
        Self {
            sandbox: Calls::counting("ttrpc_sandbox", sandbox::rpc::METHODS),
            task: Calls::counting("ttrpc_task", task::rpc::METHODS),
            controller: Calls::counting("grpc_controller", controller::rpc::METHODS),
        }
    }

    /// Tells an observer of each RPC, too. See [`Calls::observed`].
    #[must_use]
    pub fn observed(self, observer: &Arc<dyn Observer>) -> Self {
        let observed = |calls: Calls, service| calls.observed(service, Arc::clone(observer));
        Self {
            sandbox: observed(self.sandbox, "containerd.runtime.sandbox.v1.Sandbox"),
            task: observed(self.task, "containerd.task.v3.Task"),
            controller: observed(self.controller, "containerd.services.sandbox.v1.Controller"),
        }
    }
}

/// A server of the sandbox API for one [`Sandboxer`]. The setters are optional.
#[derive(Debug)]
pub struct Server<S> {
    sandboxer: Arc<S>,
    services: Routes,
    health: Health,
    calls: ApiCalls,
    limits: Limits,
}

impl<S: Sandboxer> Server<S> {
    /// Creates a server with the default limits, no counters and no further services.
    pub fn new(sandboxer: Arc<S>) -> Self {
        Self {
            sandboxer,
            services: Routes::default(),
            health: Health::default(),
            calls: ApiCalls::default(),
            limits: Limits::default(),
        }
    }

    /// Adds gRPC services to the socket.
    #[must_use]
    pub fn services(mut self, services: Routes) -> Self {
        self.services = services;
        self
    }

    /// Replaces the health that `grpc.health.v1.Health` tells of, which knows no services beside
    /// the Controller and does not change.
    #[must_use]
    pub fn health(mut self, health: Health) -> Self {
        self.health = health;
        self
    }

    /// Counts the RPCs of the sandbox API in these counters.
    #[must_use]
    pub fn calls(mut self, calls: ApiCalls) -> Self {
        self.calls = calls;
        self
    }

    /// Replaces the default limits.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Serves on `listener` until `stop` is done. Then no connection is accepted, and each gRPC
    /// client receives a GOAWAY and has a moment for its calls in progress. containerd is told to
    /// call the task service at the listener's own path.
    ///
    /// # Errors
    /// If the listener has no path, or the gRPC server fails.
    pub async fn serve(
        self,
        listener: UnixListener,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let address: Arc<str> = task_address(&listener)?.into();
        let outcomes = Arc::new(Outcomes::default());
        let service = |calls| Service {
            sandboxer: Arc::clone(&self.sandboxer),
            task_address: Arc::clone(&address),
            outcomes: Arc::clone(&outcomes),
            calls,
        };
        let bounds = Bounds::new(&self.limits);
        let (grpc, grpc_connections) = mpsc::channel(QUEUE);

        let controller = ControllerServer::new(service(self.calls.controller))
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(self.limits.message)
            .max_encoding_message_size(MAX_GRPC_MESSAGE);
        let health = HealthService {
            health: self.health,
            own: <ControllerServer<Service<S>> as NamedService>::NAME,
        };
        let health = HealthServer::new(health)
            .accept_compressed(CompressionEncoding::Gzip)
            .max_decoding_message_size(self.limits.message);
        let methods = controller::rpc::METHODS.iter().copied();
        let services = self
            .services
            .add_service(KnownMethods::new(controller, methods))
            .add_service(KnownMethods::new(health, ["check", "watch"]))
            .into_axum_router()
            .fallback(unknown_service);

        let (stopping, stopped) = oneshot::channel::<()>();
        // hyper's default limit is 200 streams, and every running pod holds one for its Wait. The
        // layer counts the calls.
        let grpc_server = tonic::transport::Server::builder()
            .max_concurrent_streams(None)
            .layer(tower_layer::layer_fn(Bounded))
            .layer(tower_layer::layer_fn(Deadlines))
            .add_routes(Routes::from(services))
            .serve_with_incoming_shutdown(stream(grpc_connections).map_ok(Lenient::new), async {
                // It is done when the sender is dropped.
                let _ = stopped.await;
            });
        let mut ttrpc_services = create_sandbox(Arc::new(service(self.calls.sandbox)));
        ttrpc_services.extend(task_services(service(self.calls.task)));
        let (_stop_ttrpc, ttrpc_stopped) = watch::channel(());
        let router = Router {
            grpc,
            ttrpc: Arc::new(TtrpcServer::new(
                ttrpc_services,
                self.limits.message,
                ttrpc_stopped,
            )),
            strangers: Arc::default(),
            silent: Arc::default(),
        };

        let mut grpc_server = pin!(grpc_server);
        tokio::select! {
            () = accept(listener, self.limits, Arc::clone(&bounds), router) => Ok(()),
            () = bounds.watch() => Ok(()),
            served = &mut grpc_server => served.map_err(io::Error::other),
            () = stop => {
                drop(stopping);
                let served = tokio::time::timeout(GOODBYE, grpc_server).await;
                served.unwrap_or(Ok(())).map_err(io::Error::other)
            }
        }
    }
}

/// Returns the address of the task service as containerd dials it, such as
/// `ttrpc+unix:///run/example.sock`.
fn task_address(listener: &UnixListener) -> io::Result<String> {
    let local = listener.local_addr()?;
    let path = local.as_pathname().ok_or_else(|| {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "the socket has no path that containerd could dial",
        )
    })?;
    let path = std::path::absolute(path)?;
    Ok(format!("ttrpc+unix://{}", path.display()))
}

/// Returns the task service under its present name and under the name that containerd 1.x
/// calls: both versions have the same messages.
fn task_services<S: Sandboxer>(
    service: Service<S>,
) -> HashMap<String, ttrpc::asynchronous::Service> {
    let task: Arc<dyn Task + Send + Sync> = Arc::new(service);
    let mut services = create_task(Arc::clone(&task));
    services.extend(
        create_task(task)
            .into_values()
            .map(|service| ("containerd.task.v2.Task".to_owned(), service)),
    );
    services
}

fn stream<T>(mut receiver: mpsc::Receiver<T>) -> impl futures::Stream<Item = io::Result<T>> + Send
where
    T: Send + 'static,
{
    futures::stream::poll_fn(move |cx| receiver.poll_recv(cx).map(|item| item.map(Ok)))
}
