//! CRI's lists of a full node: as one message while they fit, and as a stream however long.

use std::collections::BTreeSet;

use containerd_sandbox::Code;
use containerd_sandbox::client::Cri;
use cri_api::v1;
use futures::{StreamExt as _, stream};
use tests::Daemon;
use tests::cri::{IMAGE, code, container_config, labels, pod_config, pull, run_with, started};

/// Longest message of gRPC that a client of CRI takes, in bytes.
const MESSAGE: usize = 16 << 20;
/// Number of pods, each with one running container.
const PODS: usize = 90;
/// Length of one annotation of each pod and container: all of them are longer than one message.
const ANNOTATION: usize = 200_000;

/// Runs the pods and returns the ids of pods and of containers.
async fn node(daemon: &Daemon, cri: &Cri) -> (BTreeSet<String>, BTreeSet<String>) {
    pull(cri, IMAGE).await;
    let long = "x".repeat(ANNOTATION);
    let made = stream::iter(0..PODS).map(|n| {
        let mut pod = pod_config(&format!("web-{n}"), daemon.home().root());
        let mut container = container_config("app");
        pod.annotations.insert("long".to_owned(), long.clone());
        container
            .annotations
            .insert("long".to_owned(), long.clone());
        async move {
            let id = run_with(cri, &pod, "").await.unwrap();
            let container = started(cri, &id, &container).await;
            (id, container)
        }
    });
    made.buffer_unordered(8)
        .collect::<Vec<_>>()
        .await
        .into_iter()
        .unzip()
}

/// Collects a stream whose messages must have items and fit into the limit, and returns the ids
/// in the order of the stream.
async fn collected<M: prost::Message + Default, T>(
    stream: tonic::Streaming<M>,
    items: impl Fn(M) -> Vec<T>,
    id: impl Fn(&T) -> String,
) -> Vec<String> {
    let mut ids = Vec::new();
    let mut stream = std::pin::pin!(stream);
    while let Some(message) = stream.next().await {
        let message = message.unwrap();
        assert!(message.encoded_len() < MESSAGE / 4);
        let items = items(message);
        assert!(!items.is_empty(), "a message without an item");
        ids.extend(items.iter().map(&id));
    }
    ids
}

/// Asserts that the ids of a stream are these, each once.
fn assert_each_once(streamed: &[String], expected: &BTreeSet<String>) {
    assert_eq!(streamed.len(), expected.len());
    assert_eq!(&streamed.iter().cloned().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test]
async fn a_list_longer_than_a_message_is_streamed() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let (pods, containers) = node(&daemon, &cri).await;

    // One message does not hold them, and the error names the way out.
    let listed = cri
        .list_containers(v1::ListContainersRequest::default())
        .await;
    let refused = listed.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.to_string().contains("streams it"), "{refused}");
    assert_eq!(
        code(
            cri.list_pod_sandbox(v1::ListPodSandboxRequest::default())
                .await
        ),
        Code::ResourceExhausted
    );

    let stream = cri
        .stream_pod_sandboxes(v1::StreamPodSandboxesRequest::default())
        .await
        .unwrap();
    let ids = collected(stream, |part| part.pod_sandboxes, |pod| pod.id.clone()).await;
    assert_each_once(&ids, &pods);
    let stream = cri
        .stream_containers(v1::StreamContainersRequest::default())
        .await
        .unwrap();
    let ids = collected(stream, |part| part.containers, |one| one.id.clone()).await;
    assert_each_once(&ids, &containers);
    let stream = cri
        .stream_container_stats(v1::StreamContainerStatsRequest::default())
        .await
        .unwrap();
    let id = |one: &v1::ContainerStats| one.attributes.clone().unwrap().id;
    let ids = collected(stream, |part| part.container_stats, id).await;
    assert_each_once(&ids, &containers);
    let stream = cri
        .stream_pod_sandbox_stats(v1::StreamPodSandboxStatsRequest::default())
        .await
        .unwrap();
    let id = |one: &v1::PodSandboxStats| one.attributes.clone().unwrap().id;
    let ids = collected(stream, |part| part.pod_sandbox_stats, id).await;
    assert_each_once(&ids, &pods);
    let stream = cri
        .stream_pod_sandbox_metrics(v1::StreamPodSandboxMetricsRequest {})
        .await
        .unwrap();
    let id = |one: &v1::PodSandboxMetrics| one.pod_sandbox_id.clone();
    let ids = collected(stream, |part| part.pod_sandbox_metrics, id).await;
    assert_each_once(&ids, &pods);
    let stream = cri
        .stream_images(v1::StreamImagesRequest::default())
        .await
        .unwrap();
    let ids = collected(stream, |part| part.images, |image| image.id.clone()).await;
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn a_stream_applies_its_filter_and_ends_while_pods_go() {
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    let (pods, _) = node(&daemon, &cri).await;
    let one = pods.first().unwrap().clone();
    let request = v1::StreamContainersRequest {
        filter: Some(v1::ContainerFilter {
            pod_sandbox_id: one.clone(),
            ..Default::default()
        }),
    };
    let stream = cri.stream_containers(request).await.unwrap();
    let owner = |container: &v1::Container| container.pod_sandbox_id.clone();
    let owners = collected(stream, |part| part.containers, owner).await;
    assert_eq!(owners, [one]);

    // A filter that nothing passes has an empty stream.
    let request = v1::StreamPodSandboxesRequest {
        filter: Some(v1::PodSandboxFilter {
            label_selector: labels(&[("app", "nothing")]),
            ..Default::default()
        }),
    };
    let stream = cri.stream_pod_sandboxes(request).await.unwrap();
    let ids = collected(stream, |part| part.pod_sandboxes, |pod| pod.id.clone()).await;
    assert!(ids.is_empty());

    // Pods that are removed while a stream is read are left out, and the stream ends.
    let stream = cri
        .stream_pod_sandboxes(v1::StreamPodSandboxesRequest::default())
        .await
        .unwrap();
    for id in &pods {
        tests::cri::remove_pod(&cri, id).await.unwrap();
    }
    let ids = collected(stream, |part| part.pod_sandboxes, |pod| pod.id.clone()).await;
    let seen: BTreeSet<_> = ids.iter().cloned().collect();
    assert_eq!(seen.len(), ids.len(), "a pod twice");
    assert!(seen.is_subset(&pods));
}

/// Returns the configuration of a pod with the labels and annotations that a kubelet writes for
/// one of a Deployment (`pkg/kubelet/kuberuntime/labels.go` of Kubernetes).
fn kubelets_pod(daemon: &Daemon, n: usize) -> v1::PodSandboxConfig {
    let name = format!("payment-service-7d9c6b5f4d-{n:05}");
    let uid = format!("3f1c9a52-8f0e-4b7e-9a51-{n:012}");
    v1::PodSandboxConfig {
        metadata: Some(v1::PodSandboxMetadata {
            name: name.clone(),
            namespace: "production".to_owned(),
            uid: uid.clone(),
            attempt: 0,
        }),
        log_directory: daemon.home().root().join("logs").display().to_string(),
        labels: labels(&[
            ("app.kubernetes.io/instance", "payment-service"),
            ("app.kubernetes.io/name", "payment-service"),
            ("io.kubernetes.pod.name", &name),
            ("io.kubernetes.pod.namespace", "production"),
            ("io.kubernetes.pod.uid", &uid),
            ("pod-template-hash", "7d9c6b5f4d"),
        ]),
        annotations: labels(&[
            (
                "kubernetes.io/config.seen",
                "2026-11-29T12:00:00.000000000Z",
            ),
            ("kubernetes.io/config.source", "api"),
        ]),
        ..Default::default()
    }
}

/// Returns the configuration of one of its containers.
fn kubelets_container(pod: &v1::PodSandboxConfig, name: &str) -> v1::ContainerConfig {
    let metadata = pod.metadata.clone().unwrap();
    v1::ContainerConfig {
        labels: labels(&[
            ("io.kubernetes.container.name", name),
            ("io.kubernetes.pod.name", &metadata.name),
            ("io.kubernetes.pod.namespace", &metadata.namespace),
            ("io.kubernetes.pod.uid", &metadata.uid),
        ]),
        annotations: labels(&[
            ("io.kubernetes.container.hash", "5d3f2a1b"),
            (
                "io.kubernetes.container.ports",
                r#"[{"name":"http","containerPort":8080,"protocol":"TCP"}]"#,
            ),
            ("io.kubernetes.container.restartCount", "0"),
            (
                "io.kubernetes.container.terminationMessagePath",
                "/dev/termination-log",
            ),
            ("io.kubernetes.container.terminationMessagePolicy", "File"),
            ("io.kubernetes.pod.terminationGracePeriod", "30"),
        ]),
        command: Vec::new(),
        ..container_config(name)
    }
}

/// Runs pods with two containers each, as a kubelet would.
async fn full_node(daemon: &Daemon, cri: &Cri, pods: usize) {
    pull(cri, IMAGE).await;
    let made = stream::iter(0..pods).map(|n| {
        let pod = kubelets_pod(daemon, n);
        async move {
            let id = run_with(cri, &pod, "").await.unwrap();
            for name in ["server", "proxy"] {
                started(cri, &id, &kubelets_container(&pod, name)).await;
            }
        }
    });
    made.buffer_unordered(16).for_each(|()| async {}).await;
}

/// Returns the bytes of all messages of a stream and the number of its items.
async fn size<M: prost::Message + Default>(
    stream: tonic::Streaming<M>,
    items: impl Fn(&M) -> usize,
) -> (usize, usize) {
    let add = |(bytes, count), message: Result<M, tonic::Status>| {
        let message = message.unwrap();
        std::future::ready((bytes + message.encoded_len(), count + items(&message)))
    };
    stream.fold((0, 0), add).await
}

/// Returns of each list its name, its bytes, its number of items, and whether one message holds
/// it.
async fn lists(cri: &Cri) -> [(&'static str, usize, usize, bool); 5] {
    let fits = |refused: Option<Code>| {
        assert!(matches!(refused, None | Some(Code::ResourceExhausted)));
        refused.is_none()
    };
    let refusal = |error: containerd_sandbox::Error| error.code();
    let stream = cri.stream_pod_sandboxes(v1::StreamPodSandboxesRequest::default());
    let pods = size(stream.await.unwrap(), |m| m.pod_sandboxes.len()).await;
    let listed = cri.list_pod_sandbox(v1::ListPodSandboxRequest::default());
    let pods_fit = fits(listed.await.err().map(refusal));
    let stream = cri.stream_containers(v1::StreamContainersRequest::default());
    let containers = size(stream.await.unwrap(), |m| m.containers.len()).await;
    let listed = cri.list_containers(v1::ListContainersRequest::default());
    let containers_fit = fits(listed.await.err().map(refusal));
    let stream = cri.stream_container_stats(v1::StreamContainerStatsRequest::default());
    let stats = size(stream.await.unwrap(), |m| m.container_stats.len()).await;
    let listed = cri.list_container_stats(v1::ListContainerStatsRequest::default());
    let stats_fit = fits(listed.await.err().map(refusal));
    let stream = cri.stream_pod_sandbox_stats(v1::StreamPodSandboxStatsRequest::default());
    let pod_stats = size(stream.await.unwrap(), |m| m.pod_sandbox_stats.len()).await;
    let listed = cri.list_pod_sandbox_stats(v1::ListPodSandboxStatsRequest::default());
    let pod_stats_fit = fits(listed.await.err().map(refusal));
    let stream = cri.stream_pod_sandbox_metrics(v1::StreamPodSandboxMetricsRequest {});
    let metrics = size(stream.await.unwrap(), |m| m.pod_sandbox_metrics.len()).await;
    let listed = cri.list_pod_sandbox_metrics(v1::ListPodSandboxMetricsRequest {});
    let metrics_fit = fits(listed.await.err().map(refusal));
    [
        ("ListPodSandbox", pods.0, pods.1, pods_fit),
        ("ListContainers", containers.0, containers.1, containers_fit),
        ("ListContainerStats", stats.0, stats.1, stats_fit),
        (
            "ListPodSandboxStats",
            pod_stats.0,
            pod_stats.1,
            pod_stats_fit,
        ),
        ("ListPodSandboxMetrics", metrics.0, metrics.1, metrics_fit),
    ]
}

/// The reference says how many pods one message of each list holds.
#[tokio::test]
async fn the_reference_says_how_many_pods_a_message_holds() {
    const FEW: usize = 40;
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    full_node(&daemon, &cri, FEW).await;
    let reference = include_str!("../../docs/reference/cri.md");
    let (_, table) = reference.split_once("## Full nodes").unwrap();
    let mut wrong = Vec::new();
    for (name, bytes, items, fits) in lists(&cri).await {
        assert!(fits && items >= FEW, "{name}");
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("| {name} |")));
        let cells = row
            .unwrap_or_else(|| panic!("{name} has no row"))
            .split('|');
        let said: Vec<f64> = cells
            .filter_map(|cell| cell.replace(',', "").trim().parse().ok())
            .collect();
        let bytes_of_pod = bytes as f64 / FEW as f64;
        let found = [bytes_of_pod, MESSAGE as f64 / bytes_of_pod];
        println!(
            "{name}: {:.0} bytes for each pod, {:.0} pods",
            found[0], found[1]
        );
        let close = |(said, found): (&f64, &f64)| (said / found - 1.0).abs() < 0.05;
        if said.len() != found.len() || !said.iter().zip(&found).all(close) {
            wrong.push(name);
        }
    }
    assert!(
        wrong.is_empty(),
        "the reference says something else: {wrong:?}"
    );
}

#[tokio::test]
#[ignore = "takes minutes: run with `cargo test -p tests --test cri_lists -- --ignored --nocapture`"]
async fn every_list_of_ten_thousand_pods_is_streamed() {
    const PODS: usize = 10_000;
    let daemon = Daemon::start(&[]);
    let cri = daemon.cri().await;
    full_node(&daemon, &cri, PODS).await;
    for (name, bytes, items, fits) in lists(&cri).await {
        println!("{name}: {items} items, {bytes} bytes, fits into one message: {fits}");
        assert!(items == PODS || items == 2 * PODS, "{name}");
        assert_eq!(fits, bytes <= MESSAGE, "{name}");
    }
}
