//! The gRPC door: the Controller service.

use std::path::Path;
use std::time::Duration;

use containerd_client::services::v1::sandbox as api;
use containerd_client::services::v1::sandbox::controller_client::ControllerClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use super::{channel, failed};
use crate::error::{Error, Result};
use crate::namespace::GRPC_NAMESPACE;

/// A client of `containerd.services.sandbox.v1.Controller`. Clones share the
/// connection.
#[derive(Clone)]
pub struct Controller {
    client: ControllerClient<Channel>,
    namespace: MetadataValue<Ascii>,
    timeout: Option<Duration>,
}

impl Controller {
    /// Connects to a Unix socket, for calls in one containerd namespace.
    ///
    /// # Errors
    /// `Unavailable`, naming the socket; `InvalidArgument` for a namespace that
    /// no header can carry.
    pub async fn connect(socket: &Path, namespace: &str) -> Result<Self> {
        let namespace = namespace
            .parse()
            .map_err(|e| Error::invalid_argument(format!("namespace {namespace:?}: {e}")))?;
        Ok(Self {
            client: ControllerClient::new(channel(socket).await?),
            namespace,
            timeout: None,
        })
    }

    /// Gives every later call this long; the server is told, too.
    #[must_use]
    pub fn with_timeout(mut self, per_call: Duration) -> Self {
        self.timeout = Some(per_call);
        self
    }

    /// Gives every later call as long as it takes: for those that wait.
    #[must_use]
    pub fn without_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }
}

macro_rules! calls {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        impl Controller {
            $(
                #[doc = concat!("The `", stringify!($method), "` RPC.")]
                ///
                /// # Errors
                /// What the server answers; `Unavailable` when the connection is lost;
                /// `DeadlineExceeded` after the time set by [`Controller::with_timeout`].
                pub async fn $method(&self, request: api::$request) -> Result<api::$response> {
                    let mut request = Request::new(request);
                    request
                        .metadata_mut()
                        .insert(GRPC_NAMESPACE, self.namespace.clone());
                    if let Some(timeout) = self.timeout {
                        request.set_timeout(timeout);
                    }
                    let reply = self.client.clone().$method(request).await;
                    Ok(reply.map_err(failed)?.into_inner())
                }
            )*
        }
    };
}

calls! {
    create(ControllerCreateRequest) -> ControllerCreateResponse;
    start(ControllerStartRequest) -> ControllerStartResponse;
    platform(ControllerPlatformRequest) -> ControllerPlatformResponse;
    stop(ControllerStopRequest) -> ControllerStopResponse;
    wait(ControllerWaitRequest) -> ControllerWaitResponse;
    status(ControllerStatusRequest) -> ControllerStatusResponse;
    shutdown(ControllerShutdownRequest) -> ControllerShutdownResponse;
    metrics(ControllerMetricsRequest) -> ControllerMetricsResponse;
    update(ControllerUpdateRequest) -> ControllerUpdateResponse;
}
