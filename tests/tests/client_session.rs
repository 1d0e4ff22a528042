//! A session with the calls of crictl, by clients of other implementations.

use std::fs;

use cri_api::v1;
use serde_json::json;
use tests::cri::{IMAGE, container_config, pod_config, resources};
use tests::foreign::{Foreign, IMPLEMENTATIONS, image, runtime};
use tests::{Daemon, eventually};

/// Calls a method with some fields of its request and returns the reply.
macro_rules! call {
    ($client:expr, $service:ident $method:literal, $request:ident { $($field:ident: $value:expr),* }
     -> $reply:ident) => {{
        // Some requests have no other fields.
        #[allow(clippy::needless_update)]
        let request = v1::$request {
            $($field: $value,)*
            ..Default::default()
        };
        $client.call(&$service($method), &request).reply::<v1::$reply>()
    }};
}

fn busybox() -> v1::ImageSpec {
    tests::cri::image(IMAGE)
}

/// `crictl info`, `pull`, `inspecti`, `images` and `imagefsinfo`.
fn images(client: &mut Foreign) {
    let info = call!(client, runtime "Status", StatusRequest { verbose: true } -> StatusResponse);
    assert_eq!(info.status.unwrap().conditions.len(), 2);
    call!(client, image "PullImage", PullImageRequest { image: Some(busybox()) } -> PullImageResponse);
    let found = call!(client, image "ImageStatus", ImageStatusRequest { image: Some(busybox()) }
        -> ImageStatusResponse);
    assert!(found.image.is_some());
    let listed = call!(client, image "ListImages", ListImagesRequest {} -> ListImagesResponse);
    assert_eq!(listed.images.len(), 1);
    let disk = call!(client, image "ImageFsInfo", ImageFsInfoRequest {} -> ImageFsInfoResponse);
    assert_eq!(disk.image_filesystems.len(), 1);
}

/// `crictl runp`, `create`, `start` and `logs`. Returns the ids of the pod and the container.
fn run(client: &mut Foreign, daemon: &Daemon) -> (String, String) {
    let logs = daemon.home().root().join("logs");
    let pod_config = pod_config("web", &logs);
    let mut config = container_config("c");
    config.args = vec!["-c".to_owned(), "echo hello; sleep infinity".to_owned()];
    let log = logs.join("web").join(&config.log_path);
    let ran = call!(client, runtime "RunPodSandbox", RunPodSandboxRequest {
        config: Some(pod_config.clone())
    } -> RunPodSandboxResponse);
    let pod = ran.pod_sandbox_id;
    let created = call!(client, runtime "CreateContainer", CreateContainerRequest {
        pod_sandbox_id: pod.clone(),
        config: Some(config),
        sandbox_config: Some(pod_config)
    } -> CreateContainerResponse);
    let id = created.container_id;
    call!(client, runtime "StartContainer", StartContainerRequest { container_id: id.clone() }
        -> StartContainerResponse);
    eventually("a line in the log", || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.contains(" stdout F hello").then_some(())
    });
    (pod, id)
}

/// `crictl pods`, `ps` and `inspect`.
fn inspect(client: &mut Foreign, id: &str) {
    let pods = call!(client, runtime "ListPodSandbox", ListPodSandboxRequest {}
        -> ListPodSandboxResponse);
    assert_eq!(pods.items.len(), 1);
    let containers = call!(client, runtime "ListContainers", ListContainersRequest {}
        -> ListContainersResponse);
    assert_eq!(containers.containers.len(), 1);
    let status = call!(client, runtime "ContainerStatus", ContainerStatusRequest {
        container_id: id.to_owned(),
        verbose: true
    } -> ContainerStatusResponse);
    assert!(status.status.unwrap().log_path.ends_with("web/c/2.log"));
}

/// `crictl exec` in both ways, `attach` and `port-forward`.
fn streams(client: &mut Foreign, pod: &str, id: &str) {
    let ran = call!(client, runtime "ExecSync", ExecSyncRequest {
        container_id: id.to_owned(),
        cmd: vec!["id".to_owned(), "-u".to_owned()],
        timeout: 10
    } -> ExecSyncResponse);
    assert_eq!((ran.exit_code, &ran.stdout[..]), (0, &b"1000\n"[..]));
    let exec = call!(client, runtime "Exec", ExecRequest {
        container_id: id.to_owned(),
        cmd: vec!["sh".to_owned()],
        stdin: true,
        stdout: true,
        stderr: true
    } -> ExecResponse);
    let attach = call!(client, runtime "Attach", AttachRequest {
        container_id: id.to_owned(),
        stdout: true
    } -> AttachResponse);
    let forward = call!(client, runtime "PortForward", PortForwardRequest {
        pod_sandbox_id: pod.to_owned(),
        port: vec![80]
    } -> PortForwardResponse);
    for url in [exec.url, attach.url, forward.url] {
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    }
}

/// `crictl stats`, `statsp` and `metricsp`.
fn stats(client: &mut Foreign, pod: &str, id: &str) {
    let of_one = call!(client, runtime "ContainerStats", ContainerStatsRequest {
        container_id: id.to_owned()
    } -> ContainerStatsResponse);
    assert!(of_one.stats.unwrap().cpu.is_some());
    let of_all = call!(client, runtime "ListContainerStats", ListContainerStatsRequest {}
        -> ListContainerStatsResponse);
    assert_eq!(of_all.stats.len(), 1);
    let of_pod = call!(client, runtime "PodSandboxStats", PodSandboxStatsRequest {
        pod_sandbox_id: pod.to_owned()
    } -> PodSandboxStatsResponse);
    assert!(of_pod.stats.unwrap().linux.is_some());
    let of_pods = call!(client, runtime "ListPodSandboxStats", ListPodSandboxStatsRequest {}
        -> ListPodSandboxStatsResponse);
    assert_eq!(of_pods.stats.len(), 1);
    let metrics = call!(client, runtime "ListPodSandboxMetrics", ListPodSandboxMetricsRequest {}
        -> ListPodSandboxMetricsResponse);
    assert_eq!(metrics.pod_metrics.len(), 1);
}

/// `crictl update`, `runtime-config`, `stop`, `rm`, `stopp`, `rmp` and `rmi`.
fn end(client: &mut Foreign, pod: &str, id: &str) {
    let (pod, id) = (|| pod.to_owned(), || id.to_owned());
    call!(client, runtime "UpdateContainerResources", UpdateContainerResourcesRequest {
        container_id: id(),
        linux: Some(resources())
    } -> UpdateContainerResourcesResponse);
    call!(client, runtime "ReopenContainerLog", ReopenContainerLogRequest { container_id: id() }
        -> ReopenContainerLogResponse);
    call!(client, runtime "RuntimeConfig", RuntimeConfigRequest {} -> RuntimeConfigResponse);
    call!(client, runtime "StopContainer", StopContainerRequest {
        container_id: id(),
        timeout: 10
    } -> StopContainerResponse);
    call!(client, runtime "RemoveContainer", RemoveContainerRequest { container_id: id() }
        -> RemoveContainerResponse);
    call!(client, runtime "StopPodSandbox", StopPodSandboxRequest { pod_sandbox_id: pod() }
        -> StopPodSandboxResponse);
    call!(client, runtime "RemovePodSandbox", RemovePodSandboxRequest { pod_sandbox_id: pod() }
        -> RemovePodSandboxResponse);
    call!(client, image "RemoveImage", RemoveImageRequest { image: Some(busybox()) }
        -> RemoveImageResponse);
    let pods = call!(client, runtime "ListPodSandbox", ListPodSandboxRequest {}
        -> ListPodSandboxResponse);
    assert!(pods.items.is_empty());
}

#[test]
fn a_session_with_the_calls_of_crictl_succeeds() {
    for kind in IMPLEMENTATIONS {
        let daemon = Daemon::start(&[]);
        let Some(mut client) = Foreign::connect(kind, &daemon, &json!({})) else {
            continue;
        };
        images(&mut client);
        let (pod, id) = run(&mut client, &daemon);
        inspect(&mut client, &id);
        streams(&mut client, &pod, &id);
        stats(&mut client, &pod, &id);
        end(&mut client, &pod, &id);
    }
}
