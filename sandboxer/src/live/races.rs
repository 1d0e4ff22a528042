//! Races: calls on one id whose steps are interleaved in an order drawn from a seed.
//!
//! The sandboxer's own tasks run on the same thread, in between; only its files are written
//! on other threads.

use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use containerd_sandbox::{
    Code, Container, ContainerOptions, Key, Result, Sandbox, SandboxOptions, Sandboxer, Spec, Stdio,
};
use futures::{FutureExt, poll};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{HostRules, LogRoot, ResourceSlotSandboxer, Settings};
use journal::{self, Journal, Options, Slots, Sync};
use pod_resources::Rules;
use views::{ViewMode, Views};

const PATIENCE: Duration = Duration::from_secs(30);
const SIGKILL: u32 = 9;

type Call<'a> = Pin<Box<dyn Future<Output = (&'static str, Result<()>)> + 'a>>;

fn open(dir: &Path, sync: Sync) -> ResourceSlotSandboxer {
    let options = Options {
        sync,
        ..Options::default()
    };
    let (journal, recovered) = Journal::open(dir, options).unwrap();
    let settings = Settings {
        rules: Rules::default(),
        exit_delay: Duration::ZERO,
        profile: Arc::default(),
        unknown_command: 127,
        max_sandboxes: 1,
        log_root: LogRoot::default(),
        clock: Arc::default(),
        node_memory: 16 << 30,
        host: HostRules::default(),
        slowdown_percent: 0,
    };
    let views = Views::start(dir, ViewMode::WriteThrough).unwrap();
    ResourceSlotSandboxer::new(journal, views, recovered.slots, settings, None).unwrap()
}

fn container() -> ContainerOptions {
    ContainerOptions {
        bundle: "/b".to_owned(),
        spec: Spec::default(),
        stdio: Stdio::default(),
    }
}

/// Polls the calls in a drawn order until all are done, and returns their results. When no
/// call has finished for long, the rest wait for an end: then the sandbox is stopped.
async fn interleaved(
    rng: &mut ChaCha8Rng,
    sandboxer: &ResourceSlotSandboxer,
    key: &Key,
    mut pending: Vec<Call<'_>>,
) -> Vec<(&'static str, Result<()>)> {
    let deadline = Instant::now() + PATIENCE;
    let mut done = Vec::new();
    let mut in_vain = 0;
    while !pending.is_empty() {
        let at = rng.random_range(0..pending.len());
        in_vain += 1;
        if let Poll::Ready(result) = poll!(&mut pending[at]) {
            done.push(result);
            drop(pending.swap_remove(at));
            in_vain = 0;
        }
        if rng.random_bool(0.3) {
            tokio::task::yield_now().await;
        }
        if in_vain > 3_000 {
            let _ = sandboxer.stop(key, true).await;
            in_vain = 0;
        }
        assert!(Instant::now() < deadline, "a call waits for ever: {done:?}");
    }
    done
}

/// Asserts that the live slots are the slots that a restart would find.
fn assert_recorded(sandboxer: &ResourceSlotSandboxer, dir: &Path) {
    let mut live = Slots::new();
    sandboxer.each_slot(|key, slot| drop(live.insert(key.clone(), Box::new(slot.clone()))));
    assert_eq!(journal::read(dir).unwrap().slots, live);
}

async fn whole_container(sandboxer: &ResourceSlotSandboxer, key: &Key, id: &str) -> Result<()> {
    let sandbox = sandboxer.sandbox(key)?;
    sandbox.append_container(id, container()).await?;
    let container = sandbox.container(id)?;
    container.start(None).await?;
    container.kill(None, SIGKILL, false).await?;
    container.wait(None).await?;
    container.delete(None).await.map(drop)
}

async fn waits(sandboxer: &ResourceSlotSandboxer, key: &Key, id: &str) -> Result<()> {
    let sandbox = sandboxer.sandbox(key)?;
    let signal = sandbox.exit_signal()?;
    if let Ok(container) = sandbox.container(id) {
        // The container may be deleted before the wait.
        let _ = container.wait(None).await;
    }
    signal.wait().await;
    Ok(())
}

/// Draws the calls of one race.
fn calls<'a>(
    rng: &mut ChaCha8Rng,
    sandboxer: &'a ResourceSlotSandboxer,
    key: &'a Key,
) -> Vec<Call<'a>> {
    let mut calls: Vec<Call<'_>> = Vec::new();
    for _ in 0..rng.random_range(4..10) {
        calls.push(match rng.random_range(0..8) {
            0 | 1 => {
                let create = sandboxer.create(key, SandboxOptions::default());
                Box::pin(create.map(|done| ("create", done)))
            }
            2 => Box::pin(sandboxer.start(key).map(|done| ("start", done))),
            3 => Box::pin(sandboxer.stop(key, false).map(|done| ("stop", done))),
            4 => Box::pin(sandboxer.delete(key).map(|done| ("delete", done))),
            5 => Box::pin(whole_container(sandboxer, key, "a").map(|done| ("container", done))),
            6 => Box::pin(whole_container(sandboxer, key, "b").map(|done| ("container", done))),
            _ => Box::pin(waits(sandboxer, key, "a").map(|done| ("wait", done))),
        });
    }
    calls
}

async fn race(seed: u64, sync: Sync) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let dir = tempfile::tempdir().unwrap();
    let sandboxer = open(dir.path(), sync);
    let key = Key::new("k8s.io", "s").unwrap();
    for _ in 0..4 {
        if rng.random_bool(0.5) && sandboxer.is_empty() {
            let create = sandboxer.create(&key, SandboxOptions::default());
            create.await.unwrap();
            sandboxer.start(&key).await.unwrap();
        }
        let before = usize::from(!sandboxer.is_empty());
        let calls = calls(&mut rng, &sandboxer, &key);
        let done = interleaved(&mut rng, &sandboxer, &key, calls).await;
        for (called, result) in &done {
            if let Err(e) = result {
                let expected = [
                    Code::NotFound,
                    Code::AlreadyExists,
                    Code::FailedPrecondition,
                    Code::ResourceExhausted,
                ];
                assert!(expected.contains(&e.code()), "{called}: {e}");
            }
        }
        let count = |name: &str| {
            let ok = |(called, result): &&(&str, Result<()>)| *called == name && result.is_ok();
            done.iter().filter(ok).count()
        };
        let there = usize::from(!sandboxer.is_empty());
        assert_eq!(
            before + count("create"),
            count("delete") + there,
            "{done:?}"
        );
        assert_recorded(&sandboxer, dir.path());
    }
    if !sandboxer.is_empty() {
        sandboxer.delete(&key).await.unwrap();
    }
    sandboxer.close().unwrap();
    assert!(journal::read(dir.path()).unwrap().slots.is_empty());
    assert!(!dir.path().join("s").exists());
}

#[tokio::test]
async fn calls_that_meet_on_one_id_leave_a_state_that_a_restart_finds() {
    for seed in 0..150 {
        eprintln!("seed {seed}");
        race(seed, Sync::None).await;
    }
}

#[tokio::test]
async fn calls_that_meet_on_one_id_and_wait_for_the_disk_leave_a_state_that_a_restart_finds() {
    for seed in 0..60 {
        eprintln!("seed {seed}");
        race(seed, Sync::Always).await;
    }
}
