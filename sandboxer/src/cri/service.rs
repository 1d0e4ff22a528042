//! The tables of RPCs.

use containerd_sandbox::rpcs;
use containerd_sandbox::server::{Admission, Calls};
use cri_api::v1;
use cri_api::v1::image_service_server::ImageService;
use cri_api::v1::runtime_service_server::RuntimeService;

use super::Cri;

impl Cri {
    fn runtime_admission(&self) -> Admission<'_> {
        self.admission(&self.calls.runtime)
    }

    fn image_admission(&self) -> Admission<'_> {
        self.admission(&self.calls.image)
    }

    fn admission<'a>(&'a self, calls: &'a Calls) -> Admission<'a> {
        Admission {
            calls,
            outcomes: &self.outcomes,
        }
    }
}

rpcs! {
    grpc impl [] RuntimeService for Cri {
        name = "RuntimeService";
        messages = v1;
        admission = runtime_admission;
        table = runtime;
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
    checkpoint_pod(CheckpointPodRequest) -> CheckpointPodResponse;
    restore_pod(RestorePodRequest) -> RestorePodResponse;
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
    update_pod_sandbox_resources(UpdatePodSandboxResourcesRequest)
        -> UpdatePodSandboxResourcesResponse;
    [stream] stream_pod_sandboxes(StreamPodSandboxesRequest) -> StreamPodSandboxesResponse
        as StreamPodSandboxesStream;
    [stream] stream_containers(StreamContainersRequest) -> StreamContainersResponse
        as StreamContainersStream;
    [stream] stream_container_stats(StreamContainerStatsRequest) -> StreamContainerStatsResponse
        as StreamContainerStatsStream;
    [stream] stream_pod_sandbox_stats(StreamPodSandboxStatsRequest)
        -> StreamPodSandboxStatsResponse as StreamPodSandboxStatsStream;
    [stream] stream_pod_sandbox_metrics(StreamPodSandboxMetricsRequest)
        -> StreamPodSandboxMetricsResponse as StreamPodSandboxMetricsStream;
    [stream] get_container_events(GetEventsRequest) -> ContainerEventResponse
        as GetContainerEventsStream;
}

rpcs! {
    grpc impl [] ImageService for Cri {
        name = "ImageService";
        messages = v1;
        admission = image_admission;
        table = image;
    }
    list_images(ListImagesRequest) -> ListImagesResponse;
    image_status(ImageStatusRequest) -> ImageStatusResponse;
    pull_image(PullImageRequest) -> PullImageResponse;
    remove_image(RemoveImageRequest) -> RemoveImageResponse;
    image_fs_info(ImageFsInfoRequest) -> ImageFsInfoResponse;
    [stream] stream_images(StreamImagesRequest) -> StreamImagesResponse as StreamImagesStream;
}
