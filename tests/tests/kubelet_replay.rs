//! Recorded calls of a real kubelet (`scripts/record-kubelet`) receive what the kubelet needs.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cri_api::v1::{self, ContainerState};
use prost::Message;
use tests::PATIENCE;
use tests::recording::replay::{Counts, replay};
use tests::recording::{Call, Entry, Writer, read};

fn recording(name: &str) -> PathBuf {
    let file = format!("data/kubelet/{name}.jsonl");
    Path::new(env!("CARGO_MANIFEST_DIR")).join(file)
}

async fn replayed(name: &str) -> Counts {
    let counts = replay(&recording(name), PATIENCE).await;
    counts.unwrap_or_else(|why| panic!("{why}"))
}

#[tokio::test]
async fn a_deployment_comes_and_goes() {
    let counts = replayed("deployment").await;
    assert_eq!((counts["RunPodSandbox"], counts["StartContainer"]), (2, 2));
}

#[tokio::test]
async fn a_job_ends_and_its_pods_are_collected() {
    let counts = replayed("job").await;
    assert_eq!(
        (counts["RunPodSandbox"], counts["RemovePodSandbox"]),
        (2, 2)
    );
}

#[tokio::test]
async fn a_sidecar_outlives_the_regular_container() {
    let counts = replayed("sidecars").await;
    assert_eq!(counts["CreateContainer"], 3);
}

#[tokio::test]
async fn a_container_that_fails_is_created_again() {
    let counts = replayed("crash-loop").await;
    assert!(counts["CreateContainer"] > 3, "{counts:?}");
}

#[tokio::test]
async fn a_running_container_is_resized() {
    assert!(replayed("resize").await["UpdateContainerResources"] > 0);
}

#[tokio::test]
async fn a_static_pod_comes_and_goes_with_its_file() {
    assert_eq!(replayed("static-pod").await["StopPodSandbox"], 1);
}

#[tokio::test]
async fn a_kubelet_that_starts_again_finds_its_containers() {
    let counts = replayed("kubelet-restart").await;
    assert_eq!(counts["CreateContainer"], 1);
}

#[tokio::test]
async fn a_sandboxer_that_starts_again_shows_the_kubelet_its_containers() {
    let counts = replayed("sandboxer-restart").await;
    assert_eq!(counts["CreateContainer"], 1);
}

#[tokio::test]
async fn a_kubelet_that_listens_to_events_hears_of_every_change() {
    assert_eq!(replayed("events").await["GetContainerEvents"], 1);
}

/// Changes the reply to the first call of this method whose reply `change` changes.
fn changed<M: Message + Default + PartialEq + Clone>(
    entries: &mut [Entry],
    method: &str,
    change: impl Fn(&mut M),
) {
    for entry in entries {
        let Entry::Call(Call {
            method: called,
            replies,
            ..
        }) = entry
        else {
            continue;
        };
        let Some(reply) = replies.first_mut().filter(|_| called == method) else {
            continue;
        };
        let recorded = M::decode(&**reply).expect("a reply of the method");
        let mut altered = recorded.clone();
        change(&mut altered);
        if altered != recorded {
            *reply = altered.encode_to_vec();
            return;
        }
    }
    panic!("no reply to {method} was changed");
}

/// Returns the reason why a recording with this change is refused.
async fn refused(name: &str, change: impl Fn(&mut [Entry])) -> String {
    let file = File::open(recording(name)).expect("a recording");
    let mut entries = read(BufReader::new(file)).expect("a recording");
    change(&mut entries);
    let altered = tempfile::NamedTempFile::new().expect("a file");
    let mut writer = Writer::new(altered.as_file());
    for entry in &entries {
        writer.append(entry).expect("a file that can be written");
    }
    let outcome = replay(altered.path(), Duration::from_secs(5)).await;
    outcome.expect_err("the reply is another one")
}

/// The replay notices what would mislead a kubelet.
#[tokio::test]
async fn a_reply_that_would_not_do_is_named_with_its_call() {
    let why = refused("sidecars", |entries| {
        changed(
            entries,
            "ContainerStatus",
            |reply: &mut v1::ContainerStatusResponse| {
                let status = reply.status.as_mut().expect("a status");
                if status.state() == ContainerState::ContainerExited {
                    status.exit_code += 1;
                }
            },
        );
    });
    let why = why.await;
    assert!(
        why.contains("ContainerStatus") && why.contains("exit_code was 1 and is 0"),
        "{why}"
    );

    let why = refused("job", |entries| {
        changed(
            entries,
            "ListContainers",
            |reply: &mut v1::ListContainersResponse| {
                reply.containers.pop();
            },
        );
    });
    let why = why.await;
    assert!(
        why.contains("ListContainers") && why.contains("is listed"),
        "{why}"
    );

    let why = refused("crash-loop", |entries| {
        changed(
            entries,
            "PodSandboxStatus",
            |reply: &mut v1::PodSandboxStatusResponse| {
                if reply.containers_statuses.len() > 2 {
                    reply.containers_statuses.reverse();
                }
            },
        );
    });
    let why = why.await;
    assert!(why.contains("containers_statuses was"), "{why}");
}
