//! Requests of the CRI API, one function each.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use containerd_sandbox::client::Cri;
use containerd_sandbox::{Code, Error};
use cri_api::v1::{self, ContainerState};

use crate::PATIENCE;

/// Image of the containers, without a tag.
pub const IMAGE: &str = "busybox:1.36";
/// The same image with its default registry and tag.
pub const IMAGE_TAG: &str = "docker.io/library/busybox:1.36";

/// Returns the code of a result that must be an error.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.expect_err("an error was expected").code()
}

/// Returns labels or annotations.
pub fn labels(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}

/// Returns the specification of an image by name.
pub fn image(name: &str) -> v1::ImageSpec {
    v1::ImageSpec {
        image: name.to_owned(),
        ..Default::default()
    }
}

/// Returns the configuration of a pod with logs below `logs`.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub fn pod_config(name: &str, logs: &Path) -> v1::PodSandboxConfig {
    v1::PodSandboxConfig {
        metadata: Some(v1::PodSandboxMetadata {
            name: name.to_owned(),
            uid: format!("uid-{name}"),
            namespace: "shop".to_owned(),
            attempt: 1,
        }),
        hostname: name.to_owned(),
        log_directory: logs.join(name).to_str().unwrap().to_owned(),
        labels: labels(&[("app", name), ("tier", "web")]),
        annotations: labels(&[("resources.limits.pid", "100"), ("note", "kept as it is")]),
        linux: Some(v1::LinuxPodSandboxConfig {
            resources: Some(resources()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Returns resources of a limit of half a core, a request of a quarter, and 64 MiB.
pub fn resources() -> v1::LinuxContainerResources {
    v1::LinuxContainerResources {
        cpu_quota: 50_000,
        cpu_period: 100_000,
        cpu_shares: 256,
        memory_limit_in_bytes: 64 << 20,
        ..Default::default()
    }
}

/// Returns a container configuration with most of its fields set.
pub fn container_config(name: &str) -> v1::ContainerConfig {
    v1::ContainerConfig {
        metadata: Some(v1::ContainerMetadata {
            name: name.to_owned(),
            attempt: 2,
        }),
        image: Some(image(IMAGE)),
        command: vec!["sh".to_owned()],
        args: vec!["-c".to_owned(), "sleep infinity".to_owned()],
        working_dir: "/srv".to_owned(),
        envs: vec![v1::KeyValue {
            key: "A".to_owned(),
            value: b"1".to_vec(),
        }],
        mounts: vec![v1::Mount {
            container_path: "/data".to_owned(),
            host_path: "/nowhere".to_owned(),
            readonly: true,
            ..Default::default()
        }],
        labels: labels(&[("container", name)]),
        annotations: labels(&[("hash", "abc")]),
        log_path: format!("{name}/2.log"),
        linux: Some(v1::LinuxContainerConfig {
            resources: Some(resources()),
            security_context: Some(v1::LinuxContainerSecurityContext {
                run_as_user: Some(v1::Int64Value { value: 1000 }),
                run_as_group: Some(v1::Int64Value { value: 2000 }),
                supplemental_groups: vec![3000],
                ..Default::default()
            }),
        }),
        ..Default::default()
    }
}

/// Runs a pod and returns its id.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub async fn run_pod(cri: &Cri, config: &v1::PodSandboxConfig) -> String {
    run_with(cri, config, "").await.expect("a pod")
}

/// Runs a pod with a runtime handler.
///
/// # Errors
/// The error of the server.
pub async fn run_with(
    cri: &Cri,
    config: &v1::PodSandboxConfig,
    handler: &str,
) -> Result<String, Error> {
    let request = v1::RunPodSandboxRequest {
        config: Some(config.clone()),
        runtime_handler: handler.to_owned(),
    };
    Ok(cri.run_pod_sandbox(request).await?.pod_sandbox_id)
}

/// Pulls an image and returns its id.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub async fn pull(cri: &Cri, name: &str) -> String {
    let request = v1::PullImageRequest {
        image: Some(image(name)),
        ..Default::default()
    };
    cri.pull_image(request).await.expect("an image").image_ref
}

/// Creates a container.
///
/// # Errors
/// The error of the server.
pub async fn create(cri: &Cri, pod: &str, config: &v1::ContainerConfig) -> Result<String, Error> {
    let request = v1::CreateContainerRequest {
        pod_sandbox_id: pod.to_owned(),
        config: Some(config.clone()),
        sandbox_config: None,
    };
    Ok(cri.create_container(request).await?.container_id)
}

/// Starts a container.
///
/// # Errors
/// The error of the server.
pub async fn start(cri: &Cri, id: &str) -> Result<(), Error> {
    let request = v1::StartContainerRequest {
        container_id: id.to_owned(),
    };
    cri.start_container(request).await.map(drop)
}

/// Creates and starts a container.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub async fn started(cri: &Cri, pod: &str, config: &v1::ContainerConfig) -> String {
    let id = create(cri, pod, config).await.expect("a container");
    start(cri, &id).await.expect("it starts");
    id
}

/// Stops a container.
///
/// # Errors
/// The error of the server.
pub async fn stop(cri: &Cri, id: &str, timeout: i64) -> Result<(), Error> {
    let request = v1::StopContainerRequest {
        container_id: id.to_owned(),
        timeout,
    };
    cri.stop_container(request).await.map(drop)
}

/// Removes a container.
///
/// # Errors
/// The error of the server.
pub async fn remove(cri: &Cri, id: &str) -> Result<(), Error> {
    let request = v1::RemoveContainerRequest {
        container_id: id.to_owned(),
    };
    cri.remove_container(request).await.map(drop)
}

/// Stops a pod.
///
/// # Errors
/// The error of the server.
pub async fn stop_pod(cri: &Cri, id: &str) -> Result<(), Error> {
    let request = v1::StopPodSandboxRequest {
        pod_sandbox_id: id.to_owned(),
    };
    cri.stop_pod_sandbox(request).await.map(drop)
}

/// Removes a pod.
///
/// # Errors
/// The error of the server.
pub async fn remove_pod(cri: &Cri, id: &str) -> Result<(), Error> {
    let request = v1::RemovePodSandboxRequest {
        pod_sandbox_id: id.to_owned(),
    };
    cri.remove_pod_sandbox(request).await.map(drop)
}

/// Returns a verbose status.
///
/// # Errors
/// The error of the server.
pub async fn pod_reply(cri: &Cri, id: &str) -> Result<v1::PodSandboxStatusResponse, Error> {
    let request = v1::PodSandboxStatusRequest {
        pod_sandbox_id: id.to_owned(),
        verbose: true,
    };
    cri.pod_sandbox_status(request).await
}

/// Returns the status of a pod that exists.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub async fn pod_status(cri: &Cri, id: &str) -> v1::PodSandboxStatus {
    pod_reply(cri, id).await.expect("a status").status.unwrap()
}

/// Returns a verbose status.
///
/// # Errors
/// The error of the server.
pub async fn container_reply(cri: &Cri, id: &str) -> Result<v1::ContainerStatusResponse, Error> {
    let request = v1::ContainerStatusRequest {
        container_id: id.to_owned(),
        verbose: true,
    };
    cri.container_status(request).await
}

/// Returns the status of a container that exists.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub async fn status(cri: &Cri, id: &str) -> v1::ContainerStatus {
    let reply = container_reply(cri, id).await.expect("a status");
    reply.status.unwrap()
}

/// Lists pods and returns their ids.
///
/// # Errors
/// The error of the server.
pub async fn pods(cri: &Cri, filter: v1::PodSandboxFilter) -> Result<Vec<String>, Error> {
    let request = v1::ListPodSandboxRequest {
        filter: Some(filter),
    };
    let items = cri.list_pod_sandbox(request).await?.items;
    Ok(items.into_iter().map(|pod| pod.id).collect())
}

/// Lists containers and returns their ids.
///
/// # Errors
/// The error of the server.
pub async fn containers(cri: &Cri, filter: v1::ContainerFilter) -> Result<Vec<String>, Error> {
    let request = v1::ListContainersRequest {
        filter: Some(filter),
    };
    let containers = cri.list_containers(request).await?.containers;
    Ok(containers.into_iter().map(|one| one.id).collect())
}

/// Runs a command that must print nothing and returns its exit code.
///
/// # Errors
/// The error of the server.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub async fn exec(cri: &Cri, id: &str, cmd: &[&str], timeout: i64) -> Result<i32, Error> {
    let request = v1::ExecSyncRequest {
        container_id: id.to_owned(),
        cmd: cmd.iter().map(ToString::to_string).collect(),
        timeout,
    };
    let reply = cri.exec_sync(request).await?;
    assert_eq!((reply.stdout.len(), reply.stderr.len()), (0, 0));
    Ok(reply.exit_code)
}

/// Waits until the container is in this state.
///
/// # Panics
/// If a call fails or a reply is incomplete.
pub async fn until(cri: &Cri, id: &str, state: ContainerState) -> v1::ContainerStatus {
    let seen = async {
        loop {
            let status = status(cri, id).await;
            if status.state == i32::from(state) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, seen).await.expect("in time")
}
