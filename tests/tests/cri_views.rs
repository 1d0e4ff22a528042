//! Queries of the CRI API: lists, ids, usage, events, images, the runtime itself.

use std::collections::HashMap;
use std::path::Path;

use containerd_sandbox::Code;
use cri_api::v1::ContainerEventType::{
    ContainerCreatedEvent as Created, ContainerDeletedEvent as Deleted,
    ContainerStartedEvent as Started, ContainerStoppedEvent as Stopped,
};
use cri_api::v1::{self, ContainerState, PodSandboxState};
use serde_json::Value;
use tests::cri::{
    IMAGE, IMAGE_TAG, code, container_config, container_reply, containers, create, image, labels,
    pod_config, pod_reply, pod_status, pods, pull, remove, remove_pod, run_pod, started, stop,
    stop_pod,
};
use tests::{Daemon, PATIENCE, ready_sandbox, running_container};

#[tokio::test]
async fn the_runtime_reports_its_version_and_that_it_is_ready() {
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
async fn images_exist_from_their_pull_to_their_removal() {
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
async fn lists_are_filtered() {
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
    // Of 17 pods, two ids begin with the same one of 16 digits.
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
async fn stats_and_metrics_show_running_containers() {
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
    // A tenth of the request of a quarter of a core.
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
    let shown = || metrics[0].metrics.iter().chain(&containers[0].metrics);
    for metric in shown() {
        assert_eq!(described[&metric.name], metric.label_values.len());
    }
    // critest asks for each of these, with a value.
    for name in include_str!("../data/cadvisor-metrics.txt").lines() {
        assert!(described.contains_key(name), "{name} is not described");
        assert!(
            shown().any(|metric| metric.name == name),
            "{name} has no value"
        );
    }
    let value = |name: &str, container: &str| {
        let metric = shown().find(|m| m.name == name && m.label_values[0] == container);
        metric.unwrap().value.unwrap().value
    };
    assert_eq!(value("container_spec_memory_limit_bytes", "app"), 64 << 20);
    assert_eq!(value("container_memory_working_set_bytes", "app"), used);
    assert_eq!(value("container_memory_working_set_bytes", ""), used);
    assert_eq!(value("container_processes", ""), 1);
}

#[tokio::test]
async fn a_pods_status_and_events_list_a_names_newest_attempt_first() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let mut events = cri
        .get_container_events(v1::GetEventsRequest::default())
        .await
        .unwrap();
    let mut attempts = Vec::new();
    for attempt in 0..3 {
        let mut config = container_config("app");
        config.metadata.as_mut().unwrap().attempt = attempt;
        let id = started(&cri, &pod, &config).await;
        stop(&cri, &id, 0).await.unwrap();
        attempts.insert(0, id);
    }
    let ids = |statuses: Vec<v1::ContainerStatus>| -> Vec<String> {
        statuses.into_iter().map(|status| status.id).collect()
    };
    let reply = pod_reply(&cri, &pod).await.unwrap();
    assert_eq!(ids(reply.containers_statuses), attempts);
    loop {
        let event = tokio::time::timeout(PATIENCE, events.message()).await;
        let event = event.expect("in time").unwrap().expect("an event");
        if (&event.container_id, event.container_event_type()) == (&attempts[0], Stopped) {
            assert_eq!(ids(event.containers_statuses), attempts);
            break;
        }
    }
}

#[tokio::test]
async fn events_report_the_steps_of_pods_and_containers() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    pull(&cri, IMAGE).await;
    let mut events = cri
        .get_container_events(v1::GetEventsRequest::default())
        .await
        .unwrap();
    let pod = run_pod(&cri, &pod_config("web", daemon.home().root())).await;
    let app = started(&cri, &pod, &container_config("app")).await;
    stop(&cri, &app, 1).await.unwrap();
    remove(&cri, &app).await.unwrap();
    let left = started(&cri, &pod, &container_config("left")).await;
    stop_pod(&cri, &pod).await.unwrap();
    remove_pod(&cri, &pod).await.unwrap();

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
async fn pods_of_the_task_service_are_invisible_to_cri() {
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
