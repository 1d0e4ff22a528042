//! CRI requests to the sandboxer itself: pods and containers, each documented error, and the state
//! after a crash.

use std::fs;
use std::os::unix::fs::symlink;

use containerd_sandbox::Code;
use containerd_sandbox::client::Cri;
use cri_api::v1::{self, ContainerState, NamespaceMode, PodSandboxState};
use serde_json::{Value, json};
use tests::cri::{
    IMAGE, code, container_config, container_reply, create, exec, labels, pod_config, pod_reply,
    pod_status, pull, remove, remove_pod, resources, run_pod, run_with, start, started, status,
    stop, stop_pod, until,
};
use tests::{Daemon, eventually, read_json};

#[tokio::test]
async fn a_pod_is_run_stopped_and_removed() {
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
    assert!(ip.starts_with("198.18.0."), "{ip}");

    // No other pod can have its metadata before it is removed.
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
async fn an_invalid_pod_configuration_is_refused_with_the_field() {
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
    // The refused requests have not reserved the name.
    run_pod(&cri, &sound()).await;
    assert_eq!(daemon.slots().len(), 1);
}

#[tokio::test]
async fn logs_stay_below_the_log_root() {
    let place = tempfile::tempdir().unwrap();
    let (root, outside) = (place.path().join("pods"), place.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    let daemon = Daemon::start(&["--log-root", root.to_str().unwrap()]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    for directory in [&outside, &root.join("../outside")] {
        let error = run_with(&cri, &pod_config("out", directory), "")
            .await
            .unwrap_err();
        assert_eq!(error.code(), Code::InvalidArgument);
        assert!(error.to_string().contains("--log-root"), "{error}");
    }
    assert!(daemon.slots().is_empty());

    let pod = run_pod(&cri, &pod_config("in", &root.join("in"))).await;
    started(&cri, &pod, &container_config("app")).await;
    assert!(root.join("in/in/app/2.log").exists());

    // A link that the pod's directory becomes later is not followed either.
    symlink(&outside, root.join("linked")).unwrap();
    let pod = run_pod(&cri, &pod_config("linked", &root.join("linked"))).await;
    let id = create(&cri, &pod, &container_config("app")).await.unwrap();
    let error = start(&cri, &id).await.unwrap_err();
    assert_eq!(error.code(), Code::InvalidArgument);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn a_container_runs_and_ends_and_its_status_returns_its_whole_configuration() {
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

    // The removal of a running container kills it and frees the name.
    let id = started(&cri, &pod, &config).await;
    remove(&cri, &id).await.unwrap();
    // A stop without a grace period kills the container at once.
    let id = started(&cri, &pod, &config).await;
    stop(&cri, &id, 0).await.unwrap();
    assert_eq!(status(&cri, &id).await.exit_code, 137);
    // A stop leaves a container that has not been started unchanged.
    let id = create(&cri, &pod, &container_config("idle")).await.unwrap();
    stop(&cri, &id, 0).await.unwrap();
    let idle = status(&cri, &id).await;
    assert_eq!(idle.state, i32::from(ContainerState::ContainerCreated));
    remove(&cri, &id).await.unwrap();
}

#[tokio::test]
async fn a_container_ends_by_annotations_of_its_own_or_of_its_pod() {
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
async fn commands_run_to_their_end_or_to_their_timeout() {
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
    assert_eq!(exec(&cri, &id, &["true"], 5).await, Ok(0));
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

    let request = v1::CheckpointContainerRequest::default();
    let refused = cri.checkpoint_container(request).await;
    assert_eq!(code(refused), Code::Unimplemented);
}

#[tokio::test]
async fn an_update_changes_the_fields_that_it_states_in_status_and_view() {
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
async fn a_pods_resources_can_be_changed() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let id = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let update = |id: &str, cpu_quota| v1::UpdatePodSandboxResourcesRequest {
        pod_sandbox_id: id.to_owned(),
        overhead: None,
        resources: Some(v1::LinuxContainerResources {
            cpu_quota,
            ..resources()
        }),
    };
    cri.update_pod_sandbox_resources(update(&id, 150_000))
        .await
        .unwrap();
    let info = read_json(&daemon.view(&id));
    assert_eq!(
        (&info["cpu_limit"], &info["pid_limit"]),
        (&json!(1.5), &json!(100))
    );
    let daemon = daemon.kill9().start();
    assert_eq!(read_json(&daemon.view(&id)), info);
    let cri = daemon.cri().await;
    let unknown = cri.update_pod_sandbox_resources(update("0123", 1)).await;
    assert_eq!(code(unknown), Code::NotFound);
}

#[tokio::test]
async fn an_update_of_a_pod_keeps_what_it_does_not_state() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let id = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let update = |resources, overhead| v1::UpdatePodSandboxResourcesRequest {
        pod_sandbox_id: id.clone(),
        overhead,
        resources,
    };
    let quota = v1::LinuxContainerResources {
        cpu_quota: 150_000,
        ..Default::default()
    };
    let overhead = v1::LinuxContainerResources {
        cpu_quota: 10_000,
        cpu_period: 100_000,
        memory_limit_in_bytes: 1 << 20,
        ..Default::default()
    };
    let memory = v1::LinuxContainerResources {
        memory_limit_in_bytes: 2 << 20,
        ..Default::default()
    };
    let mut daemon = daemon;
    // Each update is the only one to state its figure, and a crash lies between any two.
    for (request, cpu, bytes) in [
        (update(Some(quota), None), 1.5, 64 << 20),
        (update(None, Some(overhead)), 1.6, 65 << 20),
        (update(None, Some(memory.clone())), 1.6, 66 << 20),
        (update(Some(memory), None), 1.6, 4 << 20),
        (update(None, None), 1.6, 4 << 20),
    ] {
        let stated = format!("{request:?}");
        let cri = daemon.cri().await;
        cri.update_pod_sandbox_resources(request).await.unwrap();
        let info = read_json(&daemon.view(&id));
        assert_eq!(
            (&info["cpu_limit"], &info["memory_limit"]),
            (&json!(cpu), &json!(bytes)),
            "{stated}"
        );
        assert_eq!(
            (&info["cpu_request"], &info["pid_limit"]),
            (&json!(0.25), &json!(100)),
            "{stated}"
        );
        daemon = daemon.kill9().start();
        assert_eq!(read_json(&daemon.view(&id)), info, "{stated}");
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
    // The search for orphans finds none: CRI containers have no bundle.
    start(&cri, &idle).await.unwrap();
    stop(&cri, &app, 1).await.unwrap();
    assert_eq!(status(&cri, &app).await.exit_code, 143);
    for id in [&pod, &stopped, &fresh] {
        remove_pod(&cri, id).await.unwrap();
    }
    assert!(daemon.slots().is_empty());
}
