//! Versions of APIs.

/// Kinds of which the version `v1` of an API group is read, with the way in which they are used.
const KINDS: [(&str, &str, Use); 20] = [
    ("", "Pod", Use::Pod),
    ("", "Node", Use::Node),
    ("", "PodTemplate", Use::PodTemplate),
    (
        "",
        "ReplicationController",
        Use::Replicas("ReplicationController"),
    ),
    ("apps", "Deployment", Use::Replicas("Deployment")),
    ("apps", "ReplicaSet", Use::Replicas("ReplicaSet")),
    ("apps", "StatefulSet", Use::Replicas("StatefulSet")),
    ("apps", "DaemonSet", Use::DaemonSet),
    ("batch", "Job", Use::Job),
    ("batch", "CronJob", Use::CronJob),
    ("scheduling.k8s.io", "PriorityClass", Use::PriorityClass),
    ("node.k8s.io", "RuntimeClass", Use::RuntimeClass),
    ("", "LimitRange", Use::Keep),
    ("", "ResourceQuota", Use::Keep),
    ("", "Namespace", Use::Keep),
    ("policy", "PodDisruptionBudget", Use::Keep),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        Use::Keep,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        Use::Keep,
    ),
    ("autoscaling", "HorizontalPodAutoscaler", Use::Keep),
    ("", "List", Use::List),
];

/// Way in which objects of a kind are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    Pod,
    Node,
    PodTemplate,
    /// Workload with a number of replicas, of this kind.
    Replicas(&'static str),
    DaemonSet,
    Job,
    CronJob,
    PriorityClass,
    RuntimeClass,
    /// For one of the commands.
    Keep,
    List,
    /// It decides nothing.
    Ignore,
}

/// Returns the way in which a kind is used, and whether its version is the one that is known.
pub(super) fn use_of(api_version: &str, kind: &str) -> (Use, bool) {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    // Deployments and DaemonSets had this group up to Kubernetes 1.15.
    let group = match group {
        "extensions" => "apps",
        group => group,
    };
    let known = KINDS
        .iter()
        .find(|(of, name, _)| (*of, *name) == (group, kind));
    match known {
        Some((.., way)) => (*way, version == "v1"),
        None if group.is_empty() && kind.ends_with("List") => (Use::List, true),
        None => (Use::Ignore, true),
    }
}
