//! The client of the Controller API, over gRPC.

use std::path::Path;
use std::time::Duration;

use containerd_client::services::v1::sandbox as api;
use containerd_client::services::v1::sandbox::controller_client::ControllerClient;
use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;

use super::wire::{Wire, timed};
use super::{channel, failed, timed_channel};
use crate::error::{Error, Result};
use crate::namespace::GRPC_NAMESPACE;

/// A client of `containerd.services.sandbox.v1.Controller`. Clones share the connection.
///
/// ```no_run
/// # async fn example() -> containerd_sandbox::Result<()> {
/// use std::path::Path;
///
/// use containerd_client::services::v1::sandbox::ControllerCreateRequest;
/// use containerd_sandbox::client::Controller;
///
/// let controller = Controller::connect(Path::new("/run/example.sock"), "k8s.io").await?;
/// let request = ControllerCreateRequest {
///     sandbox_id: "pod-1".to_owned(),
///     ..Default::default()
/// };
/// controller.create(request).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Controller {
    client: ControllerClient<Channel>,
    namespace: MetadataValue<Ascii>,
    timeout: Option<Duration>,
    wire: Option<Wire>,
}

impl Controller {
    /// Connects to a Unix socket, for calls in one containerd namespace.
    ///
    /// # Errors
    /// `Unavailable`, with the path of the socket; `InvalidArgument` if the namespace cannot be
    /// the value of a header.
    pub async fn connect(socket: &Path, namespace: &str) -> Result<Self> {
        Ok(Self {
            namespace: checked(namespace)?,
            client: ControllerClient::new(channel(socket).await?),
            timeout: None,
            wire: None,
        })
    }

    /// Connects like [`Controller::connect`], with the times of the calls on the wire: see
    /// [`super::wire`].
    ///
    /// # Errors
    /// As [`Controller::connect`].
    pub async fn connect_timed(socket: &Path, namespace: &str) -> Result<Self> {
        let wire = Wire::default();
        Ok(Self {
            namespace: checked(namespace)?,
            client: ControllerClient::new(timed_channel(socket, &wire).await?),
            timeout: None,
            wire: Some(wire),
        })
    }

    /// Sets the timeout of all later calls. The server receives it, too.
    #[must_use]
    pub fn with_timeout(mut self, per_call: Duration) -> Self {
        self.timeout = Some(per_call);
        self
    }

    /// Removes the timeout of all later calls, such as those that wait for an end.
    #[must_use]
    pub fn without_timeout(mut self) -> Self {
        self.timeout = None;
        self
    }
}

fn checked(namespace: &str) -> Result<MetadataValue<Ascii>> {
    namespace
        .parse()
        .map_err(|e| Error::invalid_argument(format!("namespace {namespace:?}: {e}")))
}

macro_rules! calls {
    ($($method:ident($request:ident) -> $response:ident;)*) => {
        impl Controller {
            $(
                #[doc = concat!("Calls the RPC `", stringify!($method), "`.")]
                ///
                /// # Errors
                /// The error of the server; `Unavailable` if the connection is lost;
                /// `DeadlineExceeded` after the time set by [`Controller::with_timeout`].
                pub async fn $method(&self, request: api::$request) -> Result<api::$response> {
                    let mut request = Request::new(request);
                    request
                        .metadata_mut()
                        .insert(GRPC_NAMESPACE, self.namespace.clone());
                    if let Some(timeout) = self.timeout {
                        request.set_timeout(timeout);
                    }
                    let mut client = self.client.clone();
                    // The future is boxed because it is large, as the messages are.
                    let call = Box::pin(client.$method(request));
                    let reply = timed(self.wire.as_ref(), call).await;
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
