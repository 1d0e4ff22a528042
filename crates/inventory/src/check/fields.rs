//! Fields that no API has.
//!
//! A slip of the pen such as `requets` would be a request of nothing. kubectl refuses unknown
//! fields, too (`--validate=strict`).

use crate::tree::{DecodeError, Step, Tree, Value};

/// Names of the fields of one type, and the types of some of them.
pub(crate) struct Fields {
    names: &'static [&'static str],
    within: &'static [(&'static str, &'static Fields)],
}

const RESOURCES: Fields = Fields {
    names: &["claims", "limits", "requests"],
    within: &[],
};

const PORT: Fields = Fields {
    names: &["containerPort", "hostIP", "hostPort", "name", "protocol"],
    within: &[],
};

const CONTAINER: Fields = Fields {
    names: &[
        "args",
        "command",
        "env",
        "envFrom",
        "image",
        "imagePullPolicy",
        "lifecycle",
        "livenessProbe",
        "name",
        "ports",
        "readinessProbe",
        "resizePolicy",
        "resources",
        "restartPolicy",
        "restartPolicyRules",
        "securityContext",
        "startupProbe",
        "stdin",
        "stdinOnce",
        "terminationMessagePath",
        "terminationMessagePolicy",
        "tty",
        "volumeDevices",
        "volumeMounts",
        "workingDir",
    ],
    within: &[("resources", &RESOURCES), ("ports", &PORT)],
};

const TOLERATION: Fields = Fields {
    names: &["effect", "key", "operator", "tolerationSeconds", "value"],
    within: &[],
};

const SPREAD: Fields = Fields {
    names: &[
        "labelSelector",
        "matchLabelKeys",
        "maxSkew",
        "minDomains",
        "nodeAffinityPolicy",
        "nodeTaintsPolicy",
        "topologyKey",
        "whenUnsatisfiable",
    ],
    within: &[],
};

const BY_STRENGTH: Fields = Fields {
    names: &[
        "preferredDuringSchedulingIgnoredDuringExecution",
        "requiredDuringSchedulingIgnoredDuringExecution",
    ],
    within: &[],
};

const AFFINITY: Fields = Fields {
    names: &["nodeAffinity", "podAffinity", "podAntiAffinity"],
    within: &[
        ("nodeAffinity", &BY_STRENGTH),
        ("podAffinity", &BY_STRENGTH),
        ("podAntiAffinity", &BY_STRENGTH),
    ],
};

const POD_SPEC: Fields = Fields {
    names: &[
        "activeDeadlineSeconds",
        "affinity",
        "automountServiceAccountToken",
        "containers",
        "dnsConfig",
        "dnsPolicy",
        "enableServiceLinks",
        "ephemeralContainers",
        "hostAliases",
        "hostIPC",
        "hostNetwork",
        "hostPID",
        "hostUsers",
        "hostname",
        "hostnameOverride",
        "imagePullSecrets",
        "initContainers",
        "nodeName",
        "nodeSelector",
        "os",
        "overhead",
        "preemptionPolicy",
        "priority",
        "priorityClassName",
        "readinessGates",
        "resourceClaims",
        "resources",
        "restartPolicy",
        "runtimeClassName",
        "schedulerName",
        "schedulingGates",
        "schedulingGroup",
        "securityContext",
        "serviceAccount",
        "serviceAccountName",
        "setHostnameAsFQDN",
        "shareProcessNamespace",
        "subdomain",
        "terminationGracePeriodSeconds",
        "tolerations",
        "topologySpreadConstraints",
        "volumes",
    ],
    within: &[
        ("affinity", &AFFINITY),
        ("containers", &CONTAINER),
        ("initContainers", &CONTAINER),
        ("resources", &RESOURCES),
        ("tolerations", &TOLERATION),
        ("topologySpreadConstraints", &SPREAD),
    ],
};

const TEMPLATE: Fields = Fields {
    names: &["metadata", "spec"],
    within: &[("spec", &POD_SPEC)],
};

/// Specs of Deployment, ReplicaSet, ReplicationController, StatefulSet and DaemonSet together: a
/// field of another of them changes no number here.
const WORKLOAD_SPEC: Fields = Fields {
    names: &[
        "minReadySeconds",
        "ordinals",
        "paused",
        "persistentVolumeClaimRetentionPolicy",
        "podManagementPolicy",
        "progressDeadlineSeconds",
        "replicas",
        "revisionHistoryLimit",
        "rollbackTo",
        "selector",
        "serviceName",
        "strategy",
        "template",
        "templateGeneration",
        "updateStrategy",
        "volumeClaimTemplates",
    ],
    within: &[("template", &TEMPLATE)],
};

const JOB_SPEC: Fields = Fields {
    names: &[
        "activeDeadlineSeconds",
        "backoffLimit",
        "backoffLimitPerIndex",
        "completionMode",
        "completions",
        "managedBy",
        "manualSelector",
        "maxFailedIndexes",
        "parallelism",
        "podFailurePolicy",
        "podReplacementPolicy",
        "selector",
        "successPolicy",
        "suspend",
        "template",
        "ttlSecondsAfterFinished",
    ],
    within: &[("template", &TEMPLATE)],
};

const JOB_TEMPLATE: Fields = Fields {
    names: &["metadata", "spec"],
    within: &[("spec", &JOB_SPEC)],
};

const CRON_JOB_SPEC: Fields = Fields {
    names: &[
        "concurrencyPolicy",
        "failedJobsHistoryLimit",
        "jobTemplate",
        "schedule",
        "startingDeadlineSeconds",
        "successfulJobsHistoryLimit",
        "suspend",
        "timeZone",
    ],
    within: &[("jobTemplate", &JOB_TEMPLATE)],
};

/// Names of the fields of objects, which the kinds have in common.
const OBJECT: &[&str] = &["apiVersion", "kind", "metadata", "spec", "status"];

impl Fields {
    /// Fields of a Pod.
    pub const POD: Self = Self {
        names: OBJECT,
        within: &[("spec", &POD_SPEC)],
    };
    /// Fields of a PodTemplate.
    pub const POD_TEMPLATE: Self = Self {
        names: &["apiVersion", "kind", "metadata", "template"],
        within: &[("template", &TEMPLATE)],
    };
    /// Fields of a workload that keeps pods running.
    pub const WORKLOAD: Self = Self {
        names: OBJECT,
        within: &[("spec", &WORKLOAD_SPEC)],
    };
    /// Fields of a Job.
    pub const JOB: Self = Self {
        names: OBJECT,
        within: &[("spec", &JOB_SPEC)],
    };
    /// Fields of a CronJob.
    pub const CRON_JOB: Self = Self {
        names: OBJECT,
        within: &[("spec", &CRON_JOB_SPEC)],
    };
}

/// Returns the error of the first field that the type does not have.
pub(crate) fn unknown_field(tree: &Tree, fields: &Fields) -> Option<DecodeError> {
    if let Value::List(items) = &tree.value {
        let mut items = items.iter().enumerate();
        return items.find_map(|(place, item)| {
            unknown_field(item, fields).map(|error| error.within_item(place))
        });
    }
    if let Some(key) = tree.keys().find(|key| !fields.names.contains(key)) {
        return Some(DecodeError::of(tree, &[Step::Key(key)], "unknown field"));
    }
    fields.within.iter().find_map(|(key, fields)| {
        unknown_field(tree.get(key)?, fields).map(|error| error.within(key))
    })
}
