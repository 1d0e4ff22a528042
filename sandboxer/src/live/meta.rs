//! Labels and annotations of the sandbox API that a slot keeps for readers of the journal.
//!
//! Texts that another field of the record has are left out: the names that a kubelet and
//! containerd repeat, this project's own annotations, and those that state resources.

use std::collections::HashMap;

use tracing::debug;

use crate::simulate::annotations;
use slot::{PodMeta, Texts};

/// Most bytes of a pod's labels, of its annotations, and of a container's annotations. Each is
/// kept in memory and in the journal for as long as the slot.
const MOST_BYTES: usize = 16 << 10;

/// Annotations that state resources, which the record has as such.
const RESOURCES: &str = "resources.";
/// Time at which a kubelet saw the pod (`ConfigFirstSeenAnnotationKey` in
/// `pkg/kubelet/types`), which is about the time of the record.
const SEEN: &str = "kubernetes.io/config.seen";
/// Labels by which a kubelet repeats the pod's metadata (`newPodLabels` in
/// `pkg/kubelet/kuberuntime/labels.go`).
const POD_LABELS: &str = "io.kubernetes.pod.";
/// Annotations by which a kubelet finds its own state of a container again (`newContainerAnnotations`
/// in the same file).
const OF_KUBELET: &str = "io.kubernetes.container.";
/// Annotations in which containerd's CRI plugin repeats the metadata of pod and container
/// (`internal/cri/annotations` in containerd).
const OF_CRI_PLUGIN: &str = "io.kubernetes.cri.";
/// The one among them that no other field of the record has.
const IMAGE_NAME: &str = "io.kubernetes.cri.image-name";

/// Returns the labels and annotations of a pod that are kept; `None` if there are none.
pub(super) fn of_pod<'a>(
    id: &str,
    labels: &HashMap<String, String>,
    annotations: impl Iterator<Item = (&'a String, &'a String)>,
) -> Option<Box<PodMeta>> {
    let labels = labels
        .iter()
        .filter(|(key, _)| !key.starts_with(POD_LABELS));
    let annotations = annotations.filter(|(key, _)| is_kept(key) && *key != SEEN);
    let meta = PodMeta {
        labels: bounded(id, "labels", labels),
        annotations: bounded(id, "annotations", annotations),
    };
    (meta != PodMeta::default()).then(|| Box::new(meta))
}

/// Returns the annotations of a container that are kept; `None` if there are none.
pub(super) fn of_container(id: &str, annotations: &HashMap<String, String>) -> Option<Box<Texts>> {
    let kept = |key: &str| {
        is_kept(key)
            && !key.starts_with(OF_KUBELET)
            && (!key.starts_with(OF_CRI_PLUGIN) || key == IMAGE_NAME)
    };
    let annotations = annotations.iter().filter(|(key, _)| kept(key));
    let texts = bounded(id, "annotations", annotations);
    (!texts.is_empty()).then(|| Box::new(texts))
}

fn is_kept(key: &str) -> bool {
    !key.starts_with(annotations::PREFIX) && !key.starts_with(RESOURCES)
}

fn bounded<'a>(
    id: &str,
    what: &str,
    texts: impl Iterator<Item = (&'a String, &'a String)>,
) -> Texts {
    let texts = texts.map(|(key, value)| (key.as_str(), value.as_str()));
    let (texts, left_out) = Texts::bounded(texts, MOST_BYTES);
    if left_out > 0 {
        debug!("{id}: {left_out} {what} beyond {MOST_BYTES} bytes are not kept");
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[(&str, &str)]) -> HashMap<String, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        texts.iter().map(owned).collect()
    }

    #[test]
    fn a_pod_keeps_what_no_other_field_has() {
        let labels = texts(&[("app", "web"), ("io.kubernetes.pod.name", "web-0")]);
        let annotations = texts(&[
            ("example.com/owner", "team-a"),
            ("kubernetes.io/config.seen", "2026-01-01T00:00:00Z"),
            ("resources.limits.cpu", "1"),
            ("resource-slot.kuasar.io/cpu", "0.5"),
        ]);
        let more = texts(&[("example.com/zone", "z")]);
        let meta = of_pod("p", &labels, more.iter().chain(&annotations)).unwrap();
        assert_eq!(meta.labels.iter().collect::<Vec<_>>(), [("app", "web")]);
        assert_eq!(
            meta.annotations.iter().collect::<Vec<_>>(),
            [("example.com/owner", "team-a"), ("example.com/zone", "z")]
        );
        assert_eq!(of_pod("p", &HashMap::new(), HashMap::new().iter()), None);
    }

    #[test]
    fn a_container_keeps_its_image_and_foreign_annotations() {
        let annotations = texts(&[
            ("io.kubernetes.container.restartCount", "0"),
            ("io.kubernetes.cri.container-name", "app"),
            ("io.kubernetes.cri.image-name", "nginx:1"),
            ("example.com/a", "b"),
            ("resources.limits.cpu", "1"),
        ]);
        let kept = of_container("c", &annotations).unwrap();
        assert_eq!(
            kept.iter().collect::<Vec<_>>(),
            [
                ("example.com/a", "b"),
                ("io.kubernetes.cri.image-name", "nginx:1")
            ]
        );
        assert_eq!(of_container("c", &HashMap::new()), None);
    }

    #[test]
    fn a_manifest_beyond_the_bound_is_not_kept_and_the_rest_is() {
        let manifest = "x".repeat(MOST_BYTES);
        let annotations = texts(&[("a/manifest", &manifest), ("b/owner", "team-a")]);
        let meta = of_pod("p", &HashMap::new(), annotations.iter()).unwrap();
        assert_eq!(
            meta.annotations.iter().collect::<Vec<_>>(),
            [("b/owner", "team-a")]
        );
    }
}
