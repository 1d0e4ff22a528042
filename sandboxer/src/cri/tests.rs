//! The CRI API without a socket: behaviour that a client cannot observe, or not every time.

use std::path::Path;
use std::sync::Arc;

use containerd_sandbox::{Code, Result, Sandboxer as _};
use cri_api::v1::{
    ContainerConfig, ContainerEventResponse, ContainerMetadata, CreateContainerRequest,
    ExecSyncRequest, GetEventsRequest, ImageSpec, ListPodSandboxRequest, PodSandboxConfig,
    PodSandboxMetadata, PullImageRequest, RemovePodSandboxRequest, RunPodSandboxRequest,
    StartContainerRequest,
};
use futures::{FutureExt, StreamExt};

use super::Cri;
use crate::live::{LogRoot, ResourceSlotSandboxer, Settings};
use crate::streaming::{DEFAULT_IDLE_TIMEOUT, DEFAULT_LISTEN, StreamingServer};
use journal::{Journal, Options, Sync};
use pod_resources::Rules;
use views::{ViewMode, Views};

fn sandboxer(dir: &Path) -> Arc<ResourceSlotSandboxer> {
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
        slowdown_percent: 0,
    };
    let views = Views::start(dir, ViewMode::WriteThrough).unwrap();
    let slots = recovered.slots;
    Arc::new(ResourceSlotSandboxer::new(journal, views, slots, settings, None).unwrap())
}

async fn open(dir: &Path) -> Cri {
    let streams = StreamingServer::start(DEFAULT_LISTEN, DEFAULT_IDLE_TIMEOUT)
        .await
        .unwrap();
    Cri::open(sandboxer(dir), dir, streams, false).unwrap()
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
                attempt: 0,
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
