//! The tables of RPCs.

use std::pin::Pin;

use containerd_sandbox::Error;
use containerd_sandbox::server::one_call;
use futures::{Stream, StreamExt};
use k8s_cri::v1;
use k8s_cri::v1::image_service_server::ImageService;
use k8s_cri::v1::runtime_service_server::RuntimeService;
use tonic::{Request, Response, Status, async_trait};

use super::Cri;

macro_rules! rpcs {
    (
        $service:ident, counted in $calls:ident { $($more:item)* }
        $($rpc:ident($request:ident) -> $response:ident;)*
    ) => {
        /// The RPCs' names and their places in the table.
        pub(super) mod $calls {
            pub(crate) const METHODS: &[&str] = &[$(stringify!($rpc)),*];

            #[allow(non_camel_case_types)]
            pub(super) enum Rpc {
                $($rpc,)*
            }
        }

        #[async_trait]
        impl $service for Cri {
            $($more)*

            $(async fn $rpc(
                &self,
                request: Request<v1::$request>,
            ) -> Result<Response<v1::$response>, Status> {
                let call = self.calls.$calls.begin($calls::Rpc::$rpc as usize);
                let reply = match one_call(&self.limits.in_flight) {
                    Ok(_one) => Cri::$rpc(self, request.into_inner()).await,
                    Err(error) => Err(error),
                };
                call.end(reply.as_ref().err().map(Error::code));
                match reply {
                    Ok(reply) => Ok(Response::new(reply)),
                    Err(error) => {
                        let rpc = concat!(stringify!($service), ".", stringify!($rpc));
                        self.outcomes.failed(rpc, &error);
                        Err(error.into())
                    }
                }
            })*
        }
    };
}

/// A stream of container events.
type EventStream = Pin<Box<dyn Stream<Item = Result<v1::ContainerEventResponse, Status>> + Send>>;

rpcs! { RuntimeService, counted in runtime {
        type GetContainerEventsStream = EventStream;

        async fn get_container_events(
            &self,
            _: Request<v1::GetEventsRequest>,
        ) -> Result<Response<EventStream>, Status> {
            let one = one_call(&self.limits.in_flight)?;
            let events = self.container_events().inspect(move |_| _ = &one);
            Ok(Response::new(Box::pin(events)))
        }
    }
    version(VersionRequest) -> VersionResponse;
    status(StatusRequest) -> StatusResponse;
    runtime_config(RuntimeConfigRequest) -> RuntimeConfigResponse;
    update_runtime_config(UpdateRuntimeConfigRequest) -> UpdateRuntimeConfigResponse;
    run_pod_sandbox(RunPodSandboxRequest) -> RunPodSandboxResponse;
    stop_pod_sandbox(StopPodSandboxRequest) -> StopPodSandboxResponse;
    remove_pod_sandbox(RemovePodSandboxRequest) -> RemovePodSandboxResponse;
    pod_sandbox_status(PodSandboxStatusRequest) -> PodSandboxStatusResponse;
    list_pod_sandbox(ListPodSandboxRequest) -> ListPodSandboxResponse;
    create_container(CreateContainerRequest) -> CreateContainerResponse;
    start_container(StartContainerRequest) -> StartContainerResponse;
    stop_container(StopContainerRequest) -> StopContainerResponse;
    remove_container(RemoveContainerRequest) -> RemoveContainerResponse;
    list_containers(ListContainersRequest) -> ListContainersResponse;
    container_status(ContainerStatusRequest) -> ContainerStatusResponse;
    update_container_resources(UpdateContainerResourcesRequest) -> UpdateContainerResourcesResponse;
    reopen_container_log(ReopenContainerLogRequest) -> ReopenContainerLogResponse;
    checkpoint_container(CheckpointContainerRequest) -> CheckpointContainerResponse;
    exec_sync(ExecSyncRequest) -> ExecSyncResponse;
    exec(ExecRequest) -> ExecResponse;
    attach(AttachRequest) -> AttachResponse;
    port_forward(PortForwardRequest) -> PortForwardResponse;
    container_stats(ContainerStatsRequest) -> ContainerStatsResponse;
    list_container_stats(ListContainerStatsRequest) -> ListContainerStatsResponse;
    pod_sandbox_stats(PodSandboxStatsRequest) -> PodSandboxStatsResponse;
    list_pod_sandbox_stats(ListPodSandboxStatsRequest) -> ListPodSandboxStatsResponse;
    list_metric_descriptors(ListMetricDescriptorsRequest) -> ListMetricDescriptorsResponse;
    list_pod_sandbox_metrics(ListPodSandboxMetricsRequest) -> ListPodSandboxMetricsResponse;
}

rpcs! { ImageService, counted in image {}
    list_images(ListImagesRequest) -> ListImagesResponse;
    image_status(ImageStatusRequest) -> ImageStatusResponse;
    pull_image(PullImageRequest) -> PullImageResponse;
    remove_image(RemoveImageRequest) -> RemoveImageResponse;
    image_fs_info(ImageFsInfoRequest) -> ImageFsInfoResponse;
}
