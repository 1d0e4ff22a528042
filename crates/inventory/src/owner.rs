//! Workload of a pod, as the labels of the pod and its name show it.
//!
//! A runtime is not told the owner of a pod. The controllers of Kubernetes write labels on the pods
//! that they make, and form the names of pods out of the names of their objects.

/// Label that a Deployment's ReplicaSets write (`DefaultDeploymentUniqueLabelKey`).
const TEMPLATE_HASH: &str = "pod-template-hash";
/// Label of a StatefulSet's and of a DaemonSet's pods (`ControllerRevisionHashLabelKey`).
const REVISION_HASH: &str = "controller-revision-hash";
/// Labels of a StatefulSet's pods alone (`StatefulSetPodNameLabel`, `PodIndexLabel`).
const OF_STATEFUL_SET: [&str; 2] = [
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
];
/// Labels of a Job's pods (`JobNameLabel` in `k8s.io/api/batch/v1`, and its older form).
const JOB_NAMES: [&str; 2] = ["batch.kubernetes.io/job-name", "job-name"];
/// Labels by which users name an application: those that Kubernetes recommends, and the usual
/// ones.
const APPLICATIONS: [&str; 5] = [
    "app.kubernetes.io/instance",
    "app.kubernetes.io/name",
    "app",
    "k8s-app",
    "run",
];
/// Characters of the random end of a name (`SimpleNameGenerator` of the API server).
const RANDOM: usize = 5;
/// Fewest digits of the time in the name of a CronJob's Job: minutes since 1970.
const MINUTES: usize = 8;

/// Returns the kind and name of the workload of a pod with this name; `None` if nothing shows it.
/// `label` gives a label of the pod. The kind of an owner that only a user's label names is
/// `Application`.
///
/// ```
/// use inventory::owner_of;
///
/// let label = |key: &str| (key == "pod-template-hash").then_some("6d4cf56db6");
/// let owner = owner_of("web-6d4cf56db6-x7k2p", label);
/// assert_eq!(owner, Some(("Deployment", "web")));
/// ```
pub fn owner_of<'a>(
    pod: &'a str,
    label: impl Fn(&str) -> Option<&'a str>,
) -> Option<(&'static str, &'a str)> {
    if let Some(hash) = label(TEMPLATE_HASH) {
        let replica_set = without_random(pod);
        let name = replica_set.and_then(|name| name.strip_suffix(hash)?.strip_suffix('-'));
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            return Some(("Deployment", name));
        }
    }
    if OF_STATEFUL_SET.iter().any(|key| label(key).is_some()) {
        let (name, _) = pod.rsplit_once('-').unwrap_or((pod, ""));
        return Some(("StatefulSet", name));
    }
    if let Some(job) = JOB_NAMES.iter().find_map(|key| label(key)) {
        return Some(match job.rsplit_once('-') {
            Some((cron_job, minutes)) if is_time(minutes) => ("CronJob", cron_job),
            _ => ("Job", job),
        });
    }
    if label(REVISION_HASH).is_some()
        && let Some(name) = without_random(pod)
    {
        return Some(("DaemonSet", name));
    }
    let application = APPLICATIONS.iter().find_map(|key| label(key));
    application.map(|name| ("Application", name))
}

fn without_random(name: &str) -> Option<&str> {
    let (name, random) = name.rsplit_once('-')?;
    (random.len() == RANDOM && !name.is_empty()).then_some(name)
}

fn is_time(text: &str) -> bool {
    text.len() >= MINUTES && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_controller_is_known_by_its_labels() {
        for (pod, labels, expected) in [
            (
                "web-6d4cf56db6-x7k2p",
                &[("pod-template-hash", "6d4cf56db6"), ("app", "shop")][..],
                Some(("Deployment", "web")),
            ),
            // A ReplicaSet of its own, whose pods a Deployment did not make.
            (
                "web-x7k2p",
                &[("pod-template-hash", "6d4cf56db6"), ("app", "shop")],
                Some(("Application", "shop")),
            ),
            (
                "db-12",
                &[
                    ("controller-revision-hash", "db-5f"),
                    ("apps.kubernetes.io/pod-index", "12"),
                ],
                Some(("StatefulSet", "db")),
            ),
            (
                "agent-x7k2p",
                &[("controller-revision-hash", "5f"), ("app", "agent")],
                Some(("DaemonSet", "agent")),
            ),
            (
                "import-28000000-x7k2p",
                &[("job-name", "import-28000000")],
                Some(("CronJob", "import")),
            ),
            (
                "import-7-x7k2p",
                &[("batch.kubernetes.io/job-name", "import-7")],
                Some(("Job", "import-7")),
            ),
            (
                "p",
                &[("app", "a"), ("app.kubernetes.io/instance", "b")],
                Some(("Application", "b")),
            ),
            ("p", &[("team", "a")], None),
        ] {
            let label = |key: &str| labels.iter().find(|(name, _)| *name == key);
            let owner = owner_of(pod, |key| label(key).map(|(_, value)| *value));
            assert_eq!(owner, expected, "{pod}");
        }
    }
}
