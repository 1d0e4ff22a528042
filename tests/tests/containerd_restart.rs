//! Restarts of containerd and of the sandboxer, each under running pods. The documentation has the
//! outcomes as a table.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use containerd_sandbox::Code;
use cri_api::v1::{ContainerState, ContainerStatus, PodSandboxState};
use tests::eventually;
use tests::node::{Container, Node, Pod};
use tokio::task::JoinSet;

/// Runs pods with one running container each.
async fn run_pods(node: &Node, count: usize) -> Vec<(Pod, Container)> {
    let cri = node.cri().await;
    let mut starting = JoinSet::new();
    let mut pods = Vec::new();
    for n in 0..count {
        let cri = cri.clone();
        starting.spawn(async move {
            let pod = Pod::run(&cri, &format!("p{n}")).await?;
            let container = pod.start_container("c").await?;
            Ok::<_, containerd_sandbox::Error>((pod, container))
        });
        if starting.len() == 16 {
            pods.push(starting.join_next().await.unwrap().unwrap().unwrap());
        }
    }
    while let Some(started) = starting.join_next().await {
        pods.push(started.unwrap().unwrap());
    }
    pods
}

/// Returns the same pods over a new connection, to the present containerd.
async fn again(node: &Node, pods: Vec<(Pod, Container)>) -> Vec<(Pod, Container)> {
    let cri = node.cri().await;
    let over = |(mut pod, mut container): (Pod, Container)| {
        pod.cri = cri.clone();
        container.cri = cri.clone();
        (pod, container)
    };
    pods.into_iter().map(over).collect()
}

async fn all_run(pods: &[(Pod, Container)]) {
    for (pod, container) in pods {
        assert_eq!(pod.status().await.0, PodSandboxState::SandboxReady);
        let state = container.status().await.state();
        assert_eq!(state, ContainerState::ContainerRunning);
        assert_eq!(container.exec(&["true"], 10).await.unwrap().exit_code, 0);
        assert!(container.stats().await.unwrap().stats.is_some());
    }
}

async fn remove_all(node: &Node, pods: Vec<(Pod, Container)>) {
    for (pod, container) in pods {
        container.stop(0).await.unwrap();
        assert_eq!(
            container.status().await.state(),
            ContainerState::ContainerExited
        );
        pod.stop().await.unwrap();
        pod.remove().await.unwrap();
    }
    nothing_is_left(node);
}

/// Checks that no slot, no bundle and no FIFO is left.
fn nothing_is_left(node: &Node) {
    assert_eq!(node.sandboxer().slots(), Vec::<String>::new());
    let state = node.containerd().home().state();
    for dir in [
        "io.containerd.runtime.v2.task/k8s.io",
        "io.containerd.grpc.v1.cri/containers",
        "io.containerd.grpc.v1.cri/sandboxes",
    ] {
        eventually("containerd to remove what it made", || {
            is_empty(&state.join(dir)).then_some(())
        });
    }
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).map_or(true, |mut entries| entries.next().is_none())
}

#[tokio::test(flavor = "multi_thread")]
async fn containerd_restarts_under_a_hundred_running_pods() {
    let Some(mut node) = Node::start(&[]).await else {
        return;
    };
    let pods = run_pods(&node, 100).await;
    let home = node.stop_containerd().await;
    node.start_containerd(home).await;
    let pods = again(&node, pods).await;
    all_run(&pods).await;
    remove_all(&node, pods).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandboxer_restarts_while_containerd_is_down() {
    let Some(mut node) = Node::start(&[]).await else {
        return;
    };
    let mut pods = run_pods(&node, 20).await;
    for kill9 in [false, true] {
        let home = node.stop_containerd().await;
        node.restart_sandboxer(kill9);
        node.start_containerd(home).await;
        pods = again(&node, pods).await;
        all_run(&pods).await;
    }
    remove_all(&node, pods).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandboxer_restarts_under_a_living_containerd() {
    let Some(mut node) = Node::start(&[]).await else {
        return;
    };
    for kill9 in [false, true] {
        let pods = run_pods(&node, 10).await;
        node.restart_sandboxer(kill9);
        // containerd does not dial a task again and takes the containers for ended.
        for (_, container) in &pods {
            let ended = until(container, ContainerState::ContainerExited).await;
            assert_eq!(ended.exit_code, 255);
        }
        eventually("orphaned tasks to be dropped", || {
            let inspect = node.sandboxer().home().inspect();
            (inspect["totals"]["all"]["containers"] == 0).then_some(())
        });
        let mut successors = Vec::new();
        for (pod, _) in &pods {
            assert_eq!(pod.status().await.0, PodSandboxState::SandboxReady);
            let successor = pod.start_container("d").await.unwrap();
            assert_eq!(successor.exec(&["true"], 10).await.unwrap().exit_code, 0);
            successors.push((pod.clone(), successor));
        }
        let known: BTreeSet<String> = node.sandboxer().slots().into_iter().collect();
        let ours: BTreeSet<String> = pods.iter().map(|(pod, _)| pod.id.clone()).collect();
        assert_eq!(known, ours);
        remove_all(&node, successors).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sandboxer_is_absent_while_containerd_starts() {
    let Some(mut node) = Node::start(&[]).await else {
        return;
    };
    let pods = run_pods(&node, 3).await;
    let containerd = node.stop_containerd().await;
    let sandboxer = node.stop_sandboxer(true);
    node.start_containerd(containerd).await;
    let pods = again(&node, pods).await;
    node.sandboxer = Some(sandboxer.start());
    for (pod, container) in &pods {
        // containerd connects again only after a while.
        loop {
            match pod.try_status().await {
                Err(e) if e.code() == Code::Unavailable => tokio::task::yield_now().await,
                status => break drop(status.unwrap()),
            }
        }
        // The kubelet reads the first state, and containerd itself the second.
        assert_eq!(pod.listed().await, PodSandboxState::SandboxNotready);
        assert!(pod.start_container("d").await.is_err());
        let ended = container.status().await;
        assert_eq!(ended.state(), ContainerState::ContainerExited);
        assert_eq!(ended.exit_code, 255);
        pod.stop().await.unwrap();
        pod.remove().await.unwrap();
    }
    nothing_is_left(&node);
}

async fn until(container: &Container, state: ContainerState) -> ContainerStatus {
    let reached = async {
        loop {
            let status = container.status().await;
            if status.state() == state {
                return status;
            }
            tokio::task::yield_now().await;
        }
    };
    let reached = tokio::time::timeout(tests::PATIENCE, reached).await;
    reached.expect("containerd notices")
}
