//! The CRI API without a socket: behaviour that a client cannot observe, or not every time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use containerd_sandbox::{Code, Container as _, Result, Sandboxer as _};
use cri_api::v1::{
    ContainerConfig, ContainerEventResponse, ContainerMetadata, ContainerStatsRequest,
    ContainerStatusRequest, CreateContainerRequest, ExecSyncRequest, GetEventsRequest, ImageSpec,
    LinuxContainerConfig, LinuxContainerResources, LinuxContainerSecurityContext,
    ListPodSandboxRequest, NamespaceMode, NamespaceOption, PodSandboxConfig, PodSandboxMetadata,
    PullImageRequest, RemovePodSandboxRequest, RunPodSandboxRequest, Signal, StartContainerRequest,
    StopContainerRequest,
};
use futures::{FutureExt, StreamExt};

use super::{Cri, ImageTable, PodCidrs};
use crate::clock::{Clock, Reading};
use crate::live::{HostRules, LogRoot, ResourceSlotSandboxer, Settings};
use crate::streaming::{DEFAULT_IDLE_TIMEOUT, DEFAULT_LISTEN, StreamingServer};
use journal::{Journal, Options, Sync};
use pod_resources::Rules;
use views::{ViewMode, Views};

fn sandboxer_by(dir: &Path, clock: Arc<Clock>) -> Arc<ResourceSlotSandboxer> {
    let options = Options {
        sync: Sync::Always,
        ..Options::default()
    };
    let (journal, recovered) = Journal::open(dir, options).unwrap();
    let settings = Settings {
        rules: Rules::default(),
        exit_delay: std::time::Duration::ZERO,
        profile: Arc::default(),
        unknown_command: 127,
        max_sandboxes: usize::MAX,
        log_root: LogRoot::default(),
        clock,
        node_memory: 16 << 30,
        host: HostRules::default(),
        slowdown_percent: 0,
    };
    let views = Views::start(dir, ViewMode::WriteThrough).unwrap();
    let slots = recovered.slots;
    Arc::new(ResourceSlotSandboxer::new(journal, views, slots, settings, None).unwrap())
}

async fn open(dir: &Path) -> Cri {
    open_by(dir, Arc::default()).await
}

async fn open_by(dir: &Path, clock: Arc<Clock>) -> Cri {
    let streams = StreamingServer::start(DEFAULT_LISTEN, DEFAULT_IDLE_TIMEOUT)
        .await
        .unwrap();
    let sandboxer = sandboxer_by(dir, clock);
    let (cidrs, images) = (PodCidrs::default(), ImageTable::default());
    Cri::open(sandboxer, dir, streams, &cidrs, images, false).unwrap()
}

fn pod(name: &str) -> RunPodSandboxRequest {
    RunPodSandboxRequest {
        config: Some(PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.to_owned(),
                uid: "u".to_owned(),
                namespace: "shop".to_owned(),
                attempt: 0,
            }),
            ..Default::default()
        }),
        runtime_handler: String::new(),
    }
}

async fn run(cri: &Cri, name: &str) -> Result<String> {
    Ok(cri.run_pod_sandbox(pod(name)).await?.pod_sandbox_id)
}

async fn remove(cri: &Cri, id: &str) {
    let request = RemovePodSandboxRequest {
        pod_sandbox_id: id.to_owned(),
    };
    cri.remove_pod_sandbox(request).await.unwrap();
}

async fn running_container(cri: &Cri, pod: &str) -> String {
    running_attempt(cri, pod, 0).await
}

async fn running_attempt(cri: &Cri, pod: &str, attempt: u32) -> String {
    let image = Some(ImageSpec {
        image: "busybox".to_owned(),
        ..Default::default()
    });
    let pull = PullImageRequest {
        image: image.clone(),
        ..Default::default()
    };
    cri.pull_image(pull).await.unwrap();
    let create = CreateContainerRequest {
        pod_sandbox_id: pod.to_owned(),
        config: Some(ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: "app".to_owned(),
                attempt,
            }),
            image,
            ..Default::default()
        }),
        sandbox_config: None,
    };
    let id = cri.create_container(create).await.unwrap().container_id;
    let start = StartContainerRequest {
        container_id: id.clone(),
    };
    cri.start_container(start).await.unwrap();
    id
}

async fn pods(cri: &Cri) -> usize {
    let list = cri.list_pod_sandbox(ListPodSandboxRequest::default());
    list.await.unwrap().items.len()
}

/// Polls a future `polls` times and drops it. Returns whether it was still pending.
async fn abandoned<T>(future: impl Future<Output = T>, polls: usize) -> bool {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        if future.as_mut().now_or_never().is_some() {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

#[tokio::test]
async fn a_pod_whose_caller_goes_away_leaves_nothing_and_frees_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    // The number of polls doubles, from waiting for the view to waiting for the start.
    for doublings in 0..14 {
        if !abandoned(cri.run_pod_sandbox(pod("web")), 1 << doublings).await {
            assert!(doublings > 0, "it was to wait for the disk");
            let list = cri.list_pod_sandbox(ListPodSandboxRequest::default());
            remove(&cri, &list.await.unwrap().items[0].id).await;
        }
        assert!(cri.sandboxer.is_empty());
    }
    run(&cri, "web").await.unwrap();
}

#[tokio::test]
async fn a_pod_whose_creation_was_not_answered_is_deleted_at_the_next_start() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    let kept = run(&cri, "kept").await.unwrap();
    let key = Cri::key("unanswered").unwrap();
    let unanswered = slot::CriPod {
        config: pod("web").config.unwrap().into(),
        updated: None,
        handler: String::new(),
        ip: String::new(),
        additional_ips: Vec::new(),
    };
    cri.sandboxer.create_pod(&key, unanswered).await.unwrap();
    assert_eq!(pods(&cri).await, 1);
    cri.sandboxer.close().unwrap();
    drop(cri);

    let cri = open(dir.path()).await;
    assert_eq!(cri.sandboxer.len(), 1);
    assert!(cri.pod(&kept).is_ok());
    run(&cri, "web").await.unwrap();
}

#[tokio::test]
async fn a_name_is_free_when_its_pod_is_deleted_through_another_api() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    let id = run(&cri, "web").await.unwrap();
    running_container(&cri, &id).await;
    let taken = run(&cri, "web").await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    assert!(taken.to_string().contains(&id), "{taken}");
    cri.sandboxer.delete(&Cri::key(&id).unwrap()).await.unwrap();
    let again = run(&cri, "web").await.unwrap();
    running_container(&cri, &again).await;
}

#[tokio::test]
async fn pods_of_other_apis_are_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    let key = Cri::key("containerds").unwrap();
    let options = containerd_sandbox::SandboxOptions::default();
    cri.sandboxer.create(&key, options).await.unwrap();
    cri.sandboxer.start(&key).await.unwrap();
    assert_eq!(pods(&cri).await, 0);
    assert_eq!(cri.pod("containerds").err().unwrap().code(), Code::NotFound);
    remove(&cri, "containerds").await;
    assert_eq!(cri.sandboxer.len(), 1);
}

async fn processes(cri: &Cri, container: &str) -> String {
    let ps = ExecSyncRequest {
        container_id: container.to_owned(),
        cmd: vec!["ps".to_owned()],
        timeout: 0,
    };
    String::from_utf8(cri.exec_sync(ps).await.unwrap().stdout).unwrap()
}

#[tokio::test]
async fn a_command_whose_caller_goes_away_leaves_no_process() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    let id = run(&cri, "web").await.unwrap();
    let container = running_container(&cri, &id).await;
    let sleep = ExecSyncRequest {
        container_id: container.clone(),
        cmd: vec!["sleep".to_owned(), "infinity".to_owned()],
        timeout: 0,
    };
    {
        let mut exec = std::pin::pin!(cri.exec_sync(sleep));
        assert!(exec.as_mut().now_or_never().is_none());
        let listed = processes(&cri, &container).await;
        assert!(listed.contains("sleep infinity"), "{listed}");
    }
    let listed = processes(&cri, &container).await;
    assert!(!listed.contains("sleep infinity"), "{listed}");
}

#[tokio::test]
async fn a_reader_of_events_that_is_too_slow_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    let mut events = std::pin::pin!(
        cri.get_container_events(GetEventsRequest::default())
            .await
            .unwrap()
    );
    for _ in 0..300 {
        // Four events each: created, started, stopped, deleted.
        let id = run(&cri, "web").await.unwrap();
        remove(&cri, &id).await;
    }
    let cut_off = events.next().await.unwrap().unwrap_err();
    assert_eq!(cut_off.code(), tonic::Code::ResourceExhausted);
    assert!(events.next().await.is_none());

    let mut events = std::pin::pin!(
        cri.get_container_events(GetEventsRequest::default())
            .await
            .unwrap()
    );
    let id = run(&cri, "web").await.unwrap();
    let first: ContainerEventResponse = events.next().await.unwrap().unwrap();
    assert_eq!(first.container_id, id);
}

/// Nanoseconds of the wall clock and of the time since the boot, as a test sets them.
#[derive(Clone, Default)]
struct Clocks(Arc<(AtomicU64, AtomicU64)>);

impl Clocks {
    fn set(&self, wall_s: u64, up_s: u64) {
        self.0.0.store(wall_s * 1_000_000_000, Ordering::Relaxed);
        self.0.1.store(up_s * 1_000_000_000, Ordering::Relaxed);
    }

    fn clock(&self) -> Arc<Clock> {
        let clocks = self.clone();
        Arc::new(Clock::of(move || Reading {
            wall: clocks.0.0.load(Ordering::Relaxed),
            up: clocks.0.1.load(Ordering::Relaxed),
        }))
    }
}

async fn cpu_ns(cri: &Cri, id: &str) -> u64 {
    let request = ContainerStatsRequest {
        container_id: id.to_owned(),
    };
    let stats = cri.container_stats(request).await.unwrap().stats.unwrap();
    stats.cpu.unwrap().usage_core_nano_seconds.unwrap().value
}

async fn stop(cri: &Cri, id: &str) {
    let request = StopContainerRequest {
        container_id: id.to_owned(),
        timeout: 0,
    };
    cri.stop_container(request).await.unwrap();
}

#[tokio::test]
async fn no_counter_falls_and_no_time_is_negative_when_the_clock_is_set_back() {
    let dir = tempfile::tempdir().unwrap();
    let clocks = Clocks::default();
    clocks.set(10_000, 100);
    let cri = open_by(dir.path(), clocks.clock()).await;
    let pod = run(&cri, "p").await.unwrap();
    let first = running_container(&cri, &pod).await;
    clocks.set(10_100, 200);
    let before = cpu_ns(&cri, &first).await;
    assert!(before > 0);
    clocks.set(5_000, 210);
    let after = cpu_ns(&cri, &first).await;
    assert_eq!(after, before / 10 * 11);
    stop(&cri, &first).await;
    assert_eq!(cpu_ns(&cri, &first).await, after);
    let second = running_attempt(&cri, &pod, 1).await;
    let status = async |id: &str| {
        let request = ContainerStatusRequest {
            container_id: id.to_owned(),
            verbose: false,
        };
        let reply = cri.container_status(request).await.unwrap();
        reply.status.unwrap()
    };
    let (first, second) = (status(&first).await, status(&second).await);
    assert!(first.created_at <= first.started_at, "{first:?}");
    assert!(first.started_at <= first.finished_at, "{first:?}");
    // A kubelet takes the container that was created last for the present one.
    assert!(first.created_at < second.created_at, "{second:?}");
    assert!(second.created_at <= second.started_at, "{second:?}");
}

#[tokio::test]
async fn a_pod_whose_creation_fails_at_first_is_created_by_the_same_request_later() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    for call in ["fail-pod-create", "fail-pod-start"] {
        let mut request = pod(call);
        let config = request.config.as_mut().unwrap();
        let annotation = format!("resource-slot.kuasar.io/{call}");
        let failure = "first 2 unavailable".to_owned();
        config.annotations.insert(annotation, failure);
        // A kubelet repeats the request as it is.
        for _ in 0..2 {
            let error = cri.run_pod_sandbox(request.clone()).await.unwrap_err();
            assert_eq!(error.code(), Code::Unavailable, "{call}");
        }
        let first = cri.run_pod_sandbox(request.clone()).await.unwrap();
        // Neither does the next sandbox of the pod fail.
        remove(&cri, &first.pod_sandbox_id).await;
        cri.run_pod_sandbox(request.clone()).await.unwrap();
        // Another pod of the name does.
        let config = request.config.as_mut().unwrap();
        config.metadata.as_mut().unwrap().uid = "other".to_owned();
        assert!(cri.run_pod_sandbox(request).await.is_err(), "{call}");
    }
}

/// Runs a command in a container with this configuration, stops it with a grace period, and
/// returns its exit code.
async fn stopped(cri: &Cri, pod: &str, config: ContainerConfig, grace_s: i64) -> i32 {
    let image = Some(ImageSpec {
        image: "busybox".to_owned(),
        ..Default::default()
    });
    let pull = PullImageRequest {
        image: image.clone(),
        ..Default::default()
    };
    cri.pull_image(pull).await.unwrap();
    let create = CreateContainerRequest {
        pod_sandbox_id: pod.to_owned(),
        config: Some(ContainerConfig { image, ..config }),
        ..Default::default()
    };
    let id = cri.create_container(create).await.unwrap().container_id;
    let start = StartContainerRequest {
        container_id: id.clone(),
    };
    cri.start_container(start).await.unwrap();
    let stop = StopContainerRequest {
        container_id: id.clone(),
        timeout: grace_s,
    };
    cri.stop_container(stop).await.unwrap();
    let request = ContainerStatusRequest {
        container_id: id,
        verbose: false,
    };
    let reply = cri.container_status(request).await.unwrap();
    reply.status.unwrap().exit_code
}

#[tokio::test]
async fn a_stop_ends_a_container_as_its_handlers_and_its_namespace_say() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    let pod = run(&cri, "p").await.unwrap();
    let of = |mode: NamespaceMode| LinuxContainerConfig {
        security_context: Some(LinuxContainerSecurityContext {
            namespace_options: Some(NamespaceOption {
                pid: mode.into(),
                ..Default::default()
            }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let (own, shared) = (NamespaceMode::Container, NamespaceMode::Pod);
    let cases = [
        (&["sleep", "1000"][..], own, "", Signal::RuntimeDefault, 137),
        (&["sleep", "1000"], shared, "", Signal::RuntimeDefault, 143),
        (&["sleep", "1000"], shared, "", Signal::Sigint, 130),
        (
            &["sh", "-c", "sleep 1000; echo x"],
            own,
            "",
            Signal::RuntimeDefault,
            137,
        ),
        (
            &["sh", "-c", "sleep 1000; echo x"],
            shared,
            "",
            Signal::RuntimeDefault,
            143,
        ),
        (&["/app/server"], own, "", Signal::RuntimeDefault, 143),
        (&["/app/server"], own, "", Signal::Sigquit, 0),
        (&["/app/server"], own, "", Signal::Sigwinch, 137),
        (
            &["/app/server"],
            own,
            "WINCH=3 after 50ms",
            Signal::Sigwinch,
            3,
        ),
        (
            &["/app/server"],
            own,
            "WINCH=3 after 2m",
            Signal::Sigwinch,
            137,
        ),
        (
            &["/app/server"],
            own,
            "TERM=ignore",
            Signal::RuntimeDefault,
            137,
        ),
        (
            &["sleep", "1000"],
            own,
            "TERM=143",
            Signal::RuntimeDefault,
            143,
        ),
    ];
    let stops = cases.into_iter().enumerate().map(async |(n, case)| {
        let (command, mode, on_signal, signal, code) = case;
        let mut config = ContainerConfig {
            metadata: Some(ContainerMetadata {
                name: format!("c{n}"),
                attempt: 0,
            }),
            command: command.iter().map(ToString::to_string).collect(),
            linux: Some(of(mode)),
            stop_signal: signal.into(),
            ..Default::default()
        };
        if !on_signal.is_empty() {
            let name = "resource-slot.kuasar.io/on-signal".to_owned();
            config.annotations.insert(name, on_signal.to_owned());
        }
        let grace_s = if code == 137 { 1 } else { 30 };
        let ended = stopped(&cri, &pod, config, grace_s).await;
        assert_eq!(ended, code, "{command:?} {mode:?} {on_signal} {signal:?}");
    });
    futures::future::join_all(stops).await;
}

#[tokio::test]
async fn a_dd_beyond_the_memory_limit_is_killed_for_lack_of_memory() {
    let dir = tempfile::tempdir().unwrap();
    let cri = open(dir.path()).await;
    let pod = run(&cri, "p").await.unwrap();
    for (n, (script, code, reason)) in [
        (
            "dd if=/dev/zero of=/dev/null bs=64M count=1",
            137,
            "OOMKilled",
        ),
        (
            "dd if=/dev/zero of=/dev/shm/x bs=1M count=64; exit 3",
            137,
            "OOMKilled",
        ),
        (
            "dd if=/dev/zero of=/dev/null bs=16 count=64; exit 3",
            3,
            "Error",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let image = Some(ImageSpec {
            image: "busybox".to_owned(),
            ..Default::default()
        });
        let pull = PullImageRequest {
            image: image.clone(),
            ..Default::default()
        };
        cri.pull_image(pull).await.unwrap();
        let resources = LinuxContainerResources {
            memory_limit_in_bytes: 32 << 20,
            ..Default::default()
        };
        let create = CreateContainerRequest {
            pod_sandbox_id: pod.clone(),
            config: Some(ContainerConfig {
                metadata: Some(ContainerMetadata {
                    name: format!("c{n}"),
                    attempt: 0,
                }),
                image,
                command: ["sh", "-c", script].map(str::to_owned).to_vec(),
                linux: Some(LinuxContainerConfig {
                    resources: Some(resources),
                    ..Default::default()
                }),
                ..Default::default()
            }),
            ..Default::default()
        };
        let id = cri.create_container(create).await.unwrap().container_id;
        let container = cri.container(&id).unwrap();
        cri.start_container(StartContainerRequest {
            container_id: id.clone(),
        })
        .await
        .unwrap();
        container.wait(None).await.unwrap();
        let request = ContainerStatusRequest {
            container_id: id,
            verbose: false,
        };
        let status = cri.container_status(request).await.unwrap().status.unwrap();
        assert_eq!(
            (status.exit_code, status.reason.as_str()),
            (code, reason),
            "{script}"
        );
    }
}
