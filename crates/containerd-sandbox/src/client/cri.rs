//! The client of the CRI API: runtime and image services, over gRPC.

use std::path::Path;
use std::time::Duration;

use cri_api::v1;
use cri_api::v1::image_service_client::ImageServiceClient;
use cri_api::v1::runtime_service_client::RuntimeServiceClient;
use tonic::Request;
use tonic::transport::Channel;

use super::wire::{Wire, timed};
use super::{channel, failed, timed_channel};
use crate::error::Result;
use crate::trace_context::{TRACEPARENT, TraceContext};

/// Longest message that is received, in bytes: the kubelet's limit (16 MiB).
const MAX_MESSAGE: usize = 16 << 20;

/// A client of `runtime.v1.RuntimeService` and `runtime.v1.ImageService`. Clones share the
/// connection.
///
/// ```no_run
/// # async fn example() -> containerd_sandbox::Result<()> {
/// use std::path::Path;
///
/// use containerd_sandbox::client::Cri;
///
/// let cri = Cri::connect(Path::new("/run/example.sock")).await?;
/// for pod in cri.list_pod_sandbox(Default::default()).await?.items {
///     println!("{}", pod.id);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Cri {
    runtime: RuntimeServiceClient<Channel>,
    image: ImageServiceClient<Channel>,
    timeout: Option<Duration>,
    wire: Option<Wire>,
}

impl Cri {
    /// Connects to a Unix socket.
    ///
    /// # Errors
    /// `Unavailable`, with the path of the socket.
    pub async fn connect(socket: &Path) -> Result<Self> {
        Ok(Self::over(channel(socket).await?, None))
    }

    /// Connects like [`Cri::connect`], with the times of the calls on the wire: see
    /// [`super::wire`].
    ///
    /// # Errors
    /// As [`Cri::connect`].
    pub async fn connect_timed(socket: &Path) -> Result<Self> {
        let wire = Wire::default();
        let channel = timed_channel(socket, &wire).await?;
        Ok(Self::over(channel, Some(wire)))
    }

    fn over(channel: Channel, wire: Option<Wire>) -> Self {
        Self {
            runtime: RuntimeServiceClient::new(channel.clone())
                .max_decoding_message_size(MAX_MESSAGE),
            image: ImageServiceClient::new(channel).max_decoding_message_size(MAX_MESSAGE),
            timeout: None,
            wire,
        }
    }

    /// Sets the timeout of all later calls. The server receives it, too.
    #[must_use]
    pub fn with_timeout(mut self, per_call: Duration) -> Self {
        self.timeout = Some(per_call);
        self
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(timeout) = self.timeout {
            request.set_timeout(timeout);
        }
        let context = TraceContext::current();
        if let Some(value) = context.and_then(|context| context.to_string().parse().ok()) {
            request.metadata_mut().insert(TRACEPARENT, value);
        }
        request
    }
}

macro_rules! calls {
    ($service:ident: $($method:ident($request:ident) -> $response:ident;)*) => {
        #[doc = concat!("Calls of the ", stringify!($service), " service.")]
        impl Cri {
            $(
                #[doc = concat!("Calls the RPC `", stringify!($method), "`.")]
                ///
                /// # Errors
                /// The error of the server; `Unavailable` if the connection is lost;
                /// `DeadlineExceeded` after the time set by [`Cri::with_timeout`].
                pub async fn $method(&self, request: v1::$request) -> Result<v1::$response> {
                    let request = self.request(request);
                    // The future is boxed because it is large, as the messages are.
                    let mut client = self.$service.clone();
                    let call = Box::pin(client.$method(request));
                    let reply = timed(self.wire.as_ref(), call).await;
                    Ok(reply.map_err(failed)?.into_inner())
                }
            )*
        }
    };
}

calls! { runtime:
    version(VersionRequest) -> VersionResponse;
    status(StatusRequest) -> StatusResponse;
    run_pod_sandbox(RunPodSandboxRequest) -> RunPodSandboxResponse;
    stop_pod_sandbox(StopPodSandboxRequest) -> StopPodSandboxResponse;
    remove_pod_sandbox(RemovePodSandboxRequest) -> RemovePodSandboxResponse;
    pod_sandbox_status(PodSandboxStatusRequest) -> PodSandboxStatusResponse;
    list_pod_sandbox(ListPodSandboxRequest) -> ListPodSandboxResponse;
    create_container(CreateContainerRequest) -> CreateContainerResponse;
    start_container(StartContainerRequest) -> StartContainerResponse;
    stop_container(StopContainerRequest) -> StopContainerResponse;
    remove_container(RemoveContainerRequest) -> RemoveContainerResponse;
    container_status(ContainerStatusRequest) -> ContainerStatusResponse;
    list_containers(ListContainersRequest) -> ListContainersResponse;
    update_container_resources(UpdateContainerResourcesRequest) -> UpdateContainerResourcesResponse;
    exec_sync(ExecSyncRequest) -> ExecSyncResponse;
    container_stats(ContainerStatsRequest) -> ContainerStatsResponse;
    list_container_stats(ListContainerStatsRequest) -> ListContainerStatsResponse;
    pod_sandbox_stats(PodSandboxStatsRequest) -> PodSandboxStatsResponse;
    list_pod_sandbox_stats(ListPodSandboxStatsRequest) -> ListPodSandboxStatsResponse;
    reopen_container_log(ReopenContainerLogRequest) -> ReopenContainerLogResponse;
    checkpoint_container(CheckpointContainerRequest) -> CheckpointContainerResponse;
    exec(ExecRequest) -> ExecResponse;
    attach(AttachRequest) -> AttachResponse;
    port_forward(PortForwardRequest) -> PortForwardResponse;
    update_runtime_config(UpdateRuntimeConfigRequest) -> UpdateRuntimeConfigResponse;
    runtime_config(RuntimeConfigRequest) -> RuntimeConfigResponse;
    list_metric_descriptors(ListMetricDescriptorsRequest) -> ListMetricDescriptorsResponse;
    list_pod_sandbox_metrics(ListPodSandboxMetricsRequest) -> ListPodSandboxMetricsResponse;
    update_pod_sandbox_resources(UpdatePodSandboxResourcesRequest)
        -> UpdatePodSandboxResourcesResponse;
    checkpoint_pod(CheckpointPodRequest) -> CheckpointPodResponse;
    restore_pod(RestorePodRequest) -> RestorePodResponse;
}

calls! { image:
    list_images(ListImagesRequest) -> ListImagesResponse;
    image_status(ImageStatusRequest) -> ImageStatusResponse;
    pull_image(PullImageRequest) -> PullImageResponse;
    remove_image(RemoveImageRequest) -> RemoveImageResponse;
    image_fs_info(ImageFsInfoRequest) -> ImageFsInfoResponse;
}

macro_rules! streams {
    ($($service:ident.$method:ident($request:ident) -> $response:ident;)*) => {
        /// Calls whose reply is a stream. The timeout of [`Cri::with_timeout`] does not concern
        /// them.
        impl Cri {
            $(
                #[doc = concat!("Calls the RPC `", stringify!($method), "` and returns its stream.")]
                ///
                /// # Errors
                /// The error of the server; `Unavailable` if the connection is lost.
                pub async fn $method(
                    &self,
                    request: v1::$request,
                ) -> Result<tonic::Streaming<v1::$response>> {
                    let mut client = self.$service.clone();
                    let call = Box::pin(client.$method(Request::new(request)));
                    let reply = timed(self.wire.as_ref(), call).await;
                    Ok(reply.map_err(failed)?.into_inner())
                }
            )*
        }
    };
}

streams! {
    runtime.get_container_events(GetEventsRequest) -> ContainerEventResponse;
    runtime.stream_pod_sandboxes(StreamPodSandboxesRequest) -> StreamPodSandboxesResponse;
    runtime.stream_containers(StreamContainersRequest) -> StreamContainersResponse;
    runtime.stream_container_stats(StreamContainerStatsRequest) -> StreamContainerStatsResponse;
    runtime.stream_pod_sandbox_stats(StreamPodSandboxStatsRequest)
        -> StreamPodSandboxStatsResponse;
    runtime.stream_pod_sandbox_metrics(StreamPodSandboxMetricsRequest)
        -> StreamPodSandboxMetricsResponse;
    image.stream_images(StreamImagesRequest) -> StreamImagesResponse;
}
