//! Kinds, and versions of their APIs.

use Kind::{
    Autoscaler, CronJob, DaemonSet, Deployment, Job, Keep, List, Node, Pod, PodTemplate,
    PriorityClass, ReplicaSet, ReplicationController, RuntimeClass, StatefulSet,
};

/// Kind of an object that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pod,
    Node,
    PodTemplate,
    ReplicationController,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    Job,
    CronJob,
    PriorityClass,
    RuntimeClass,
    Autoscaler,
    /// A kind that one of the commands reads.
    Keep,
    /// Items of other kinds.
    List,
}

/// API group, kind, versions that are known, and the way in which the kind is read.
const KINDS: [(&str, &str, &[&str], Kind); 21] = [
    ("", "Pod", &["v1"], Pod),
    ("", "Node", &["v1"], Node),
    ("", "PodTemplate", &["v1"], PodTemplate),
    ("", "ReplicationController", &["v1"], ReplicationController),
    ("apps", "Deployment", &["v1"], Deployment),
    ("apps", "ReplicaSet", &["v1"], ReplicaSet),
    ("apps", "StatefulSet", &["v1"], StatefulSet),
    ("apps", "DaemonSet", &["v1"], DaemonSet),
    ("batch", "Job", &["v1"], Job),
    ("batch", "CronJob", &["v1"], CronJob),
    ("scheduling.k8s.io", "PriorityClass", &["v1"], PriorityClass),
    ("node.k8s.io", "RuntimeClass", &["v1"], RuntimeClass),
    (
        "autoscaling",
        "HorizontalPodAutoscaler",
        &["v1", "v2"],
        Autoscaler,
    ),
    ("", "LimitRange", &["v1"], Keep),
    ("", "ResourceQuota", &["v1"], Keep),
    ("", "Namespace", &["v1"], Keep),
    ("", "Service", &["v1"], Keep),
    ("policy", "PodDisruptionBudget", &["v1"], Keep),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicy",
        &["v1"],
        Keep,
    ),
    (
        "admissionregistration.k8s.io",
        "ValidatingAdmissionPolicyBinding",
        &["v1"],
        Keep,
    ),
    ("", "List", &["v1"], List),
];

/// Kinds of API groups whose kinds are all known, beside those of [`KINDS`].
const OTHERS: [(&str, &[&str]); 3] = [
    (
        "",
        &[
            "Binding",
            "ComponentStatus",
            "ConfigMap",
            "Endpoints",
            "Event",
            "PersistentVolume",
            "PersistentVolumeClaim",
            "Secret",
            "ServiceAccount",
        ],
    ),
    ("apps", &["ControllerRevision"]),
    ("batch", &[]),
];

/// Returns whether an API group has a kind, as far as its kinds are known.
pub(super) fn may_have(api_version: &str, kind: &str) -> bool {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    let others = OTHERS.iter().find(|(of, _)| *of == group);
    others.is_none_or(|(_, kinds)| version != "v1" || kinds.contains(&kind))
}

impl Kind {
    /// Returns the kind of objects of this version and kind, and whether the version is known;
    /// `None` for a kind that decides nothing.
    pub fn of(api_version: &str, kind: &str) -> Option<(Self, bool)> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        // Deployments and DaemonSets had this group up to Kubernetes 1.15.
        let group = match group {
            "extensions" => "apps",
            group => group,
        };
        let known = KINDS
            .iter()
            .find(|(of, name, ..)| (*of, *name) == (group, kind));
        match known {
            Some((.., versions, way)) => Some((*way, versions.contains(&version))),
            None if group.is_empty() && kind.ends_with("List") => Some((List, true)),
            None => None,
        }
    }

    /// Returns whether objects of the kind make pods.
    pub fn is_workload(self) -> bool {
        matches!(
            self,
            PodTemplate
                | ReplicationController
                | Deployment
                | ReplicaSet
                | StatefulSet
                | DaemonSet
                | Job
                | CronJob
        )
    }

    /// Returns the name of a workload's kind.
    pub fn name(self) -> &'static str {
        let known = KINDS.iter().find(|(.., way)| *way == self);
        known.map_or("", |(_, name, ..)| name)
    }
}
