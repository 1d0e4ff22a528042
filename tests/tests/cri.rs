//! CRI spoken directly to the sandboxer: every method, every documented error, and
//! what a crash keeps.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use containerd_sandbox::client::Cri;
use containerd_sandbox::{Code, Error};
use k8s_cri::v1::{self, ContainerEventType, ContainerState, NamespaceMode, PodSandboxState};
use serde_json::{Value, json};
use tests::{Daemon, PATIENCE, eventually, read_json, ready_sandbox, running_container};

const IMAGE: &str = "busybox:1.36";
const IMAGE_TAG: &str = "docker.io/library/busybox:1.36";

fn code<T: std::fmt::Debug>(result: Result<T, Error>) -> Code {
    result.expect_err("an error was expected").code()
}

fn labels(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    let owned = |&(key, value): &(&str, &str)| (key.to_owned(), value.to_owned());
    pairs.iter().map(owned).collect()
}

fn image(name: &str) -> v1::ImageSpec {
    v1::ImageSpec {
        image: name.to_owned(),
        ..Default::default()
    }
}

fn pod_config(name: &str, logs: &Path) -> v1::PodSandboxConfig {
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

fn resources() -> v1::LinuxContainerResources {
    v1::LinuxContainerResources {
        cpu_quota: 50_000,
        cpu_period: 100_000,
        cpu_shares: 256,
        memory_limit_in_bytes: 64 << 20,
        ..Default::default()
    }
}

fn container_config(name: &str) -> v1::ContainerConfig {
    v1::ContainerConfig {
        metadata: Some(v1::ContainerMetadata {
            name: name.to_owned(),
            attempt: 2,
        }),
        image: Some(image(IMAGE)),
        command: vec!["sh".to_owned()],
        args: vec!["-c".to_owned(), "true".to_owned()],
        working_dir: "/srv".to_owned(),
        envs: vec![v1::KeyValue {
            key: "A".to_owned(),
            value: "1".to_owned(),
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

async fn run_pod(cri: &Cri, config: &v1::PodSandboxConfig) -> String {
    run_with(cri, config, "").await.expect("a pod")
}

async fn run_with(
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

async fn pull(cri: &Cri, name: &str) -> String {
    let request = v1::PullImageRequest {
        image: Some(image(name)),
        ..Default::default()
    };
    cri.pull_image(request).await.expect("an image").image_ref
}

async fn create(cri: &Cri, pod: &str, config: &v1::ContainerConfig) -> Result<String, Error> {
    let request = v1::CreateContainerRequest {
        pod_sandbox_id: pod.to_owned(),
        config: Some(config.clone()),
        sandbox_config: None,
    };
    Ok(cri.create_container(request).await?.container_id)
}

async fn start(cri: &Cri, id: &str) -> Result<(), Error> {
    let request = v1::StartContainerRequest {
        container_id: id.to_owned(),
    };
    cri.start_container(request).await.map(drop)
}

async fn started(cri: &Cri, pod: &str, config: &v1::ContainerConfig) -> String {
    let id = create(cri, pod, config).await.expect("a container");
    start(cri, &id).await.expect("it starts");
    id
}

async fn stop(cri: &Cri, id: &str, timeout: i64) -> Result<(), Error> {
    let request = v1::StopContainerRequest {
        container_id: id.to_owned(),
        timeout,
    };
    cri.stop_container(request).await.map(drop)
}

async fn remove(cri: &Cri, id: &str) -> Result<(), Error> {
    let request = v1::RemoveContainerRequest {
        container_id: id.to_owned(),
    };
    cri.remove_container(request).await.map(drop)
}

async fn stop_pod(cri: &Cri, id: &str) -> Result<(), Error> {
    let request = v1::StopPodSandboxRequest {
        pod_sandbox_id: id.to_owned(),
    };
    cri.stop_pod_sandbox(request).await.map(drop)
}

async fn remove_pod(cri: &Cri, id: &str) -> Result<(), Error> {
    let request = v1::RemovePodSandboxRequest {
        pod_sandbox_id: id.to_owned(),
    };
    cri.remove_pod_sandbox(request).await.map(drop)
}

async fn pod_reply(cri: &Cri, id: &str) -> Result<v1::PodSandboxStatusResponse, Error> {
    let request = v1::PodSandboxStatusRequest {
        pod_sandbox_id: id.to_owned(),
        verbose: true,
    };
    cri.pod_sandbox_status(request).await
}

async fn pod_status(cri: &Cri, id: &str) -> v1::PodSandboxStatus {
    pod_reply(cri, id).await.expect("a status").status.unwrap()
}

async fn container_reply(cri: &Cri, id: &str) -> Result<v1::ContainerStatusResponse, Error> {
    let request = v1::ContainerStatusRequest {
        container_id: id.to_owned(),
        verbose: true,
    };
    cri.container_status(request).await
}

async fn status(cri: &Cri, id: &str) -> v1::ContainerStatus {
    let reply = container_reply(cri, id).await.expect("a status");
    reply.status.unwrap()
}

async fn pods(cri: &Cri, filter: v1::PodSandboxFilter) -> Result<Vec<String>, Error> {
    let request = v1::ListPodSandboxRequest {
        filter: Some(filter),
    };
    let items = cri.list_pod_sandbox(request).await?.items;
    Ok(items.into_iter().map(|pod| pod.id).collect())
}

async fn containers(cri: &Cri, filter: v1::ContainerFilter) -> Result<Vec<String>, Error> {
    let request = v1::ListContainersRequest {
        filter: Some(filter),
    };
    let containers = cri.list_containers(request).await?.containers;
    Ok(containers.into_iter().map(|one| one.id).collect())
}

async fn exec(cri: &Cri, id: &str, cmd: &[&str], timeout: i64) -> Result<i32, Error> {
    let request = v1::ExecSyncRequest {
        container_id: id.to_owned(),
        cmd: cmd.iter().map(ToString::to_string).collect(),
        timeout,
    };
    let reply = cri.exec_sync(request).await?;
    assert_eq!((reply.stdout.len(), reply.stderr.len()), (0, 0));
    Ok(reply.exit_code)
}

/// Until the container's state is this one.
async fn until(cri: &Cri, id: &str, state: ContainerState) -> v1::ContainerStatus {
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

#[tokio::test]
async fn the_runtime_says_who_it_is_and_that_all_is_well() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let version = cri.version(v1::VersionRequest::default()).await.unwrap();
    assert_eq!(version.runtime_name, "resource-slot");
    assert_eq!(version.runtime_api_version, "v1");

    let status = cri
        .status(v1::StatusRequest { verbose: true })
        .await
        .unwrap();
    let conditions = status.status.unwrap().conditions;
    let conditions: Vec<_> = conditions
        .iter()
        .map(|condition| (condition.r#type.as_str(), condition.status))
        .collect();
    assert_eq!(conditions, [("RuntimeReady", true), ("NetworkReady", true)]);
    let handlers: Vec<_> = status.runtime_handlers.iter().map(|h| &h.name).collect();
    assert_eq!(handlers, ["", "resource-slot"]);
    let config: Value = serde_json::from_str(&status.info["config"]).unwrap();
    assert_eq!(config["pods"], 0);
    let terse = cri.status(v1::StatusRequest::default()).await.unwrap();
    assert!(terse.info.is_empty());

    let config = cri
        .runtime_config(v1::RuntimeConfigRequest {})
        .await
        .unwrap();
    config.linux.expect("a cgroup driver");
    let cidr = v1::UpdateRuntimeConfigRequest {
        runtime_config: Some(v1::RuntimeConfig {
            network_config: Some(v1::NetworkConfig {
                pod_cidr: "10.1.0.0/24".to_owned(),
            }),
        }),
    };
    cri.update_runtime_config(cidr).await.unwrap();
}

#[tokio::test]
async fn images_are_there_once_pulled_and_gone_once_removed() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let found = |name: &'static str| {
        let cri = cri.clone();
        async move {
            let request = v1::ImageStatusRequest {
                image: Some(image(name)),
                verbose: true,
            };
            cri.image_status(request).await.unwrap().image
        }
    };
    assert_eq!(found(IMAGE).await, None);
    let id = pull(&cri, IMAGE).await;
    assert_eq!(pull(&cri, IMAGE_TAG).await, id);
    pull(&cri, "registry.k8s.io/pause:3.10").await;

    let busybox = found(IMAGE).await.expect("an image");
    assert_eq!(busybox.id, id);
    assert_eq!(busybox.repo_tags, [IMAGE_TAG]);
    assert!(busybox.size > 0);
    assert!(busybox.repo_digests[0].starts_with("docker.io/library/busybox@sha256:"));

    let list = |name: &str| {
        let filter = v1::ImageFilter {
            image: Some(image(name)),
        };
        cri.list_images(v1::ListImagesRequest {
            filter: Some(filter),
        })
    };
    let all = list("").await.unwrap().images;
    assert_eq!(all.len(), 2);
    assert_eq!(list(&id).await.unwrap().images, [busybox]);
    assert!(list("other").await.unwrap().images.is_empty());

    let usage = || async {
        let info = cri.image_fs_info(v1::ImageFsInfoRequest {}).await.unwrap();
        let images = &info.image_filesystems[0];
        assert_eq!(info.container_filesystems.len(), 1);
        let mountpoint = &images.fs_id.as_ref().unwrap().mountpoint;
        assert!(Path::new(mountpoint).is_dir());
        images.used_bytes.unwrap().value
    };
    assert_eq!(
        usage().await,
        all.iter().map(|image| image.size).sum::<u64>()
    );

    let removal = |name: &str| {
        cri.remove_image(v1::RemoveImageRequest {
            image: Some(image(name)),
        })
    };
    removal(&id).await.unwrap();
    removal(&id).await.unwrap();
    removal(IMAGE).await.unwrap();
    assert_eq!(found(IMAGE).await, None);
    assert!(usage().await < all.iter().map(|image| image.size).sum::<u64>());

    for bad in ["", "No Such:Name"] {
        let pull = v1::PullImageRequest {
            image: Some(image(bad)),
            ..Default::default()
        };
        assert_eq!(code(cri.pull_image(pull).await), Code::InvalidArgument);
        assert_eq!(code(removal(bad).await), Code::InvalidArgument);
    }
    let none = v1::ImageStatusRequest::default();
    assert_eq!(code(cri.image_status(none).await), Code::InvalidArgument);
}

#[tokio::test]
async fn a_pod_lives_and_dies() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let logs = daemon.home().root().join("logs");
    let config = pod_config("web", &logs);
    let id = run_with(&cri, &config, "resource-slot").await.unwrap();
    assert_eq!(id.len(), 64);
    assert_eq!(
        read_json(&daemon.view(&id)),
        json!({
            "cpu_limit": 0.5,
            "cpu_request": 0.25,
            "memory_limit": 64 << 20,
            "memory_request": null,
            "pid_limit": 100,
            "storage_limit": null,
            "network_bandwidth": null,
        })
    );

    let reply = pod_reply(&cri, &id).await.unwrap();
    let info: Value = serde_json::from_str(&reply.info["info"]).unwrap();
    assert_eq!(info["resource_info"]["pid_limit"], 100);
    assert_eq!(info["pod"]["name"], "web");
    assert!(reply.timestamp > 0);
    let ready = reply.status.unwrap();
    assert_eq!(ready.state, i32::from(PodSandboxState::SandboxReady));
    assert_eq!(ready.metadata, config.metadata);
    assert_eq!(ready.labels, config.labels);
    assert_eq!(ready.annotations, config.annotations);
    assert_eq!(ready.runtime_handler, "resource-slot");
    assert!(ready.created_at > 0);
    let ip = ready.network.unwrap().ip;
    assert!(ip.starts_with("10."), "{ip}");

    // Its metadata is its own until it is removed.
    let taken = run_with(&cri, &config, "").await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    assert!(taken.to_string().contains(&id), "{taken}");

    stop_pod(&cri, &id).await.unwrap();
    stop_pod(&cri, &id).await.unwrap();
    let stopped = pod_status(&cri, &id).await;
    assert_eq!(stopped.state, i32::from(PodSandboxState::SandboxNotready));
    assert_eq!(stopped.network.unwrap().ip, "");
    let late = create(&cri, &id, &container_config("late")).await;
    assert_eq!(code(late), Code::NotFound);
    pull(&cri, IMAGE).await;
    let late = create(&cri, &id, &container_config("late")).await;
    assert_eq!(code(late), Code::FailedPrecondition);
    assert_eq!(code(run_with(&cri, &config, "").await), Code::AlreadyExists);

    remove_pod(&cri, &id).await.unwrap();
    remove_pod(&cri, &id).await.unwrap();
    stop_pod(&cri, &id).await.unwrap();
    assert_eq!(code(pod_reply(&cri, &id).await), Code::NotFound);
    eventually("the view to go", || {
        (!daemon.view(&id).exists()).then_some(())
    });
    let again = run_pod(&cri, &config).await;
    assert_ne!(again, id);
}

#[tokio::test]
async fn a_pod_on_the_hosts_network_has_no_address_and_others_each_their_own() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let logs = daemon.home().root();
    let mut host = pod_config("host", logs);
    let options = v1::NamespaceOption {
        network: NamespaceMode::Node.into(),
        pid: NamespaceMode::Container.into(),
        ..Default::default()
    };
    host.linux = Some(v1::LinuxPodSandboxConfig {
        security_context: Some(v1::LinuxSandboxSecurityContext {
            namespace_options: Some(options.clone()),
            ..Default::default()
        }),
        ..Default::default()
    });
    let id = run_pod(&cri, &host).await;
    let status = pod_status(&cri, &id).await;
    assert_eq!(status.network.unwrap().ip, "");
    let namespaces = status.linux.unwrap().namespaces.unwrap();
    assert_eq!(namespaces.options, Some(options));

    let mut ips = Vec::new();
    for name in ["a", "b"] {
        let id = run_pod(&cri, &pod_config(name, logs)).await;
        ips.push(pod_status(&cri, &id).await.network.unwrap().ip);
    }
    assert_ne!(ips[0], ips[1]);
}

#[tokio::test]
async fn a_pod_that_is_asked_for_wrongly_is_refused_by_name() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let logs = daemon.home().root();
    let sound = || pod_config("web", logs);
    let mut nameless = sound();
    nameless.metadata.as_mut().unwrap().name.clear();
    let mut relative = sound();
    relative.log_directory = "logs".to_owned();
    let mut invalid = sound();
    invalid.annotations = labels(&[("resources.limits.cpu", "plenty")]);
    for (config, handler, word) in [
        (sound(), "runc", "runc"),
        (nameless, "", "metadata.name"),
        (v1::PodSandboxConfig::default(), "", "metadata"),
        (relative, "", "log_directory"),
        (invalid, "", "plenty"),
    ] {
        let error = run_with(&cri, &config, handler).await.unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.to_string().contains(word), "{error}");
    }
    let none = cri.run_pod_sandbox(v1::RunPodSandboxRequest::default());
    assert_eq!(code(none.await), Code::InvalidArgument);
    // None of them has taken the name.
    run_pod(&cri, &sound()).await;
    assert_eq!(daemon.slots().len(), 1);
}

#[tokio::test]
async fn a_container_lives_and_dies_and_gives_everything_back() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let logs = daemon.home().root().join("logs");
    let pod = run_pod(&cri, &pod_config("web", &logs)).await;
    let config = container_config("app");
    assert_eq!(code(create(&cri, &pod, &config).await), Code::NotFound);
    let image_id = pull(&cri, IMAGE).await;
    let id = create(&cri, &pod, &config).await.unwrap();
    assert_eq!(code(create(&cri, &pod, &config).await), Code::AlreadyExists);

    let created = status(&cri, &id).await;
    assert_eq!(created.state, i32::from(ContainerState::ContainerCreated));
    assert_eq!((created.started_at, created.finished_at), (0, 0));
    let log = logs.join("web/app/2.log");
    assert!(!log.exists());
    assert_eq!(
        read_json(&daemon.container_view(&pod, &id))["cpu_limit"],
        0.5
    );

    start(&cri, &id).await.unwrap();
    assert_eq!(code(start(&cri, &id).await), Code::FailedPrecondition);
    assert_eq!(fs::read(&log).unwrap(), b"");
    let reply = container_reply(&cri, &id).await.unwrap();
    let info: Value = serde_json::from_str(&reply.info["info"]).unwrap();
    assert_eq!(info["sandbox_id"], pod.as_str());
    assert!(info["pid"].as_u64().unwrap() > 1 << 22);
    let running = reply.status.unwrap();
    assert_eq!(running.state, i32::from(ContainerState::ContainerRunning));
    assert!(running.started_at >= running.created_at && running.created_at > 0);
    assert_eq!(running.metadata, config.metadata);
    assert_eq!(running.image, config.image);
    assert_eq!(running.image_id, image_id);
    assert!(running.image_ref.contains("busybox@sha256:"));
    assert_eq!(running.labels, config.labels);
    assert_eq!(running.annotations, config.annotations);
    assert_eq!(running.mounts, config.mounts);
    assert_eq!(running.log_path, log.to_str().unwrap());
    assert_eq!(running.resources.unwrap().linux, Some(resources()));
    let user = running.user.unwrap().linux.unwrap();
    assert_eq!((user.uid, user.gid), (1000, 2000));
    assert_eq!(user.supplemental_groups, [2000, 3000]);

    fs::rename(&log, log.with_extension("1")).unwrap();
    let reopen = |id: &str| {
        cri.reopen_container_log(v1::ReopenContainerLogRequest {
            container_id: id.to_owned(),
        })
    };
    reopen(&id).await.unwrap();
    assert!(log.exists());

    stop(&cri, &id, 10).await.unwrap();
    stop(&cri, &id, 0).await.unwrap();
    let ended = status(&cri, &id).await;
    assert_eq!(ended.state, i32::from(ContainerState::ContainerExited));
    assert_eq!((ended.exit_code, ended.reason.as_str()), (143, "Error"));
    assert!(ended.finished_at >= ended.started_at);
    assert_eq!(code(reopen(&id).await), Code::FailedPrecondition);
    assert_eq!(
        code(exec(&cri, &id, &["true"], 0).await),
        Code::FailedPrecondition
    );
    assert_eq!(code(start(&cri, &id).await), Code::FailedPrecondition);
    assert_eq!(code(stop(&cri, &id, -1).await), Code::InvalidArgument);

    remove(&cri, &id).await.unwrap();
    remove(&cri, &id).await.unwrap();
    stop(&cri, &id, 1).await.unwrap();
    assert_eq!(code(container_reply(&cri, &id).await), Code::NotFound);
    assert_eq!(code(start(&cri, &id).await), Code::NotFound);
    assert_eq!(code(reopen(&id).await), Code::NotFound);

    // A running one is killed, and the name is free.
    let id = started(&cri, &pod, &config).await;
    remove(&cri, &id).await.unwrap();
    // With no time at all it is killed at once.
    let id = started(&cri, &pod, &config).await;
    stop(&cri, &id, 0).await.unwrap();
    assert_eq!(status(&cri, &id).await.exit_code, 137);
    // One that has not been started is left as it is.
    let id = create(&cri, &pod, &container_config("idle")).await.unwrap();
    stop(&cri, &id, 0).await.unwrap();
    let idle = status(&cri, &id).await;
    assert_eq!(idle.state, i32::from(ContainerState::ContainerCreated));
    remove(&cri, &id).await.unwrap();
}

#[tokio::test]
async fn a_container_ends_as_annotations_say_of_its_own_or_of_its_pod() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let mut pod = pod_config("web", daemon.home().root());
    let exit_after = ("resource-slot.kuasar.io/exit-after", "10ms");
    pod.annotations = labels(&[exit_after]);
    let pod = run_pod(&cri, &pod).await;
    for (name, annotations, code, reason) in [
        ("done", vec![], 0, "Completed"),
        (
            "failed",
            vec![("resource-slot.kuasar.io/exit-code", "3")],
            3,
            "Error",
        ),
        (
            "oom",
            vec![("resource-slot.kuasar.io/oom", "true")],
            137,
            "OOMKilled",
        ),
    ] {
        let mut config = container_config(name);
        config.annotations = labels(&annotations);
        let id = started(&cri, &pod, &config).await;
        let ended = until(&cri, &id, ContainerState::ContainerExited).await;
        assert_eq!((ended.exit_code, ended.reason.as_str()), (code, reason));
        assert_eq!(ended.annotations, config.annotations);
    }
    let mut config = container_config("wrong");
    config.annotations = labels(&[("resource-slot.kuasar.io/exit-after", "soon")]);
    let wrong = create(&cri, &pod, &config).await;
    assert_eq!(code(wrong), Code::InvalidArgument);
}

#[tokio::test]
async fn a_log_never_leaves_its_directory() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let logs = daemon.home().root().join("logs");
    let pod = run_pod(&cri, &pod_config("web", &logs)).await;
    for path in ["../x", "/x", "a/../../x"] {
        let mut config = container_config("app");
        config.log_path = path.to_owned();
        let refused = create(&cri, &pod, &config).await;
        assert_eq!(code(refused), Code::InvalidArgument, "{path}");
    }
    let outside = daemon.home().root().join("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::create_dir_all(logs.join("web")).unwrap();
    std::os::unix::fs::symlink(&outside, logs.join("web/app")).unwrap();
    let id = create(&cri, &pod, &container_config("app")).await.unwrap();
    assert_eq!(code(start(&cri, &id).await), Code::InvalidArgument);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    let state = status(&cri, &id).await.state;
    assert_eq!(state, i32::from(ContainerState::ContainerCreated));
}

#[tokio::test]
async fn commands_run_to_their_end_or_to_the_end_of_their_time() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let id = create(&cri, &pod, &container_config("app")).await.unwrap();
    assert_eq!(
        code(exec(&cri, &id, &["true"], 0).await),
        Code::FailedPrecondition
    );
    start(&cri, &id).await.unwrap();
    assert_eq!(exec(&cri, &id, &["/bin/probe", "-x"], 5).await, Ok(0));
    assert_eq!(exec(&cri, &id, &["false"], 0).await, Ok(1));
    assert_eq!(exec(&cri, &id[..12], &["sleep", "0.01"], 5).await, Ok(0));
    let late = exec(&cri, &id, &["sleep", "600"], 1).await;
    assert_eq!(code(late), Code::DeadlineExceeded);
    assert_eq!(code(exec(&cri, &id, &[], 0).await), Code::InvalidArgument);
    assert_eq!(
        code(exec(&cri, &id, &["true"], -1).await),
        Code::InvalidArgument
    );
    assert_eq!(code(exec(&cri, "0123", &["true"], 0).await), Code::NotFound);

    let request = v1::ExecRequest::default();
    assert_eq!(code(cri.exec(request).await), Code::Unimplemented);
    let request = v1::AttachRequest::default();
    assert_eq!(code(cri.attach(request).await), Code::Unimplemented);
    let request = v1::PortForwardRequest::default();
    assert_eq!(code(cri.port_forward(request).await), Code::Unimplemented);
    let request = v1::CheckpointContainerRequest::default();
    let refused = cri.checkpoint_container(request).await;
    assert_eq!(code(refused), Code::Unimplemented);
}

#[tokio::test]
async fn lists_show_what_their_filters_let_through() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let logs = daemon.home().root();
    let web = run_pod(&cri, &pod_config("web", logs)).await;
    let db = run_pod(&cri, &pod_config("db", logs)).await;
    stop_pod(&cri, &db).await.unwrap();
    let app = started(&cri, &web, &container_config("app")).await;
    let idle = create(&cri, &web, &container_config("idle")).await.unwrap();

    let by_id = |id: &str| v1::PodSandboxFilter {
        id: id.to_owned(),
        ..Default::default()
    };
    let by_state = |state: PodSandboxState| v1::PodSandboxFilter {
        state: Some(v1::PodSandboxStateValue {
            state: state.into(),
        }),
        ..Default::default()
    };
    let by_labels = |pairs: &[(&str, &str)]| v1::PodSandboxFilter {
        label_selector: labels(pairs),
        ..Default::default()
    };
    let both = vec![web.clone(), db.clone()];
    let nobody: Vec<String> = Vec::new();
    for (filter, expected) in [
        (v1::PodSandboxFilter::default(), both.clone()),
        (by_id(&web), vec![web.clone()]),
        (by_id(&db[..20]), vec![db.clone()]),
        (by_id("nobody"), nobody.clone()),
        (by_state(PodSandboxState::SandboxReady), vec![web.clone()]),
        (by_state(PodSandboxState::SandboxNotready), vec![db.clone()]),
        (by_labels(&[("tier", "web")]), both),
        (
            by_labels(&[("tier", "web"), ("app", "db")]),
            vec![db.clone()],
        ),
        (by_labels(&[("tier", "")]), nobody.clone()),
    ] {
        let shown = format!("{filter:?}");
        assert_eq!(pods(&cri, filter).await.unwrap(), expected, "{shown}");
    }

    let by_id = |id: &str, pod: &str| v1::ContainerFilter {
        id: id.to_owned(),
        pod_sandbox_id: pod.to_owned(),
        ..Default::default()
    };
    let running = v1::ContainerFilter {
        state: Some(v1::ContainerStateValue {
            state: ContainerState::ContainerRunning.into(),
        }),
        ..Default::default()
    };
    let labelled = v1::ContainerFilter {
        label_selector: labels(&[("container", "idle")]),
        ..Default::default()
    };
    let both = vec![app.clone(), idle.clone()];
    for (filter, expected) in [
        (v1::ContainerFilter::default(), both.clone()),
        (by_id(&app[..20], ""), vec![app.clone()]),
        (by_id("", &web[..20]), both),
        (by_id(&app, &db), nobody.clone()),
        (by_id("", "nobody"), nobody),
        (running, vec![app.clone()]),
        (labelled, vec![idle.clone()]),
    ] {
        let shown = format!("{filter:?}");
        assert_eq!(containers(&cri, filter).await.unwrap(), expected, "{shown}");
    }
}

#[tokio::test]
async fn the_beginning_of_an_id_is_enough_unless_several_have_it() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let logs = daemon.home().root();
    // With 17 pods two ids begin with the same of 16 digits.
    let mut ids = Vec::new();
    for n in 0..17 {
        ids.push(run_pod(&cri, &pod_config(&format!("p{n}"), logs)).await);
    }
    let first = |id: &String| id[..1].to_owned();
    let shared = ids
        .iter()
        .enumerate()
        .find(|(n, id)| ids[n + 1..].iter().any(|other| first(other) == first(id)))
        .map(|(_, id)| first(id))
        .expect("two of them");
    assert_eq!(code(pod_reply(&cri, &shared).await), Code::InvalidArgument);
    assert_eq!(code(stop_pod(&cri, &shared).await), Code::InvalidArgument);
    assert_eq!(code(remove_pod(&cri, &shared).await), Code::InvalidArgument);
    assert_eq!(code(remove_pod(&cri, "").await), Code::InvalidArgument);
    assert_eq!(pod_status(&cri, &ids[0][..32]).await.id, ids[0]);
    remove_pod(&cri, &ids[0][..32]).await.unwrap();
    assert_eq!(code(pod_reply(&cri, &ids[0][..32]).await), Code::NotFound);
    for nobody in ["zzz", "../x", &"0".repeat(64), &"0".repeat(100)] {
        assert_eq!(code(pod_reply(&cri, nobody).await), Code::NotFound);
        assert_eq!(code(container_reply(&cri, nobody).await), Code::NotFound);
        stop_pod(&cri, nobody).await.unwrap();
        remove_pod(&cri, nobody).await.unwrap();
        stop(&cri, nobody, 0).await.unwrap();
        remove(&cri, nobody).await.unwrap();
    }
    assert_eq!(daemon.slots().len(), 16);
}

#[tokio::test]
async fn an_update_changes_what_it_names_in_the_status_and_in_the_view() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let id = started(&cri, &pod, &container_config("app")).await;
    let update = |linux: v1::LinuxContainerResources| {
        cri.update_container_resources(v1::UpdateContainerResourcesRequest {
            container_id: id.clone(),
            linux: Some(linux),
            ..Default::default()
        })
    };
    let more = v1::LinuxContainerResources {
        memory_limit_in_bytes: 128 << 20,
        ..Default::default()
    };
    update(more.clone()).await.unwrap();
    let linux = status(&cri, &id).await.resources.unwrap().linux.unwrap();
    assert_eq!(
        (linux.cpu_quota, linux.memory_limit_in_bytes),
        (50_000, 128 << 20)
    );
    let view = read_json(&daemon.container_view(&pod, &id));
    assert_eq!(
        (&view["cpu_limit"], &view["memory_limit"]),
        (&json!(0.5), &json!(128 << 20))
    );

    let wrong = v1::LinuxContainerResources {
        unified: labels(&[("cpu.max", "plenty")]),
        ..Default::default()
    };
    assert_eq!(code(update(wrong).await), Code::InvalidArgument);
    stop(&cri, &id, 0).await.unwrap();
    assert_eq!(code(update(more).await), Code::FailedPrecondition);
    let unknown = v1::UpdateContainerResourcesRequest {
        container_id: "0123".to_owned(),
        ..Default::default()
    };
    let refused = cri.update_container_resources(unknown).await;
    assert_eq!(code(refused), Code::NotFound);
}

#[tokio::test]
async fn stats_and_metrics_show_what_runs() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let app = started(&cri, &pod, &container_config("app")).await;
    let idle = create(&cri, &pod, &container_config("idle")).await.unwrap();

    let stats = |id: &str| {
        cri.container_stats(v1::ContainerStatsRequest {
            container_id: id.to_owned(),
        })
    };
    let of_app = stats(&app).await.unwrap().stats.unwrap();
    let attributes = of_app.attributes.unwrap();
    assert_eq!(
        (&attributes.id, &attributes.labels["container"]),
        (&app, &"app".to_owned())
    );
    let memory = of_app.memory.unwrap();
    let used = memory.working_set_bytes.unwrap().value;
    assert_eq!(used + memory.available_bytes.unwrap().value, 64 << 20);
    // A tenth of a quarter of a core.
    assert_eq!(
        of_app.cpu.unwrap().usage_nano_cores.unwrap().value,
        25_000_000
    );
    let of_idle = stats(&idle).await.unwrap().stats.unwrap();
    assert_eq!(of_idle.memory.unwrap().usage_bytes.unwrap().value, 0);
    assert_eq!(code(stats("0123").await), Code::NotFound);

    let listed = cri.list_container_stats(v1::ListContainerStatsRequest::default());
    let listed = listed.await.unwrap().stats;
    assert_eq!(listed.len(), 1);
    let none = v1::ListContainerStatsRequest {
        filter: Some(v1::ContainerStatsFilter {
            label_selector: labels(&[("container", "idle")]),
            ..Default::default()
        }),
    };
    assert!(
        cri.list_container_stats(none)
            .await
            .unwrap()
            .stats
            .is_empty()
    );

    let of_pod = v1::PodSandboxStatsRequest {
        pod_sandbox_id: pod.clone(),
    };
    let of_pod = cri.pod_sandbox_stats(of_pod).await.unwrap().stats.unwrap();
    assert_eq!(of_pod.attributes.unwrap().id, pod);
    let linux = of_pod.linux.unwrap();
    assert_eq!(linux.containers.len(), 1);
    assert_eq!(linux.process.unwrap().process_count.unwrap().value, 1);
    assert_eq!(
        linux.network.unwrap().default_interface.unwrap().name,
        "eth0"
    );
    let unknown = v1::PodSandboxStatsRequest {
        pod_sandbox_id: "0123".to_owned(),
    };
    assert_eq!(code(cri.pod_sandbox_stats(unknown).await), Code::NotFound);
    let listed = cri.list_pod_sandbox_stats(v1::ListPodSandboxStatsRequest::default());
    assert_eq!(listed.await.unwrap().stats.len(), 1);

    let described = cri.list_metric_descriptors(v1::ListMetricDescriptorsRequest {});
    let described: HashMap<_, _> = described
        .await
        .unwrap()
        .descriptors
        .into_iter()
        .map(|one| (one.name, one.label_keys.len()))
        .collect();
    let metrics = cri.list_pod_sandbox_metrics(v1::ListPodSandboxMetricsRequest {});
    let metrics = metrics.await.unwrap().pod_metrics;
    assert_eq!(metrics.len(), 1);
    let containers = &metrics[0].container_metrics;
    assert_eq!(containers.len(), 1);
    for metric in metrics[0].metrics.iter().chain(&containers[0].metrics) {
        assert_eq!(described[&metric.name], metric.label_values.len());
    }
}

#[tokio::test]
async fn events_tell_what_becomes_of_pods_and_containers() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let mut events = cri.container_events().await.unwrap();
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let app = started(&cri, &pod, &container_config("app")).await;
    stop(&cri, &app, 1).await.unwrap();
    remove(&cri, &app).await.unwrap();
    let left = started(&cri, &pod, &container_config("left")).await;
    stop_pod(&cri, &pod).await.unwrap();
    remove_pod(&cri, &pod).await.unwrap();

    use ContainerEventType::{
        ContainerCreatedEvent as Created, ContainerDeletedEvent as Deleted,
        ContainerStartedEvent as Started, ContainerStoppedEvent as Stopped,
    };
    for (id, kind, statuses) in [
        (&pod, Created, 0),
        (&pod, Started, 0),
        (&app, Created, 1),
        (&app, Started, 1),
        (&app, Stopped, 1),
        (&app, Deleted, 0),
        (&left, Created, 1),
        (&left, Started, 1),
        (&left, Stopped, 1),
        (&pod, Stopped, 1),
        (&pod, Deleted, 0),
    ] {
        let event = tokio::time::timeout(PATIENCE, events.message()).await;
        let event = event.expect("in time").unwrap().expect("an event");
        assert_eq!(
            (&event.container_id, event.container_event_type()),
            (id, kind)
        );
        assert_eq!(event.containers_statuses.len(), statuses);
        assert!(event.created_at > 0);
        let is_the_end = (id, kind) == (&pod, Deleted);
        assert_eq!(event.pod_sandbox_status.is_none(), is_the_end);
        if kind == Stopped && id == &app {
            assert_eq!(event.containers_statuses[0].exit_code, 143);
        }
    }
}

#[tokio::test]
async fn a_crash_keeps_pods_containers_statuses_and_images() {
    let daemon = Daemon::start(&["--sync", "always"]);
    let cri = daemon.cri().await;
    let logs = daemon.home().root().to_owned();
    pull(&cri, IMAGE).await;
    let config = pod_config("web", &logs);
    let pod = run_pod(&cri, &config).await;
    let stopped = run_pod(&cri, &pod_config("old", &logs)).await;
    stop_pod(&cri, &stopped).await.unwrap();
    let app = started(&cri, &pod, &container_config("app")).await;
    let update = v1::UpdateContainerResourcesRequest {
        container_id: app.clone(),
        linux: Some(v1::LinuxContainerResources {
            memory_limit_in_bytes: 32 << 20,
            ..Default::default()
        }),
        ..Default::default()
    };
    cri.update_container_resources(update).await.unwrap();
    let done = started(&cri, &pod, &container_config("done")).await;
    stop(&cri, &done, 0).await.unwrap();
    let idle = create(&cri, &pod, &container_config("idle")).await.unwrap();
    let everything = |cri: Cri| {
        let (pod, stopped) = (pod.clone(), stopped.clone());
        let containers = [app.clone(), done.clone(), idle.clone()];
        async move {
            let mut all = Vec::new();
            for id in [&pod, &stopped] {
                all.push(json!(pod_status(&cri, id).await));
            }
            for id in &containers {
                all.push(json!(status(&cri, id).await));
            }
            let images = cri.list_images(v1::ListImagesRequest::default());
            all.push(json!(images.await.unwrap()));
            all
        }
    };
    let before = everything(cri).await;

    let daemon = daemon.kill9().start();
    let cri = daemon.cri().await;
    assert_eq!(everything(cri.clone()).await, before);
    assert_eq!(code(run_with(&cri, &config, "").await), Code::AlreadyExists);
    let taken = create(&cri, &pod, &container_config("app")).await;
    assert_eq!(code(taken), Code::AlreadyExists);
    let fresh = run_pod(&cri, &pod_config("fresh", &logs)).await;
    let ip = |status: v1::PodSandboxStatus| status.network.unwrap().ip;
    assert_ne!(
        ip(pod_status(&cri, &fresh).await),
        ip(pod_status(&cri, &pod).await)
    );
    // Orphans are looked for: these are none.
    start(&cri, &idle).await.unwrap();
    stop(&cri, &app, 1).await.unwrap();
    assert_eq!(status(&cri, &app).await.exit_code, 143);
    for id in [&pod, &stopped, &fresh] {
        remove_pod(&cri, id).await.unwrap();
    }
    assert!(daemon.slots().is_empty());
}

#[tokio::test]
async fn what_came_through_the_task_service_is_containerds_alone() {
    let daemon = Daemon::start(&[]);
    let client = daemon.ttrpc().await;
    ready_sandbox(&client, "containerds").await;
    running_container(&daemon, &client, "containerds", "task").await;
    let cri = daemon.cri().await;
    let all = v1::PodSandboxFilter::default();
    assert!(pods(&cri, all).await.unwrap().is_empty());
    let all = v1::ContainerFilter::default();
    assert!(containers(&cri, all).await.unwrap().is_empty());
    assert_eq!(code(pod_reply(&cri, "containerds").await), Code::NotFound);
    assert_eq!(code(container_reply(&cri, "task").await), Code::NotFound);
    remove(&cri, "task").await.unwrap();
    remove_pod(&cri, "containerds").await.unwrap();
    assert_eq!(daemon.slots(), ["containerds"]);
}
