//! Callers that go away: exactly the objects that their calls began are taken back.

use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use containerd_sandbox::{
    Code, ContainerOptions, Key, Result, Sandbox, SandboxOptions, Sandboxer, Spec, Stdio,
};
use futures::FutureExt;

use super::{HostRules, LogRoot, ResourceSlotSandboxer, Settings};
use journal::{Journal, Options, Sync};
use pod_resources::Rules;
use views::{ViewMode, Views};

pub(super) fn open(dir: &Path) -> ResourceSlotSandboxer {
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
        clock: Arc::default(),
        node_memory: 16 << 30,
        host: HostRules::default(),
        slowdown_percent: 0,
    };
    let views = Views::start(dir, ViewMode::WriteThrough).unwrap();
    ResourceSlotSandboxer::new(journal, views, recovered.slots, settings, None).unwrap()
}

fn key(id: &str) -> Key {
    Key::new("k8s.io", id).unwrap()
}

fn container() -> ContainerOptions {
    ContainerOptions {
        bundle: "/b".to_owned(),
        spec: Spec::default(),
        stdio: Stdio::default(),
    }
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

/// Polls a creation until its object `exists`, when it waits for the disk, and drops it.
/// Returns whether it was still pending.
async fn abandoned_at_the_disk<T>(
    creation: impl Future<Output = T>,
    exists: impl Fn() -> bool,
) -> bool {
    let mut creation = std::pin::pin!(creation);
    while !exists() {
        if creation.as_mut().now_or_never().is_some() {
            return false;
        }
        tokio::task::yield_now().await;
    }
    true
}

/// Creates a sandbox and returns its start, polled until it waits for the disk. Tries again
/// if the disk is done before the start waits.
async fn starting<'a>(
    sandboxer: &'a ResourceSlotSandboxer,
    id: &'a Key,
) -> Pin<Box<dyn Future<Output = Result<()>> + 'a>> {
    for _ in 0..100 {
        sandboxer
            .create(id, SandboxOptions::default())
            .await
            .unwrap();
        let mut start = Box::pin(sandboxer.start(id));
        if start.as_mut().now_or_never().is_none() {
            return start;
        }
        drop(start);
        sandboxer.delete(id).await.unwrap();
    }
    panic!("no start waited for the disk");
}

/// Asserts that no sandbox is left: neither live, nor after a restart, nor on disk.
fn assert_empty(sandboxer: &ResourceSlotSandboxer, dir: &Path) {
    assert!(sandboxer.is_empty());
    sandboxer.close().unwrap();
    let (journal, recovered) = Journal::open(dir, Options::default()).unwrap();
    assert!(recovered.slots.is_empty());
    journal.close().unwrap();
    let left = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name != "journal").collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn a_sandbox_whose_creator_goes_away_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = open(dir.path());
    let mut waited_for_the_disk = 0;
    for doublings in 0..14 {
        let id = key(&format!("s{doublings}"));
        let create = || sandboxer.create(&id, SandboxOptions::default());
        let gone = || sandboxer.sandbox(&id).err().map(|e| e.code()) == Some(Code::NotFound);
        if abandoned(create(), 1 << doublings).await {
            assert!(gone());
        } else {
            sandboxer.delete(&id).await.unwrap();
        }
        if abandoned_at_the_disk(create(), || sandboxer.sandbox(&id).is_ok()).await {
            assert!(gone());
            waited_for_the_disk += 1;
        } else {
            sandboxer.delete(&id).await.unwrap();
        }
    }
    assert!(waited_for_the_disk > 0);
    assert_empty(&sandboxer, dir.path());
}

#[tokio::test]
async fn a_sandbox_whose_starter_goes_away_is_taken_back_and_its_successor_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = open(dir.path());
    let id = key("s");
    drop(starting(&sandboxer, &id).await);
    assert!(sandboxer.is_empty());

    let start = starting(&sandboxer, &id).await;
    sandboxer.delete(&id).await.unwrap();
    sandboxer
        .create(&id, SandboxOptions::default())
        .await
        .unwrap();
    drop(start);
    assert!(sandboxer.sandbox(&id).is_ok());
    sandboxer.delete(&id).await.unwrap();
    assert_empty(&sandboxer, dir.path());
}

#[tokio::test]
async fn a_container_whose_creator_goes_away_is_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = open(dir.path());
    let id = key("s");
    sandboxer
        .create(&id, SandboxOptions::default())
        .await
        .unwrap();
    sandboxer.start(&id).await.unwrap();
    let sandbox = sandboxer.sandbox(&id).unwrap();
    let mut waited_for_the_disk = 0;
    for doublings in 0..14 {
        let append = || sandbox.append_container("c", container());
        let gone = || sandbox.container("c").is_err() && sandboxer.container(&key("c")).is_err();
        if abandoned(append(), 1 << doublings).await {
            assert!(gone());
        } else {
            sandbox.remove_container("c").await.unwrap();
        }
        if abandoned_at_the_disk(append(), || sandbox.container("c").is_ok()).await {
            assert!(gone());
            waited_for_the_disk += 1;
        } else {
            sandbox.remove_container("c").await.unwrap();
        }
    }
    assert!(waited_for_the_disk > 0);
    sandboxer.delete(&id).await.unwrap();
    assert_empty(&sandboxer, dir.path());
}

#[tokio::test]
async fn a_container_in_the_making_goes_with_its_sandbox() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = open(dir.path());
    let id = key("s");
    sandboxer
        .create(&id, SandboxOptions::default())
        .await
        .unwrap();
    sandboxer.start(&id).await.unwrap();
    let sandbox = sandboxer.sandbox(&id).unwrap();
    let mut append = Box::pin(sandbox.append_container("c", container()));
    let begun = append.as_mut().now_or_never();
    sandboxer.delete(&id).await.unwrap();
    sandboxer
        .create(&id, SandboxOptions::default())
        .await
        .unwrap();
    // The container may have existed before its sandbox went, and is gone by now.
    let appended = match begun {
        Some(appended) => appended,
        None => append.await,
    };
    if let Err(error) = appended {
        assert_eq!(error.code(), Code::NotFound);
    }
    assert!(sandboxer.container(&key("c")).is_err());
    assert!(dir.path().join("s/resource_info.json").exists());
    assert!(!dir.path().join("s/containers").exists());
    sandboxer.delete(&id).await.unwrap();
    assert_empty(&sandboxer, dir.path());
}

#[tokio::test]
async fn who_comes_after_the_drain_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = open(dir.path());
    sandboxer.drain().await;
    let refused = sandboxer.create(&key("s"), SandboxOptions::default()).await;
    assert_eq!(refused.unwrap_err().code(), Code::Unavailable);
    assert_empty(&sandboxer, dir.path());
}
