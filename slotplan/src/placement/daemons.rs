//! Pods of DaemonSets: one for each node that the controller does not pass over.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::Context;
use inventory::api::Toleration;
use inventory::{Pod, Template};
use scheduler::{ClassId, Cluster, Plugin, Profile};

/// Taints that every pod of a DaemonSet tolerates
/// (`AddOrUpdateDaemonPodTolerations` in `pkg/controller/daemon/util/daemonset_util.go`).
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
];
const NETWORK: (&str, &str) = ("node.kubernetes.io/network-unavailable", "NoSchedule");

/// Returns whether a pod is one that a DaemonSet of the input would make.
pub(super) fn is_daemon(pod: &Pod) -> bool {
    let owner = pod.owner.as_deref();
    // A pod of a running cluster names its node already.
    owner.is_some_and(|owner| &*owner.kind == "DaemonSet") && pod.uid.is_none()
}

/// DaemonSets that have been met.
#[derive(Debug, Default)]
pub(super) struct Daemons {
    known: HashMap<(Arc<str>, Arc<str>), Daemon>,
}

#[derive(Debug)]
struct Daemon {
    class: ClassId,
    /// Nodes that have no pod of the DaemonSet yet, the next one last.
    nodes: Vec<usize>,
}

impl Daemons {
    /// Returns the class of a pod and its node; `None` if the controller makes no more pods.
    pub fn place(
        &mut self,
        cluster: &mut Cluster,
        pod: &Pod,
    ) -> anyhow::Result<Option<(ClassId, usize)>> {
        let owner = pod.owner.as_deref().context("a pod without a DaemonSet")?;
        let key = (Arc::clone(&pod.namespace), Arc::clone(&owner.name));
        let daemon = match self.known.get_mut(&key) {
            Some(daemon) => daemon,
            None => {
                let daemon = Daemon::new(cluster, pod)?;
                self.known.entry(key).or_insert(daemon)
            }
        };
        let node = daemon.nodes.pop();
        Ok(node.map(|node| (daemon.class, node)))
    }
}

impl Daemon {
    /// Finds the nodes on which the controller makes a pod (`NodeShouldRunDaemonPod`).
    fn new(cluster: &mut Cluster, pod: &Pod) -> anyhow::Result<Self> {
        let mut spec = pod.template.spec.clone();
        let network = spec.host_network.then_some(NETWORK);
        for (key, effect) in TOLERATED.into_iter().chain(network) {
            spec.tolerations.push(Toleration {
                key: key.to_owned(),
                operator: "Exists".to_owned(),
                effect: effect.to_owned(),
                ..Toleration::default()
            });
        }
        let template = Arc::new(Template::new(pod.template.labels.clone(), spec));
        let class = cluster
            .class(&pod.namespace, &template, None)
            .with_context(|| format!("{}: {}/{}", pod.source, pod.namespace, pod.name))?;
        let refusals = cluster.explain(class, &Profile::default());
        let passed_over = |plugin| {
            matches!(
                plugin,
                Plugin::NodeName | Plugin::NodeAffinity | Plugin::TaintToleration
            )
        };
        let nodes = refusals.iter().enumerate().rev();
        let nodes = nodes.filter(|(_, refusals)| {
            !refusals
                .iter()
                .any(|rejection| passed_over(rejection.plugin))
        });
        Ok(Self {
            class,
            nodes: nodes.map(|(node, _)| node).collect(),
        })
    }
}
