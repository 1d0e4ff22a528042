//! CRI's lists of a full node: as one message while they fit, and as a stream however long.

use std::collections::BTreeSet;

use containerd_sandbox::Code;
use containerd_sandbox::client::Cri;
use cri_api::v1;
use futures::{StreamExt as _, stream};
use tests::Daemon;
use tests::cri::{IMAGE, code, container_config, pod_config, pull, run_with, started};

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
            label_selector: tests::cri::labels(&[("app", "nothing")]),
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
