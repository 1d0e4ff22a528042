//! CRI requests to a real containerd with pods on the shipped sandboxer.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use containerd_client::services::v1::SubscribeRequest;
use containerd_client::services::v1::events_client::EventsClient;
use containerd_sandbox::client;
use containerd_sandbox::{Code, Error};
use cri_api::v1::{
    ContainerEventType, ContainerState, GetEventsRequest, LinuxContainerResources,
    ListContainerStatsRequest, ListContainersRequest, ListPodSandboxRequest,
    ListPodSandboxStatsRequest, NamespaceOption, PodSandboxFilter, PodSandboxState,
    PodSandboxStateValue, PodSandboxStatsRequest, UpdateContainerResourcesRequest,
};
use tests::eventually;
use tests::node::{Node, Pod, container_config, pod_config};
use tokio::task::JoinSet;

fn deadline() -> Duration {
    tests::PATIENCE
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_is_created_run_and_removed() {
    let Some(node) = Node::start(&[]).await else {
        return;
    };
    let cri = node.cri().await;
    // The server opens the stream with the first event.
    let events = tokio::spawn({
        let cri = cri.clone();
        async move { cri.get_container_events(GetEventsRequest::default()).await }
    });
    let pod = Pod::run(&cri, "web-0").await.unwrap();
    let container = pod.create_container(container_config("c")).await.unwrap();
    assert_eq!(
        container.status().await.state(),
        ContainerState::ContainerCreated
    );
    container.start().await.unwrap();

    let (state, info) = pod.status().await;
    assert_eq!(state, PodSandboxState::SandboxReady);
    assert_eq!(info["pod"]["name"], "web-0");
    assert_eq!(info["resource_info"]["cpu_limit"], 0.5, "{info}");
    assert_eq!(info["resource_info"]["cpu_request"], 0.25, "{info}");
    assert_eq!(info["resource_info"]["memory_limit"], 64 << 20, "{info}");
    let listed = cri.list_pod_sandbox(ListPodSandboxRequest {
        filter: Some(PodSandboxFilter {
            state: Some(PodSandboxStateValue {
                state: PodSandboxState::SandboxReady.into(),
            }),
            label_selector: HashMap::from([("app".to_owned(), "web-0".to_owned())]),
            ..Default::default()
        }),
    });
    let listed = listed.await.unwrap().items;
    assert_eq!((listed.len(), &*listed[0].id), (1, &*pod.id));
    assert_eq!(listed[0].runtime_handler, "resource-slot");
    let listed = cri.list_containers(ListContainersRequest::default());
    let listed = listed.await.unwrap().containers;
    assert_eq!((listed.len(), &*listed[0].id), (1, &*container.id));
    assert_eq!(listed[0].state(), ContainerState::ContainerRunning);

    for (command, code) in [(&["true"][..], 0), (&["false"], 1), (&["sleep", "0.01"], 0)] {
        let reply = container.exec(command, 10).await.unwrap();
        assert_eq!(reply.exit_code, code, "{command:?}");
        assert!(reply.stdout.is_empty() && reply.stderr.is_empty());
    }
    let script = "hostname; echo $HOSTNAME >&2; exit 4";
    let reply = container.exec(&["sh", "-c", script], 10).await.unwrap();
    assert_eq!(reply.exit_code, 4);
    let said = String::from_utf8(reply.stdout).unwrap();
    assert!(!said.trim().is_empty(), "a host name");
    assert_eq!(String::from_utf8(reply.stderr).unwrap(), said);
    let late = container.exec(&["sleep", "3600"], 1).await.unwrap_err();
    assert_eq!(late.code(), Code::DeadlineExceeded, "{late}");

    let stats = container.stats().await.unwrap().stats.unwrap();
    let memory = stats.memory.unwrap();
    assert_eq!(memory.usage_bytes.unwrap().value, 32 << 20);
    assert_eq!(memory.available_bytes.unwrap().value, 32 << 20);
    assert!(stats.cpu.is_some());
    let listed = cri.list_container_stats(ListContainerStatsRequest::default());
    assert_eq!(listed.await.unwrap().stats.len(), 1);

    let update = cri.update_container_resources(UpdateContainerResourcesRequest {
        container_id: container.id.clone(),
        linux: Some(LinuxContainerResources {
            cpu_period: 100_000,
            cpu_quota: 150_000,
            memory_limit_in_bytes: 128 << 20,
            ..Default::default()
        }),
        ..Default::default()
    });
    update.await.unwrap();
    let (_, info) = pod.status().await;
    assert_eq!(info["resource_info"]["cpu_limit"], 1.5, "{info}");
    assert_eq!(info["resource_info"]["memory_limit"], 128 << 20, "{info}");

    container.stop(10).await.unwrap();
    let stopped = container.status().await;
    assert_eq!(stopped.state(), ContainerState::ContainerExited);
    assert_eq!(stopped.exit_code, 143);
    let killed = pod.start_container("d").await.unwrap();
    killed.stop(0).await.unwrap();
    assert_eq!(killed.status().await.exit_code, 137);
    killed.remove().await.unwrap();
    container.remove().await.unwrap();
    pod.stop().await.unwrap();
    pod.stop().await.unwrap();
    assert_eq!(pod.status().await.0, PodSandboxState::SandboxNotready);
    pod.remove().await.unwrap();
    assert!(node.sandboxer().slots().is_empty());

    let mut events = events.await.unwrap().unwrap();
    let mut seen = Vec::new();
    while seen.last() != Some(&(pod.id.clone(), ContainerEventType::ContainerDeletedEvent)) {
        let event = tokio::time::timeout(deadline(), events.message());
        let event = event.await.expect("an event").unwrap().unwrap();
        seen.push((event.container_id.clone(), event.container_event_type()));
    }
    for kind in [
        ContainerEventType::ContainerCreatedEvent,
        ContainerEventType::ContainerStartedEvent,
        ContainerEventType::ContainerStoppedEvent,
        ContainerEventType::ContainerDeletedEvent,
    ] {
        assert!(seen.contains(&(container.id.clone(), kind)), "{seen:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_with_a_network_of_its_own_runs() {
    let Some(node) = Node::start(&[]).await else {
        return;
    };
    let cri = node.cri().await;
    let mut config = pod_config("net-0");
    let security = config.linux.as_mut().unwrap().security_context.as_mut();
    security.unwrap().namespace_options = Some(NamespaceOption::default());
    let refused = Pod::run_as(&cri, config.clone())
        .await
        .err()
        .expect("no network");
    assert!(
        refused.to_string().contains("cni plugin not initialized"),
        "{refused}"
    );
    assert!(node.sandboxer().slots().is_empty());

    // The shipped files are the cure that the guide describes.
    let home = node.containerd().home();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/cni");
    let (plugin, list) = ("resource-slot", "10-resource-slot.conflist");
    fs::copy(shipped.join(list), home.cni_conf().join(list)).unwrap();
    fs::copy(shipped.join(plugin), home.cni_bin().join(plugin)).unwrap();
    // The addresses of this test are in a directory of its own.
    let addresses = node.sandboxer().home().root().join("addresses");
    let text = fs::read_to_string(shipped.join(plugin)).unwrap();
    let text = text.replace("/run/resource-slot-cni", addresses.to_str().unwrap());
    fs::write(home.cni_bin().join(plugin), text).unwrap();
    // An update of the runtime configuration makes containerd load the CNI configuration.
    let pod = loop {
        match Pod::run_as(&cri, config.clone()).await {
            Err(e) if e.to_string().contains("cni plugin not initialized") => {
                tokio::task::yield_now().await;
            }
            run => break run.unwrap(),
        }
    };
    pod.start_container("c").await.unwrap();
    let inspect = node.sandboxer().home().inspect();
    let netns = inspect["slots"][0]["slot"]["sandbox"]["netns"].as_str();
    assert!(
        netns.is_some_and(|path| path.contains("netns")),
        "{inspect}"
    );
    let ips = &inspect["slots"][0]["slot"]["sandbox"]["hints"]["ips"];
    let ip = ips[0].as_str().expect("an address");
    assert!(
        ip.starts_with("198.18.0.") && addresses.join(ip).exists(),
        "{inspect}"
    );
    pod.stop().await.unwrap();
    pod.remove().await.unwrap();
    assert!(node.sandboxer().slots().is_empty());
    assert!(!addresses.join(ip).exists());
}

/// containerd holds one Wait stream for each pod on one connection: the usual HTTP/2 limit of
/// concurrent streams would stop it at 100 or 200.
#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_pods_run_at_once() {
    let Some(node) = Node::start(&["--views", "write-behind"]).await else {
        return;
    };
    let cri = node.cri().await;
    let mut pods = Vec::new();
    // Fifty pods are created at a time.
    for batch in 0..6 {
        let mut starting = JoinSet::new();
        for n in 0..50 {
            let cri = cri.clone();
            starting.spawn(async move { Pod::run(&cri, &format!("p{batch}-{n}")).await });
        }
        while let Some(pod) = starting.join_next().await {
            pods.push(pod.unwrap().unwrap());
        }
    }
    let (state, _) = pods[299].status().await;
    assert_eq!(state, PodSandboxState::SandboxReady);
    assert_eq!(node.sandboxer().slots().len(), 300);
    let mut removing = JoinSet::new();
    for pod in pods {
        removing.spawn(async move {
            pod.stop().await?;
            pod.remove().await
        });
        if removing.len() == 32 {
            removing.join_next().await.unwrap().unwrap().unwrap();
        }
    }
    while let Some(removed) = removing.join_next().await {
        removed.unwrap().unwrap();
    }
    assert!(node.sandboxer().slots().is_empty());
}

/// A Wait that is answered before its Kill makes containerd fail the stop.
#[tokio::test(flavor = "multi_thread")]
async fn thirty_stops_succeed_one_by_one_and_at_once() {
    let Some(node) = Node::start(&[]).await else {
        return;
    };
    let cri = node.cri().await;
    let pod = Pod::run(&cri, "p").await.unwrap();
    for n in 0..30 {
        let container = pod.start_container(&format!("c{n}")).await.unwrap();
        let (timeout, code) = if n % 2 == 0 { (0, 137) } else { (10, 143) };
        container.stop(timeout).await.unwrap();
        assert_eq!(container.status().await.exit_code, code);
        container.remove().await.unwrap();
    }
    let mut stopping = JoinSet::new();
    for n in 0..30 {
        let pod = pod.clone();
        stopping.spawn(async move {
            let container = pod.start_container(&format!("d{n}")).await?;
            container.stop(0).await?;
            container.remove().await
        });
    }
    while let Some(stopped) = stopping.join_next().await {
        stopped.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hundreds_of_parallel_execs_all_end() {
    let Some(node) = Node::start(&[]).await else {
        return;
    };
    let cri = node.cri().await;
    let pod = Pod::run(&cri, "p").await.unwrap();
    let mut execs = JoinSet::new();
    for n in 0..8 {
        let container = pod.start_container(&format!("c{n}")).await.unwrap();
        for _ in 0..60 {
            let container = container.clone();
            execs.spawn(async move { container.exec(&["true"], 0).await });
        }
    }
    let all = async {
        let mut ended = 0;
        while let Some(reply) = execs.join_next().await {
            assert_eq!(reply.unwrap().unwrap().exit_code, 0);
            ended += 1;
        }
        ended
    };
    let ended = tokio::time::timeout(4 * deadline(), all).await;
    assert_eq!(ended.expect("no exec hangs"), 480);
}

/// containerd does not inform the sandboxer of a RunPodSandbox that it gave up.
#[tokio::test(flavor = "multi_thread")]
async fn a_pod_whose_creator_gives_up_leaves_no_slot() {
    let args = ["--containerd-address", "{containerd}", "--sync", "always"];
    let Some(node) = Node::start(&args).await else {
        return;
    };
    let cri = node.cri().await;
    let mut given_up = 0;
    for n in 0..80 {
        let hasty = cri.clone().with_timeout(Duration::from_millis(1 + n / 2));
        if let Err(e) = Pod::run(&hasty, &format!("p{n}")).await {
            assert!(is_giving_up(&e), "{e}");
            given_up += 1;
        }
    }
    assert!(given_up > 0, "no deadline was short enough");
    // A pod may have been created in time; containerd has it then.
    let listed = cri.list_pod_sandbox(ListPodSandboxRequest::default());
    let mut kept: Vec<String> = listed
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|pod| pod.id)
        .collect();
    kept.sort();
    eventually("the slots of abandoned pods to go", || {
        let mut slots = node.sandboxer().slots();
        slots.sort();
        (slots == kept).then_some(())
    });
}

/// The shipped drop-in, as the sandboxer prints it.
#[test]
fn containerd_accepts_the_shipped_drop_in() {
    let Some(containerd) = tests::node::containerd() else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let drop_in = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../deploy/containerd/resource-slot.toml"
    );
    let config = dir.path().join("config.toml");
    fs::write(&config, format!("version = 3\nimports = ['{drop_in}']\n")).unwrap();
    let dump = Command::new(containerd)
        .arg("--config")
        .arg(&config)
        .args(["config", "dump"])
        .output()
        .unwrap();
    assert!(dump.status.success(), "{dump:?}");
    let dump: toml::Table = String::from_utf8(dump.stdout).unwrap().parse().unwrap();
    let plugin = &dump["proxy_plugins"]["resource-slot"];
    assert_eq!(plugin["type"].as_str(), Some("sandbox"));
    let address = plugin["address"].as_str();
    assert_eq!(address, Some("/run/resource-slot-sandboxer.sock"));
    let runtimes = &dump["plugins"]["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"];
    let sandboxer = runtimes["resource-slot"]["sandboxer"].as_str();
    assert_eq!(sandboxer, Some("resource-slot"));
    assert!(runtimes.get("runc").is_some(), "what was there stays");
}

/// The events that `ctr events` would show of a container, with the reason of its end.
#[tokio::test(flavor = "multi_thread")]
async fn containerd_receives_the_events_of_tasks_with_their_reasons() {
    let Some(node) = Node::start(&["--containerd-address", "{containerd}"]).await else {
        return;
    };
    let socket = node.containerd().home().socket();
    let channel = client::channel(&socket).await.unwrap();
    let topics = tokio::spawn(async move {
        let request = SubscribeRequest {
            filters: vec!["topic~=\"/tasks/\"".to_owned()],
        };
        let mut events = EventsClient::new(channel)
            .subscribe(request)
            .await
            .unwrap()
            .into_inner();
        let mut topics = Vec::new();
        while topics.last().map(String::as_str) != Some("/tasks/delete") {
            let event = tokio::time::timeout(deadline(), events.message());
            topics.push(event.await.unwrap().unwrap().unwrap().topic);
        }
        topics
    });
    let cri = node.cri().await;
    let pod = Pod::run(&cri, "p").await.unwrap();
    let mut config = container_config("c");
    for (key, value) in [("exit-after", "1s"), ("oom", "true")] {
        let key = format!("resource-slot.kuasar.io/{key}");
        config.annotations.insert(key, value.to_owned());
    }
    let container = pod.create_container(config).await.unwrap();
    container.start().await.unwrap();
    container.exec(&["true"], 10).await.unwrap();
    let ended = async {
        loop {
            let status = container.status().await;
            if status.state() == ContainerState::ContainerExited {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    let ended = tokio::time::timeout(deadline(), ended).await.unwrap();
    assert_eq!((ended.exit_code, &*ended.reason), (137, "OOMKilled"));
    assert_eq!(
        topics.await.unwrap(),
        [
            "/tasks/create",
            "/tasks/start",
            "/tasks/exec-added",
            "/tasks/exec-started",
            "/tasks/exit",
            "/tasks/delete",
        ],
    );
}

fn is_giving_up(error: &Error) -> bool {
    matches!(error.code(), Code::DeadlineExceeded | Code::Cancelled)
}

/// containerd asks the sandboxer for the usage of containers, and reads that of a pod from its
/// cgroup, which nobody makes: the whole list of pods fails.
#[tokio::test(flavor = "multi_thread")]
async fn containers_have_statistics_and_pods_without_a_cgroup_have_none() {
    let Some(node) = Node::start(&[]).await else {
        return;
    };
    let cri = node.cri().await;
    for (parent, reason) in [
        ("", "cgroupPath is empty"),
        (
            "/resource-slot-tests/absent",
            "failed to load sandbox cgroup",
        ),
    ] {
        let mut config = pod_config("stats-0");
        config.linux.as_mut().unwrap().cgroup_parent = parent.to_owned();
        let pod = Pod::run_as(&cri, config).await.unwrap();
        let container = pod.start_container("c").await.unwrap();
        let stats = container.stats().await.unwrap().stats.unwrap();
        assert!(stats.cpu.is_some() && stats.memory.is_some());
        let one = cri.pod_sandbox_stats(PodSandboxStatsRequest {
            pod_sandbox_id: pod.id.clone(),
        });
        let all = cri.list_pod_sandbox_stats(ListPodSandboxStatsRequest::default());
        for refused in [one.await.map(drop), all.await.map(drop)] {
            let refused = refused.unwrap_err().to_string();
            assert!(refused.contains(reason), "{parent:?}: {refused}");
        }
        pod.stop().await.unwrap();
        pod.remove().await.unwrap();
    }
}
