//! Source 4: the manifest of a pod that `kubectl apply` made.
//!
//! CRI has no field for a memory request, for local ephemeral storage, or for the difference
//! between init containers, sidecars and regular containers. A kubelet passes the annotations of
//! a pod on, and `kubectl apply` writes the whole manifest into one of them. Only a pod that was
//! applied itself has it, not the pods of a Deployment.
//!
//! The annotation is another program's: text that is no manifest of a pod states nothing and
//! is no error. It is the last source, because a resize of the pod does not change it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;

use super::{PodSum, ResourceInfo, Span, cores};
use kube_resources::Quantity;

/// Annotation in which `kubectl apply` keeps the manifest (`LastAppliedConfigAnnotation` in
/// `k8s.io/api/core/v1`).
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

#[derive(Deserialize)]
struct Manifest {
    kind: String,
    spec: PodSpec,
}

/// The fields of a `PodSpec` that state resources.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct PodSpec {
    init_containers: Vec<Container>,
    containers: Vec<Container>,
    resources: Resources,
    overhead: Amounts,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Container {
    restart_policy: Option<String>,
    resources: Resources,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Resources {
    requests: Amounts,
    limits: Amounts,
}

/// Quantities by the name of the resource; a quantity may be written as a text or a number.
type Amounts = HashMap<String, Value>;

/// Reads what the manifest among `annotations` states of the whole pod.
pub(super) fn read(annotations: &HashMap<String, String>) -> ResourceInfo {
    let manifest = annotations
        .get(LAST_APPLIED)
        .and_then(|text| serde_json::from_str::<Manifest>(text).ok());
    match manifest {
        Some(manifest) if manifest.kind == "Pod" => manifest.spec.info(),
        _ => ResourceInfo::default(),
    }
}

impl PodSpec {
    /// Returns the resources of the pod: what it states itself, or else what its containers
    /// state together, and its overhead.
    pub(super) fn info(&self) -> ResourceInfo {
        let mut sum = PodSum::default();
        for container in &self.init_containers {
            let is_sidecar = container.restart_policy.as_deref() == Some("Always");
            let span = if is_sidecar { Span::Pod } else { Span::Init };
            sum.add(span, container.resources.info());
        }
        for container in &self.containers {
            sum.add(Span::Pod, container.resources.info());
        }
        let (of_pod, of_containers) = (self.resources.stated(), sum.total());
        let info = of_pod.or(of_containers).or(self.resources.info());
        info.with_overhead(amounts(&self.overhead, &self.overhead))
    }
}

impl Resources {
    /// Returns what is stated. A limit of zero is none.
    fn stated(&self) -> ResourceInfo {
        amounts(&self.requests, &self.limits)
    }

    /// Returns what the API server makes of it: without a request, the limit is the request
    /// (`SetDefaults_Pod` in `pkg/apis/core/v1/defaults.go`).
    fn info(&self) -> ResourceInfo {
        let stated = self.stated();
        ResourceInfo {
            cpu_request: stated.cpu_request.or(stated.cpu_limit),
            memory_request: stated.memory_request.or(stated.memory_limit),
            ..stated
        }
    }
}

fn amounts(requests: &Amounts, limits: &Amounts) -> ResourceInfo {
    let quantity = |amounts: &Amounts, name: &str| -> Option<Quantity> {
        match amounts.get(name)? {
            Value::String(text) => text.parse().ok(),
            number => number.to_string().parse().ok(),
        }
    };
    let cpu = |amounts| cores::from_nanos(quantity(amounts, "cpu")?.nanos());
    let bytes = |amounts, name| quantity(amounts, name).map(Quantity::whole);
    ResourceInfo {
        cpu_limit: cpu(limits).filter(|cores| *cores > 0.0),
        cpu_request: cpu(requests),
        memory_limit: bytes(limits, "memory").filter(|bytes| *bytes > 0),
        memory_request: bytes(requests, "memory"),
        storage_limit: bytes(limits, "ephemeral-storage").filter(|bytes| *bytes > 0),
        ..ResourceInfo::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_no_manifest_of_a_pod_states_nothing() {
        for text in [
            "",
            "{",
            "null",
            "[]",
            r#"{"kind":"Pod"}"#,
            r#"{"kind":"Pod","spec":7}"#,
            r#"{"kind":"Deployment","spec":{"containers":[{"resources":{"limits":{"cpu":"1"}}}]}}"#,
            r#"{"kind":"Pod","spec":{"containers":[{"resources":{"limits":{"cpu":"much"}}}]}}"#,
            r#"{"kind":"Pod","spec":{"containers":[{"resources":{"limits":{"cpu":["1"]}}}]}}"#,
        ] {
            let annotations = HashMap::from([(LAST_APPLIED.to_owned(), text.to_owned())]);
            assert_eq!(read(&annotations), ResourceInfo::default(), "{text}");
        }
        assert_eq!(read(&HashMap::new()), ResourceInfo::default());
    }

    #[test]
    fn a_manifest_states_what_cri_has_no_field_for() {
        let text = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{
            "initContainers":[
                {"name":"i","resources":{"limits":{"memory":"3Gi","ephemeral-storage":"5Gi"}}},
                {"name":"s","restartPolicy":"Always","resources":{"limits":
                    {"memory":"1Gi","ephemeral-storage":"1Gi"}}}],
            "containers":[{"name":"a","image":"i","resources":{
                "requests":{"cpu":0.5,"memory":"512Mi"},
                "limits":{"memory":"1Gi","ephemeral-storage":"2Gi"}}}],
            "overhead":{"memory":"16Mi"}}}"#;
        let annotations = HashMap::from([(LAST_APPLIED.to_owned(), text.to_owned())]);
        let expected = ResourceInfo {
            cpu_request: Some(0.5),
            memory_limit: Some((3 << 30) + (16 << 20)),
            memory_request: Some((3 << 30) + (16 << 20)),
            storage_limit: Some(5 << 30),
            ..ResourceInfo::default()
        };
        assert_eq!(read(&annotations), expected);
    }
}
